"""Directories whose names outlast a power cut: a file is only found if its name was synced."""

import os
from contextlib import suppress
from pathlib import Path


def make(directory: Path) -> None:
    """Make *directory* (0700) and its parents where missing. Raises OSError if it cannot."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync(each.parent)


def sync(directory: Path) -> None:
    """Wait until the names in *directory* are on the disk, where the file system can say."""
    # Not every file system can, and a parent need not be ours to read: neither is a reason to fail.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
