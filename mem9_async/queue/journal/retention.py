"""What must not be kept for ever: jobs past their deadline, and old dead letters.

Ages are measured by the wall clock of the process's start, and that may be wrong: started in
2099, every job is past its deadline. Normally a row goes within a minute of its time. One that
is late by more than a day was not looked after for a day, or the clock is wrong, now or when it
was written. Nobody can tell which, so such rows wait until this journal has been open for a
full deadline (or retention) more, counted by the monotonic clock.
"""

import time
from collections.abc import Callable

import structlog

from mem9_async.models.history import Step, StepKind
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.sealed_outcomes import seal_outcome

log = structlog.get_logger()

_LATE_S = 24 * 3600.0

# Time in which a space was parked does not count, and a parked space's jobs never expire.
_OVERDUE = (
    "accepted_at + parked_s < :before AND accepted_at + parked_s >= :believed AND lane_id NOT IN"
    " (SELECT lane_id FROM lanes JOIN parks USING (space_id))"
)


class Retention:
    """Sets overdue jobs aside and forgets dead letters; counts both. Never touches what is sent."""

    def __init__(
        self, journal: Journal, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db
        self._sealer = journal.sealer
        self._late_jobs = _Lateness(journal.file, "late_jobs_s", monotonic)
        self._late_letters = _Lateness(journal.file, "late_letters_s", monotonic)

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
        found = self._db.execute(
            "SELECT lane_id, min(accepted_at + parked_s), max(accepted_at + parked_s)"
            f" FROM jobs WHERE {overdue} GROUP BY lane_id",
            {"before": before, "believed": float("-inf")},
        ).fetchall()
        oldest = min((first for _, first, _ in found), default=before)
        believed = self._late_jobs.believed(oldest, before, deadline_s)
        lanes = {lane_id for lane_id, _, last in found if last >= believed}
        if not lanes:
            return 0, set()
        outcome = Outcome(
            error_type=ErrorType.DEADLINE_EXCEEDED,
            error="not delivered within delivery_deadline",
        )
        with self._journal.numbering.leaving():
            self._tell(overdue, {"before": before, "believed": believed}, now)
            expired = self._db.execute(
                "UPDATE jobs SET state = 4, batch_row = NULL, finished_at = :now,"
                f" sealed_outcome = :outcome WHERE {overdue}",
                {
                    "before": before,
                    "believed": believed,
                    "now": now,
                    "outcome": seal_outcome(self._sealer, outcome),
                },
            ).rowcount
            self._db.execute(
                "DELETE FROM batches WHERE NOT EXISTS"
                " (SELECT 1 FROM jobs WHERE jobs.batch_row = batches.batch_row)"
            )
            self._file.count_dead("deadline_exceeded", expired)
        return expired, lanes

    def _tell(self, overdue: str, chosen: dict[str, float], now: float) -> None:
        found: dict[int, list[bytes]] = {}
        for lane_id, job_id in self._db.execute(
            f"SELECT lane_id, job_id FROM jobs WHERE {overdue} ORDER BY seq", chosen
        ):
            found.setdefault(lane_id, []).append(job_id)
        step = Step(StepKind.DEAD, now, reason=ErrorType.DEADLINE_EXCEEDED)
        for lane_id, job_ids in found.items():
            self._journal.history.add(step, job_ids, lane_id)

    def forget_dead(self, now: float, *, retention_s: float, max_bytes: int) -> tuple[int, int]:
        """Delete dead letters older than *retention_s*, then the oldest beyond *max_bytes*.

        Returns how many went for their age, and how many for their size.
        """
        before = now - retention_s
        oldest = self._db.execute(
            "SELECT finished_at FROM jobs WHERE state = 4 AND finished_at < ?"
            " ORDER BY finished_at LIMIT 1",
            (before,),
        ).fetchone()
        believed = self._late_letters.believed(oldest[0] if oldest else before, before, retention_s)
        with self._journal.numbering.leaving():
            aged = self._db.execute(
                "DELETE FROM jobs WHERE state = 4 AND finished_at < ? AND finished_at >= ?",
                (before, believed),
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


class _Lateness:
    """For how long a journal has been open with rows whose age is hard to believe.

    Kept in the journal under *name*, so that frequent restarts do not begin it anew.
    """

    def __init__(self, file: JournalFile, name: str, monotonic: Callable[[], float]) -> None:
        self._file = file
        self._db = file.db
        self._name = name
        self._monotonic = monotonic
        self._at: float | None = None

    def believed(self, oldest: float, before: float, wanted_s: float) -> float:
        """From when on a time in the past is taken for what it says, UTC epoch seconds.

        *oldest* is the oldest row that should have gone at *before*. If that is more than a day
        ago, such rows are believed once the journal has been open for *wanted_s* with them.
        """
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (self._name,)).fetchone()
        if oldest >= before - _LATE_S:
            self._at = None
            if row is not None:
                with self._file.transaction():
                    self._db.execute("DELETE FROM meta WHERE name = ?", (self._name,))
            return float("-inf")
        now = self._monotonic()
        waited_s = 0.0 if row is None else float(row[0])
        if self._at is not None:
            waited_s += now - self._at
        elif row is None:
            log.warning(
                "clock.jumped",
                duration_s=round(before - oldest, 1),
                reason="jobs too old to be believed: kept as long again as they may be kept",
            )
        self._at = now
        if waited_s >= wanted_s:
            return float("-inf")
        with self._file.transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (self._name, waited_s))
        return before - _LATE_S
