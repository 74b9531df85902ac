"""What must not be kept for ever: jobs past their deadline, and old dead letters."""

from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.outcomes import seal_outcome

# Time in which a space was parked does not count, and a parked space's jobs never expire.
_OVERDUE = (
    "accepted_at + parked_s < :before AND lane_id NOT IN"
    " (SELECT lane_id FROM lanes JOIN parks USING (space_id))"
)


class Retention:
    """Sets overdue jobs aside and forgets dead letters; counts both. Never touches what is sent."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db
        self._sealer = journal.sealer

    def expire(self, now: float, *, deadline_s: float) -> tuple[int, set[int]]:
        """Make dead letters of jobs accepted more than *deadline_s* ago (0: never).

        Returns how many, and the lanes that have changed.
        """
        if not deadline_s:
            return 0, set()
        before = now - deadline_s
        # Waiting, or in a batch whose next attempt is still to come: never one in flight.
        overdue = (
            f"{_OVERDUE} AND (state = 0 OR (state = 1 AND batch_row IN"
            " (SELECT batch_row FROM batches WHERE state = 2)))"
        )
        lanes = {
            row[0]
            for row in self._db.execute(
                f"SELECT DISTINCT lane_id FROM jobs WHERE {overdue}", {"before": before}
            )
        }
        if not lanes:
            return 0, set()
        outcome = Outcome(
            error_type=ErrorType.DEADLINE_EXCEEDED,
            error="not delivered within delivery_deadline",
        )
        with self._journal.counted():
            expired = self._db.execute(
                "UPDATE jobs SET state = 4, batch_row = NULL, finished_at = :now,"
                f" sealed_outcome = :outcome WHERE {overdue}",
                {"before": before, "now": now, "outcome": seal_outcome(self._sealer, outcome)},
            ).rowcount
            self._db.execute(
                "DELETE FROM batches WHERE NOT EXISTS"
                " (SELECT 1 FROM jobs WHERE jobs.batch_row = batches.batch_row)"
            )
            self._file.count("dead", expired)
        return expired, lanes

    def forget_dead(self, now: float, *, retention_s: float, max_bytes: int) -> tuple[int, int]:
        """Delete dead letters older than *retention_s*, then the oldest beyond *max_bytes*.

        Returns how many went for their age, and how many for their size.
        """
        with self._journal.counted():
            aged = self._db.execute(
                "DELETE FROM jobs WHERE state = 4 AND finished_at < ?", (now - retention_s,)
            ).rowcount
            crowded = self._db.execute(
                "DELETE FROM jobs WHERE seq IN (SELECT seq FROM (SELECT seq,"
                " sum(length(sealed)) OVER (ORDER BY finished_at DESC, seq DESC) AS kept"
                " FROM jobs WHERE state = 4) WHERE kept > ?)",
                (max_bytes,),
            ).rowcount
            self._file.count("expired", aged)
            self._file.count("discarded", crowded)
            self._file.count("dead", -(aged + crowded))
        return aged, crowded
