"""Who owns which journal file: one process each, known by a lock the kernel releases.

A process that dies, is killed or is replaced by an upgrade leaves its lock free: the next
one takes its journal over. No stale-lock logic, no clock.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mem9_async.queue import failpoints, synced_directories
from mem9_async.queue.uuid7 import uuid7

_DATABASE, _LOCK = ".db", ".lock"
_RESCUED, _DRAFT = ".rescued", ".rescuing"
RESERVE_SUFFIX = ".reserve"
_COMPANIONS = ("-wal", "-shm", "-journal")


@dataclass(slots=True, eq=False)
class Claim:
    """A journal file that is ours until release(), or until the process ends."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Let another process have the file; once is enough, twice does no harm."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def remove(self) -> None:
        """Delete the file for good, then let go of it."""
        self.clear_draft()
        for companion in _COMPANIONS:
            Path(f"{self.path}{companion}").unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(RESERVE_SUFFIX).unlink(missing_ok=True)
        # Last of all: whoever waits for this lock finds its file gone and looks elsewhere.
        self.path.with_suffix(_LOCK).unlink(missing_ok=True)
        self.release()

    # A damaged file is replaced by what can be read of it. Its name and lock stay the same.

    @property
    def draft(self) -> Path:
        """Where what can be read of a damaged file is gathered. Nobody opens or adopts it."""
        return self.path.with_suffix(_DRAFT)

    def clear_draft(self) -> None:
        """Remove what a rescue that was broken off has left."""
        for path in self.path.parent.glob(f"{self.draft.name}*"):
            path.unlink(missing_ok=True)

    def replace_by_draft(self) -> Path:
        """Set the file and its log aside, every byte of them, and put the finished draft there.

        Killed half-way: whoever claims the file next finishes it. Returns the name set aside.
        """
        self.draft.rename(self._rescued)
        return self.finish_replacing() or self.path

    def finish_replacing(self) -> Path | None:
        """Do what is left to do of a replacement; None when there is none."""
        if not self._rescued.exists():
            return None
        # The draft's own time: whoever goes on with this finds the same name.
        stamp = self._rescued.stat().st_mtime_ns // 1_000_000
        aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}")
        # The file before its log: without a file there is nothing that could miss the log. And
        # both before the draft comes: SQLite would write a strange log into it.
        for companion in ("", *_COMPANIONS):
            source = Path(f"{self.path}{companion}")
            if source.exists():
                source.rename(f"{aside}{companion}")
        failpoints.hit("quarantine.renamed")
        self._rescued.rename(self.path)
        return aside

    @property
    def _rescued(self) -> Path:
        return self.path.with_suffix(_RESCUED)


def prepare(directory: Path) -> None:
    """Make *directory* (0700) if it is missing. Raises OSError when it cannot be written."""
    synced_directories.make(directory)
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
    """Every journal whose owner is gone, newest first, each locked as it is given out.

    Names are uuid7, so the newest holds what was accepted last: what is taken over after it
    is older, and goes before it.
    """
    names = {path.stem for path in directory.glob(f"*{_DATABASE}")}
    # Killed between setting the damaged file aside and putting the rescued one in its place.
    names |= {path.stem for path in directory.glob(f"*{_RESCUED}")}
    for name in sorted(names, reverse=True):
        claim = claim_file(directory / f"{name}{_DATABASE}")
        if claim is not None:
            yield claim


def claim_file(path: Path) -> Claim | None:
    """The journal at *path*, locked; None while it has an owner, or when it is gone."""
    claim = _claim(path)
    if claim is None:
        return None
    claim.finish_replacing()
    claim.clear_draft()
    if claim.path.exists():
        return claim
    claim.remove()  # by its adopter, between our look and our lock
    return None


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
