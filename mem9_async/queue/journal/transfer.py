"""Jobs out of a journal and into another, as lines of text: for a backup, or a look elsewhere.

What is sealed stays so: a line can be taken back only where the same sealing key is. Batches do not
travel: what was in one waits by itself again.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mem9_async.models.inspection import Exported, ExportedJob
from mem9_async.models.job import JobState
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.numbering import OWN_FIRST_SEQ
from mem9_async.queue.journal.reports import state_of
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob

_LOWEST = -(1 << 62)
_NOT_TAKEN_BACK = {JobState.TAKEN, JobState.CANCELLED}  # mem9 has the one; nobody wants the other


@dataclass(frozen=True, slots=True)
class _Place:
    """What stands around a sealed job."""

    job_state: int
    batch_state: int | None
    parked_s: float
    finished_at: float | None
    dedup: bytes
    outcome: bytes | None
    lane_digest: bytes
    sealed_lane: bytes
    space_digest: bytes
    sealed_space: bytes
    space_id: int


class Foreign(Exception):
    """The line was sealed with another key."""


class Transfer:
    """Writes one journal's jobs as lines, oldest first, and takes lines in."""

    def __init__(self, journal: Journal, is_parked: Callable[[int], bool]) -> None:
        self._journal = journal
        self._db = journal.file.db
        self._sealer = journal.sealer
        self._is_parked = is_parked

    def page(self, after: int | None, limit: int, *, content: bool) -> Exported:
        """The next *limit* jobs behind the number *after*; with *content*, what they say."""
        rows = self._db.execute(
            f"SELECT jobs.state, b.state, jobs.parked_s, jobs.finished_at, jobs.dedup,"
            " coalesce(b.sealed_outcome, jobs.sealed_outcome), l.digest, l.sealed, s.digest,"
            f" s.sealed, l.space_id, {SEALED_COLUMNS} FROM jobs"
            " JOIN lanes l ON l.lane_id = jobs.lane_id JOIN spaces s ON s.space_id = l.space_id"
            " LEFT JOIN batches b ON b.batch_row = jobs.batch_row"
            " WHERE jobs.seq > ? ORDER BY jobs.seq LIMIT ?",
            (_LOWEST if after is None else after, limit),
        ).fetchall()
        jobs = tuple(
            self._line(SealedJob(*row[11:]), _Place(*row[:11]), content=content) for row in rows
        )
        return Exported(jobs=jobs, after=jobs[-1].seq if len(jobs) == limit else None)

    def _line(self, job: SealedJob, place: "_Place", *, content: bool) -> ExportedJob:
        space, lane = self._journal.addresses.names(job.lane_id)
        payload = job.open(self._sealer, place.lane_digest) if content else None
        return ExportedJob(
            job_id=job.job_id.hex(),
            state=state_of(
                place.job_state, place.batch_state, parked=self._is_parked(place.space_id)
            ),
            space=space,
            lane=lane,
            accepted_at=job.accepted_at,
            pinned=bool(job.pinned),
            bytes=job.size,
            seq=job.seq,
            parked_s=place.parked_s,
            finished_at=place.finished_at,
            reference=self._journal.history.references([job.job_id]).get(job.job_id),
            dedup=_text(place.dedup),
            sealed=_text(job.sealed),
            sealed_lane=_text(place.sealed_lane),
            lane_digest=_text(place.lane_digest),
            sealed_space=_text(place.sealed_space),
            space_digest=_text(place.space_digest),
            sealed_outcome=None if place.outcome is None else _text(place.outcome),
            kind="pinned" if job.pinned else "turn",
            content=payload.text if payload else None,
        )

    def take(self, lines: Iterable[ExportedJob]) -> int:
        """Put *lines* behind each other into this journal, which must be new; return how many.

        Raises Foreign, and then none of them was taken. What mem9 had taken already is left out.
        """
        taken = 0
        with self._journal.file.transaction():
            for number, line in enumerate(lines):
                state = JobState(line.state)
                if state in _NOT_TAKEN_BACK:
                    continue
                lane_digest = b64decode(line.lane_digest)
                seq = OWN_FIRST_SEQ + number
                job = SealedJob(
                    0,
                    bytes.fromhex(line.job_id),
                    line.seq,
                    line.pinned,
                    line.bytes,
                    line.accepted_at,
                    b64decode(line.sealed),
                )
                if job.open(self._sealer, lane_digest) is None:
                    raise Foreign(line.job_id)
                dead = state is JobState.DEAD
                outcome = line.sealed_outcome
                added = self._db.execute(
                    "INSERT INTO jobs (seq, job_id, lane_id, state, pinned, size, accepted_at,"
                    " parked_s, finished_at, dedup, sealed, sealed_outcome)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        seq,
                        job.job_id,
                        self._lane(line, lane_digest),
                        4 if dead else 0,
                        line.pinned,
                        line.bytes,
                        line.accepted_at,
                        line.parked_s,
                        line.finished_at if dead else None,
                        b64decode(line.dedup),
                        job.moved(self._sealer, lane_digest, lane_digest, seq),
                        b64decode(outcome) if dead and outcome else None,
                    ),
                ).rowcount
                taken += added
                if added and line.reference is not None:
                    self._journal.history.refer(job.job_id, line.reference)
        return taken

    def _lane(self, line: ExportedJob, lane_digest: bytes) -> int:
        space_digest = b64decode(line.space_digest)
        self._db.execute(
            "INSERT OR IGNORE INTO spaces (digest, sealed) VALUES (?, ?)",
            (space_digest, b64decode(line.sealed_space)),
        )
        self._db.execute(
            "INSERT OR IGNORE INTO lanes (digest, space_id, sealed)"
            " SELECT ?, space_id, ? FROM spaces WHERE digest = ?",
            (lane_digest, b64decode(line.sealed_lane), space_digest),
        )
        lane_id: int = self._db.execute(
            "SELECT lane_id FROM lanes WHERE digest = ?", (lane_digest,)
        ).fetchone()[0]
        return lane_id


def _text(data: bytes) -> str:
    return b64encode(data).decode()
