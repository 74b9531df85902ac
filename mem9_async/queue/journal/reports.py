"""Looking into the journal, and what a person may do with dead letters."""

from collections.abc import Iterable

from mem9_async.models.job import JobReport, JobState
from mem9_async.queue.journal.interventions import Interventions
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob
from mem9_async.queue.journal.sealed_outcomes import SPOILED, open_outcome
from mem9_async.queue.records import DeadSpace, SpaceStats, Waiting

_STATES = {0: JobState.AVAILABLE, 2: JobState.TAKEN, 4: JobState.DEAD, 5: JobState.CANCELLED}
_BATCH_STATES = {1: JobState.IN_FLIGHT, 2: JobState.RETRYABLE, 3: JobState.TAKEN}
_JOBS_AND_BATCHES = (
    "SELECT j.job_id, j.state, b.state, j.accepted_at, coalesce(b.attempts, 0), b.due_at,"
    " coalesce(b.sealed_outcome, j.sealed_outcome) FROM jobs j"
    " JOIN lanes l ON l.lane_id = j.lane_id LEFT JOIN batches b ON b.batch_row = j.batch_row"
    " WHERE l.space_id = ?"
)
_DEAD = (
    "WHERE state = 4 AND lane_id IN (SELECT lane_id FROM lanes WHERE space_id = :space_id)"
    " AND (:job_id IS NULL OR job_id = :job_id)"
)


class Reports:
    """What one space may be shown of the journal: its own jobs only."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._db = journal.file.db
        self._addresses = journal.addresses
        self._sealer = journal.sealer
        self._interventions = Interventions(journal)

    def stats(self, space_id: int, *, parked: bool, now: float, errors: int) -> SpaceStats:
        """Count the space's jobs by state; its deepest lanes; its newest *errors* failures."""
        counts = dict.fromkeys(JobState, 0)
        oldest: float | None = None
        for job_state, batch_state, amount, first in self._db.execute(
            "SELECT j.state, b.state, count(*), min(j.accepted_at) FROM lanes l"
            " JOIN jobs j ON j.lane_id = l.lane_id"
            " LEFT JOIN batches b ON b.batch_row = j.batch_row"
            " WHERE l.space_id = ? GROUP BY j.state, b.state",
            (space_id,),
        ):
            state = state_of(job_state, batch_state, parked=parked)
            counts[state] += amount
            if state not in (JobState.DEAD, JobState.CANCELLED, JobState.TAKEN):
                oldest = first if oldest is None else min(oldest, first)
        lanes = self._db.execute(
            "SELECT l.lane_id, count(*), min(j.accepted_at) FROM lanes l"
            " JOIN jobs j ON j.lane_id = l.lane_id AND j.state IN (0, 1)"
            " WHERE l.space_id = ? GROUP BY l.lane_id ORDER BY 2 DESC LIMIT 20",
            (space_id,),
        ).fetchall()
        failed = self._db.execute(
            f"{_JOBS_AND_BATCHES} AND (j.state = 4 OR b.sealed_outcome IS NOT NULL)"
            " ORDER BY coalesce(j.finished_at, b.due_at) DESC LIMIT ?",
            (space_id, errors),
        ).fetchall()
        return SpaceStats(
            counts=counts,
            oldest_at=oldest,
            lanes=tuple(lanes),
            last_errors=tuple(self._report(row, parked=parked, now=now) for row in failed),
        )

    def find(self, space_id: int, job_id: str, *, parked: bool, now: float) -> JobReport | None:
        """One job of the space; None if it is not here (delivered, or never was)."""
        try:
            key = bytes.fromhex(job_id)
        except ValueError:
            return None
        row = self._db.execute(f"{_JOBS_AND_BATCHES} AND j.job_id = ?", (space_id, key)).fetchone()
        return None if row is None else self._report(row, parked=parked, now=now)

    def newest(self, space_id: int, *, limit: int) -> list[Waiting]:
        """Open the space's newest undelivered jobs, newest first.

        What cannot be read is passed over: it is set aside when its turn to be sent comes.
        """
        # The index alone finds which; only those rows are read.
        rows = self._db.execute(
            f"SELECT {SEALED_COLUMNS} FROM jobs WHERE seq IN"
            " (SELECT j.seq FROM lanes l JOIN jobs j ON j.lane_id = l.lane_id"
            "  AND j.state IN (0, 1, 2) WHERE l.space_id = ? ORDER BY j.seq DESC LIMIT ?)"
            " ORDER BY seq DESC",
            (space_id, limit),
        ).fetchall()
        opened = []
        for job in (SealedJob(*columns) for columns in rows):
            known = self._addresses.readable(job.lane_id)
            if known is None or known.lane is None:
                continue
            payload = job.open(self._sealer, known.digest)
            if payload is not None:
                opened.append(Waiting(job.job_id.hex(), known.lane, payload, job.accepted_at))
        return opened

    def states(self, space_id: int, job_ids: Iterable[str], *, parked: bool) -> dict[str, JobState]:
        """The state of those of *job_ids* that are here and still on their way."""
        found = {}
        for job_id in job_ids:
            row = self._db.execute(
                f"{_JOBS_AND_BATCHES} AND j.job_id = ? AND j.state IN (0, 1, 2)",
                (space_id, bytes.fromhex(job_id)),
            ).fetchone()
            if row is not None:
                found[job_id] = state_of(row[1], row[2], parked=parked)
        return found

    def dead_spaces(self) -> list[DeadSpace]:
        """Every space that has dead letters."""
        newest = self._db.execute(
            # A bare column of a query with max() is that of the row which has it.
            "SELECT space_id, max(finished_at), sealed_outcome FROM jobs JOIN lanes USING (lane_id)"
            " WHERE finished_at IS NOT NULL AND state = 4 GROUP BY space_id"
        ).fetchall()
        return [
            DeadSpace(space_id, open_outcome(self._sealer, sealed) or SPOILED, at)
            for space_id, at, sealed in newest
        ]

    def dead(self, space_id: int) -> int:
        """How many dead letters the space has."""
        count: int = self._db.execute(
            "SELECT count(*) FROM lanes l JOIN jobs j ON j.lane_id = l.lane_id AND j.state = 4"
            " WHERE l.space_id = ?",
            (space_id,),
        ).fetchone()[0]
        return count

    def replay(self, space_id: int, job_id: str | None, now: float) -> tuple[int, list[int]]:
        """Put the space's dead letters (or one) back in line; return how many, and the lanes.

        A dead letter whose equal waits already is not sent twice: it is dropped and counted.
        A *job_id* that no job can have is none of them.
        """
        try:
            key = None if job_id is None else bytes.fromhex(job_id)
        except ValueError:
            return 0, []
        chosen = {"space_id": space_id, "job_id": key}
        found = self._db.execute(f"SELECT job_id FROM jobs {_DEAD} ORDER BY seq", chosen).fetchall()
        replayed, lanes = self._interventions.replay((letter for (letter,) in found), now)
        return replayed, sorted(lanes)

    def _report(self, row: tuple[object, ...], *, parked: bool, now: float) -> JobReport:
        job_id, job_state, batch_state, accepted_at, attempts, due_at, sealed = row
        state = state_of(job_state, batch_state, parked=parked)
        outcome = open_outcome(self._sealer, sealed) if isinstance(sealed, bytes) else None
        waits = state is JobState.RETRYABLE and isinstance(due_at, float)
        references = self._journal.history.references([job_id] if isinstance(job_id, bytes) else [])
        return JobReport(
            reference=next(iter(references.values()), None),
            job_id=job_id.hex() if isinstance(job_id, bytes) else str(job_id),
            state=state,
            age_s=round(max(0.0, now - float(str(accepted_at))), 3),
            attempts=int(str(attempts)),
            next_attempt_in_s=round(max(0.0, float(str(due_at)) - now), 3) if waits else None,
            error_type=str(outcome.error_type) if outcome and outcome.error_type else None,
            error=(outcome.detail or outcome.error) if outcome else None,
        )


def state_of(job_state: object, batch_state: object, *, parked: bool) -> JobState:
    """Where a job is, by the state of its row and of its batch's."""
    # A job's row says which list it is on; its batch whether it is being sent.
    if isinstance(batch_state, int):
        state = _BATCH_STATES[batch_state]
    else:
        state = _STATES[int(str(job_state))]
    if parked and state in (JobState.AVAILABLE, JobState.RETRYABLE):
        return JobState.PARKED
    return state
