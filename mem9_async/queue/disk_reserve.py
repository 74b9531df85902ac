"""Disk space set apart so that outcomes can be recorded when the disk is full.

Deleting a delivered job needs room too: the write-ahead log grows before the file shrinks.
While the reserve is spent no new job is written, or it would eat the room of the old ones.
"""

import os
from pathlib import Path

RESERVE_BYTES = 4 * 1024 * 1024


class Reserve:
    """A file that is there only to be deleted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.held = False
        self.restore()

    def release(self) -> None:
        """Give the room to whoever writes next."""
        self.held = False
        self._path.unlink(missing_ok=True)

    def restore(self) -> bool:
        """Set the room apart again; False while the disk has none."""
        if self.held:
            return True
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)
        self.held = True
        return True
