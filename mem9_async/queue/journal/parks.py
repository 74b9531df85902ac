"""The spaces that wait for an outside condition, so that they still wait after a restart."""

from mem9_async.queue import failpoints
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.sealed_outcomes import open_outcome, seal_outcome
from mem9_async.queue.records import Park
from mem9_async.queue.sealing import Sealer


class Parks:
    """The parks of one journal, at most one for each space. Each verb is one transaction."""

    def __init__(self, file: JournalFile, sealer: Sealer) -> None:
        self._file = file
        self._db = file.db
        self._sealer = sealer

    def put(self, park: Park) -> None:
        """Record that the space waits, in place of what was recorded of it before."""
        with self._file.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO parks VALUES (?, ?, ?, ?, ?, ?)",
                (
                    park.space_id,
                    park.reason,
                    park.parked_at,
                    park.until,
                    park.step,
                    seal_outcome(self._sealer, park.outcome),
                ),
            )
        failpoints.hit("park.committed")

    def end(self, space_id: int, now: float) -> None:
        """End the space's wait. The time it waited does not count as delivery time."""
        with self._file.transaction():
            self.ended(space_id, now)

    def ended(self, space_id: int, now: float) -> None:
        """End the space's wait as a part of the transaction under way; as end() does."""
        self._db.execute(
            "UPDATE jobs SET parked_s = parked_s + max(0, ? - max(accepted_at,"
            " (SELECT parked_at FROM parks WHERE space_id = ?)))"
            " WHERE lane_id IN (SELECT lane_id FROM lanes WHERE space_id = ?)"
            " AND EXISTS (SELECT 1 FROM parks WHERE space_id = ?)",
            (now, space_id, space_id, space_id),
        )
        self._db.execute("DELETE FROM parks WHERE space_id = ?", (space_id,))

    def all(self) -> list[Park]:
        """Every space that waits. A damaged park is dropped: asking mem9 tells the same."""
        parks = []
        for space_id, reason, parked_at, until, step, sealed in self._db.execute(
            "SELECT space_id, reason, parked_at, until, step, sealed FROM parks"
        ).fetchall():
            outcome = open_outcome(self._sealer, sealed)
            if outcome is None:
                with self._file.transaction():
                    self._db.execute("DELETE FROM parks WHERE space_id = ?", (space_id,))
            else:
                parks.append(Park(space_id, reason, parked_at, until, step, outcome))
        return parks
