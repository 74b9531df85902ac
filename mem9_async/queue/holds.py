"""What people hold back by hand: a space, or everything. Stores are taken in all the same.

A hold is in the journal before it holds, so it outlives the process. Unlike a park, nothing but a
person ends it: no success, no new key, no flush.
"""

from typing import Protocol

import structlog

from mem9_async.queue.journal import Journal

log = structlog.get_logger()

_EVERYTHING = b""


class Gate(Protocol):
    """What lets jobs through, or not."""

    def hold(self, space_id: int | None) -> None:
        """Send nothing of the space (None: of any)."""

    def release(self, space_id: int | None) -> None:
        """End that."""


class Holds:
    """The holds of one journal."""

    def __init__(self, journal: Journal, gate: Gate) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db
        self._gate = gate
        self._since: dict[int, float] = {}
        self.everything_since: float | None = None  #: UTC epoch seconds; None when not held

    def restore(self) -> None:
        """Hold what the journal says; again after an adoption."""
        for digest, since in self._db.execute("SELECT digest, since FROM holds").fetchall():
            if digest == _EVERYTHING:
                self.everything_since = since
                self._gate.hold(None)
                continue
            found = self._db.execute(
                "SELECT space_id FROM spaces WHERE digest = ?", (digest,)
            ).fetchone()
            if found is not None:
                self._since[found[0]] = since
                self._gate.hold(found[0])

    def since(self, space_id: int) -> float | None:
        """Since when the space is held, by itself or with everything; None when it is not."""
        return self._since.get(space_id, self.everything_since)

    def all(self) -> dict[int, float]:
        """Every space that is held by itself, and since when."""
        return dict(self._since)

    def hold(self, space_id: int | None, now: float) -> bool:
        """Send nothing more of the space (None: of any); whether that is news.

        What is on its way already is not called back.
        """
        if (self.everything_since if space_id is None else self._since.get(space_id)) is not None:
            return False
        with self._file.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO holds VALUES (?, ?)", (self._digest(space_id), now)
            )
        if space_id is None:
            self.everything_since = now
        else:
            self._since[space_id] = now
        self._gate.hold(space_id)
        log.warning("queue.paused", space=self._name(space_id))
        return True

    def release(self, space_id: int | None) -> bool:
        """End a hold; whether there was one. Everything and a single space are held apart."""
        if (self.everything_since if space_id is None else self._since.get(space_id)) is None:
            return False
        with self._file.transaction():
            self._db.execute("DELETE FROM holds WHERE digest = ?", (self._digest(space_id),))
        if space_id is None:
            self.everything_since = None
        else:
            del self._since[space_id]
        self._gate.release(space_id)
        log.info("queue.resumed", space=self._name(space_id))
        return True

    def _digest(self, space_id: int | None) -> bytes:
        if space_id is None:
            return _EVERYTHING
        digest: bytes = self._db.execute(
            "SELECT digest FROM spaces WHERE space_id = ?", (space_id,)
        ).fetchone()[0]
        return digest

    def _name(self, space_id: int | None) -> str:
        return "all" if space_id is None else self._journal.addresses.space_name(space_id)
