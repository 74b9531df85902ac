"""Finding jobs by what a person knows of them, a bounded number of rows at a time."""

from collections.abc import Callable
from dataclasses import dataclass

from mem9_async.models.inspection import JobFilter, JobRow, JobStory
from mem9_async.models.job import JobState
from mem9_async.models.outcome import Outcome
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.reports import state_of
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob
from mem9_async.queue.journal.sealed_outcomes import open_outcome

_SLICE = 500
_NEWEST = b"\xff" * 16
_STATES = {
    JobState.AVAILABLE: "j.state = 0",
    JobState.IN_FLIGHT: "b.state = 1",
    JobState.RETRYABLE: "b.state = 2",
    JobState.PARKED: "(j.state = 0 OR b.state = 2)",
    JobState.TAKEN: "j.state = 2",
    JobState.DEAD: "j.state = 4",
    JobState.CANCELLED: "j.state = 5",
}
_COLUMNS = (
    "SELECT j.job_id, j.state, b.state, j.accepted_at, coalesce(b.attempts, 0), b.due_at,"
    " coalesce(b.sealed_outcome, j.sealed_outcome), j.size, j.lane_id, l.space_id FROM jobs j"
    " JOIN lanes l ON l.lane_id = j.lane_id LEFT JOIN batches b ON b.batch_row = j.batch_row"
)


@dataclass(frozen=True, slots=True)
class _Found:
    """One row of _COLUMNS."""

    job_id: bytes
    job_state: int
    batch_state: int | None
    accepted_at: float
    attempts: int
    due_at: float | None
    outcome: bytes | None
    size: int
    lane_id: int
    space_id: int


@dataclass(frozen=True, slots=True)
class Slice:
    """What a bounded number of rows gave; `after` goes on behind them, None at the end."""

    jobs: tuple[JobRow, ...]
    after: bytes | None


class Selection:
    """The jobs of one journal, whoever they belong to, the newest first."""

    def __init__(self, journal: Journal, is_parked: Callable[[int], bool]) -> None:
        """*is_parked* says whether a space waits for something outside, or for a person."""
        self._journal = journal
        self._db = journal.file.db
        self._addresses = journal.addresses
        self._is_parked = is_parked

    def slice(self, wanted: JobFilter, after: bytes | None, now: float, most: int) -> Slice:
        """The next at most *most* jobs that match, of the next rows behind *after*."""
        conditions, values = self._conditions(wanted, now)
        rows = self._db.execute(
            f"{_COLUMNS} WHERE j.job_id < ? AND {conditions} ORDER BY j.job_id DESC LIMIT ?",
            (after or _NEWEST, *values, _SLICE),
        ).fetchall()
        found: list[JobRow] = []
        for row in rows:
            if (job := self._row(_Found(*row), wanted, now)) is None:
                continue
            found.append(job)
            if len(found) == most:
                return Slice(tuple(found), row[0])
        return Slice(tuple(found), rows[-1][0] if len(rows) == _SLICE else None)

    def _conditions(self, wanted: JobFilter, now: float) -> tuple[str, list[object]]:
        conditions, values = ["1"], list[object]()
        if wanted.states:
            conditions.append(f"({' OR '.join(_STATES[state] for state in wanted.states)})")
        if wanted.space is not None:
            conditions.append(f"l.space_id IN ({_numbers(self.spaces(wanted.space))})")
        if wanted.lane is not None:
            conditions.append(f"j.lane_id IN ({_numbers(self._lanes(wanted.lane))})")
        if wanted.older_than_s is not None:
            conditions.append("j.accepted_at <= ?")
            values.append(now - wanted.older_than_s)
        ids = [bytes.fromhex(job_id) for job_id in wanted.job_ids]
        if wanted.reference is not None:
            referring = self._journal.history.referring(wanted.reference)
            ids = [each for each in referring if not ids or each in ids]
        if wanted.job_ids or wanted.reference is not None:
            conditions.append(f"j.job_id IN ({', '.join('?' * len(ids))})")
            values += ids
        return " AND ".join(conditions), values

    def spaces(self, fingerprint: str) -> list[int]:
        """The numbers of the spaces that go by this fingerprint."""
        rows = self._db.execute("SELECT space_id FROM spaces").fetchall()
        return [each for (each,) in rows if self._addresses.space_name(each) == fingerprint]

    def _lanes(self, fingerprint: str) -> list[int]:
        rows = self._db.execute("SELECT lane_id FROM lanes").fetchall()
        return [each for (each,) in rows if self._addresses.names(each)[1] == fingerprint]

    def _row(self, found: _Found, wanted: JobFilter, now: float) -> JobRow | None:
        state = state_of(found.job_state, found.batch_state, parked=self._is_parked(found.space_id))
        if wanted.states and state not in wanted.states:
            return None
        why = self._outcome(found)
        error_type = str(why.error_type) if why and why.error_type else None
        if wanted.error_type is not None and error_type != wanted.error_type:
            return None
        space, lane = self._addresses.names(found.lane_id)
        waits = state is JobState.RETRYABLE and found.due_at is not None
        return JobRow(
            job_id=found.job_id.hex(),
            state=state,
            lane=lane,
            space=space,
            age_s=round(max(0.0, now - found.accepted_at), 3),
            bytes=found.size,
            attempts=found.attempts,
            error_type=error_type,
            reference=self._journal.history.references([found.job_id]).get(found.job_id),
            next_attempt_in_s=round(max(0.0, (found.due_at or now) - now), 3) if waits else None,
        )

    def _outcome(self, found: _Found) -> Outcome | None:
        if found.outcome is None:
            return None
        return open_outcome(self._journal.sealer, found.outcome)

    def find(self, job_id: bytes, now: float) -> JobStory | None:
        """One job as it stands, without its history; None when it is not here."""
        row = self._db.execute(f"{_COLUMNS} WHERE j.job_id = ?", (job_id,)).fetchone()
        if row is None or (found := self._row(_Found(*row), JobFilter(), now)) is None:
            return None
        why = self._outcome(_Found(*row))
        words = (why.sentence or why.error) if why else None
        return JobStory(**found.model_dump(), error=words)

    def content(self, job_id: bytes) -> tuple[str, str | None] | None:
        """A job's kind and what it says (None when it does not open); None when it is not here."""
        row = self._db.execute(
            f"SELECT {SEALED_COLUMNS} FROM jobs WHERE job_id = ?", (job_id,)
        ).fetchone()
        if row is None:
            return None
        job = SealedJob(*row)
        known = self._addresses.readable(job.lane_id)
        payload = job.open(self._journal.sealer, known.digest) if known else None
        return "pinned" if job.pinned else "turn", payload.text if payload else None

    def counts(self) -> dict[JobState, int]:
        """How many jobs there are in each state."""
        counts = dict.fromkeys(JobState, 0)
        for job_state, batch_state, space_id, amount in self._db.execute(
            "SELECT j.state, b.state, l.space_id, count(*) FROM jobs j"
            " JOIN lanes l ON l.lane_id = j.lane_id LEFT JOIN batches b ON b.batch_row ="
            " j.batch_row GROUP BY j.state, b.state, l.space_id"
        ):
            counts[state_of(job_state, batch_state, parked=self._is_parked(space_id))] += amount
        return counts


def _numbers(found: list[int]) -> str:
    return ", ".join(map(str, found))
