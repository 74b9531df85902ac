"""Who owns which journal file: one process each, known by a lock the kernel releases.

A process that dies, is killed or is replaced by an upgrade leaves its lock free: the next
one takes its journal over. No stale-lock logic, no clock.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mem9_async.queue import directories
from mem9_async.queue.ids import uuid7

_DATABASE, _LOCK = ".db", ".lock"
RESERVE_SUFFIX = ".reserve"
_COMPANIONS = ("-wal", "-shm", "-journal")


@dataclass(slots=True)
class Claim:
    """A journal file that is ours until release(), or until the process ends."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Let another process have the file."""
        os.close(self.descriptor)

    def remove(self) -> None:
        """Delete the file for good, then let go of it."""
        for companion in _COMPANIONS:
            Path(f"{self.path}{companion}").unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(RESERVE_SUFFIX).unlink(missing_ok=True)
        # Last of all: whoever waits for this lock finds its file gone and looks elsewhere.
        self.path.with_suffix(_LOCK).unlink(missing_ok=True)
        os.close(self.descriptor)

    def set_aside(self, reason: str, stamp: int) -> Path:
        """Rename the file (and its log) so that nobody opens it again; keep every byte."""
        aside = self.path.with_name(f"{self.path.name}.{reason}-{stamp}")
        for companion in _COMPANIONS:
            source = Path(f"{self.path}{companion}")
            if source.exists():
                source.rename(f"{aside}{companion}")
        self.path.rename(aside)
        self.path.with_suffix(RESERVE_SUFFIX).unlink(missing_ok=True)
        self.path.with_suffix(_LOCK).unlink(missing_ok=True)
        os.close(self.descriptor)
        return aside


def prepare(directory: Path) -> None:
    """Make *directory* (0700) if it is missing. Raises OSError when it cannot be written."""
    directories.make(directory)
    probe = directory / f".probe-{uuid7().hex()}"
    probe.touch(mode=0o600)
    probe.unlink()


def claim_new(directory: Path) -> Claim:
    """A new journal file of our own (not created yet, but locked)."""
    path = directory / f"{uuid7().hex()}{_DATABASE}"
    claim = _claim(path)
    if claim is None:
        raise OSError(f"the new lock file {path.stem} is taken")
    return claim


def claim_orphans(directory: Path) -> Iterator[Claim]:
    """Every journal whose owner is gone, largest first, each locked as it is given out."""
    sized = [(_size(path), path) for path in directory.glob(f"*{_DATABASE}")]
    for _, path in sorted(sized, reverse=True):
        claim = _claim(path)
        if claim is None:
            continue
        if path.exists():
            yield claim
        else:  # removed by its adopter between our look and our lock
            claim.remove()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # its adopter has just removed it
        return 0


def _claim(path: Path) -> Claim | None:
    lock = path.with_suffix(_LOCK)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The name may have been removed after we opened it: then we hold a lock on nothing.
        if os.fstat(descriptor).st_ino == lock.stat().st_ino:
            return Claim(path, descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
