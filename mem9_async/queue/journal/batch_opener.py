"""From sealed rows to what is sent; what fails its integrity check is set aside."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import structlog

from mem9_async.models.batch import Batch
from mem9_async.models.job import Payload, Turn
from mem9_async.models.outcome import Confirmation, ErrorType
from mem9_async.queue.facts import expected_facts
from mem9_async.queue.journal.errors import JournalError
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.lane_registry import Addresses
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob
from mem9_async.queue.journal.sealed_outcomes import SPOILED, seal_outcome
from mem9_async.queue.records import Frozen, KnownLane
from mem9_async.queue.sealing import SealBroken, Sealer

log = structlog.get_logger()


class Opener:
    """Opens the frozen batches of one journal. *leaving* is its transaction for jobs that leave."""

    def __init__(
        self,
        file: JournalFile,
        addresses: Addresses,
        sealer: Sealer,
        *,
        confirmation: Confirmation,
        leaving: Callable[[], AbstractContextManager[None]],
        references: Callable[[Iterable[bytes]], dict[bytes, str]],
    ) -> None:
        self._file = file
        self._db = file.db
        self._addresses = addresses
        self._sealer = sealer
        self._confirmation = confirmation
        self._leaving = leaving
        self._references = references

    def can_open(self, lane_id: int) -> bool:
        """Whether the lane's address is intact; if not, all its jobs are dead letters now.

        Raises JournalError while the key of its space is not known.
        """
        try:
            known = self._addresses.lane(lane_id)
        except SealBroken:
            self.spoil_lane(lane_id)
            return False
        if known.lane is None:
            raise JournalError("the key of this lane's space is not known")
        return True

    def spoil_lane(self, lane_id: int) -> None:
        """Set everything of the lane aside: nobody can tell any more where it was to go."""
        with self._leaving():
            lost = self._db.execute(
                # When it was damaged is not known either.
                "UPDATE jobs SET state = 4, batch_row = NULL, finished_at = accepted_at,"
                " sealed_outcome = ? WHERE lane_id = ? AND state IN (0, 1)",
                (seal_outcome(self._sealer, SPOILED), lane_id),
            ).rowcount
            # What mem9 has taken is not lost by that; it cannot be sent again, so it is let go.
            taken = self._db.execute(
                "DELETE FROM jobs WHERE lane_id = ? AND state = 2", (lane_id,)
            ).rowcount
            self._db.execute("DELETE FROM batches WHERE lane_id = ?", (lane_id,))
            self._file.count_dead(ErrorType.PAYLOAD_MISMATCH, lost)
            self._file.count("unconfirmed", taken)
        log.error("job.dead_lettered", error_type=ErrorType.PAYLOAD_MISMATCH, jobs=lost)

    def fitting(self, lane_id: int, seqs: list[int], max_facts: int | None) -> int:
        """How many of the lane's jobs *seqs*, from the first on, may share a request: at least one.

        They give at most *max_facts* facts (mem9 keeps the first fifty of a request and says
        nothing of the rest), and are alike in whether their messages are kept as they were said.
        """
        known = self._addresses.lane(lane_id)
        facts = 0
        keep_raw: bool | None = None
        for number, seq in enumerate(seqs):
            row = self._db.execute(
                f"SELECT {SEALED_COLUMNS} FROM jobs WHERE seq = ?", (seq,)
            ).fetchone()
            payload = SealedJob(*row).open(self._sealer, known.digest)
            if payload is None:
                continue
            facts += expected_facts(payload)
            wanted = isinstance(payload, Turn) and payload.keep_raw
            if number and (
                (max_facts is not None and facts > max_facts) or keep_raw not in (None, wanted)
            ):
                return number
            keep_raw = wanted
        return len(seqs)

    def open(self, row: int, next_at: float | None, now: float) -> Frozen | None:
        """The frozen batch *row*, without the jobs that cannot be read; None if it is gone.

        Its batch is empty when none of its jobs can be read; then it is gone from now on.
        """
        found = self._db.execute(
            "SELECT batch_id, lane_id, attempts, first_attempt_at, maybe_sent, from_split"
            " FROM batches WHERE batch_row = ?",
            (row,),
        ).fetchone()
        if found is None:
            return None
        batch_id, lane_id, attempts, first_at, maybe_sent, from_split = found
        known = self._addresses.lane(lane_id)
        if known.lane is None:
            raise JournalError("the key of this lane's space is not known")
        jobs, lost = self._jobs(row, known.digest)
        if lost:
            self._set_aside(row, lost, known, now, empty=not jobs)
        return Frozen(
            row=row,
            lane_id=lane_id,
            space_id=known.space_id,
            batch=Batch(
                batch_id=batch_id.hex(),
                lane=known.lane,
                job_ids=tuple(job.job_id.hex() for job, _ in jobs),
                payloads=tuple(payload for _, payload in jobs),
                attempt=attempts,
                confirmation=self._confirmation,
            ),
            size=sum(job.size for job, _ in jobs),
            oldest_at=jobs[0][0].accepted_at if jobs else now,
            first_attempt_at=first_at,
            maybe_sent=bool(maybe_sent),
            from_split=bool(from_split),
            lane_name=known.fingerprint,
            space_name=self._addresses.space_name(known.space_id),
            next_at=next_at,
            lost=len(lost),
            lost_size=sum(job.size for job in lost),
            references=self._of(jobs),
        )

    def _jobs(
        self, row: int, lane_digest: bytes
    ) -> tuple[list[tuple[SealedJob, Payload]], list[SealedJob]]:
        """The batch's jobs that can be read, each with what it says, and those that cannot."""
        jobs: list[tuple[SealedJob, Payload]] = []
        lost: list[SealedJob] = []
        for columns in self._db.execute(
            f"SELECT {SEALED_COLUMNS} FROM jobs WHERE batch_row = ? ORDER BY seq", (row,)
        ).fetchall():
            job = SealedJob(*columns)
            payload = job.open(self._sealer, lane_digest)
            if payload is None:
                lost.append(job)
            else:
                jobs.append((job, payload))
        return jobs, lost

    def _of(self, jobs: list[tuple[SealedJob, Payload]]) -> tuple[str, ...]:
        found = self._references(job.job_id for job, _ in jobs)
        return tuple(dict.fromkeys(found.values()))

    def _set_aside(
        self, row: int, lost: list[SealedJob], known: KnownLane, now: float, *, empty: bool
    ) -> None:
        # What was changed on the disk must not be sent, and must not hold up the others either.
        outcome = seal_outcome(self._sealer, SPOILED)
        with self._leaving():
            self._db.executemany(
                "UPDATE jobs SET state = 4, batch_row = NULL, finished_at = ?, sealed_outcome = ?"
                " WHERE job_id = ?",
                [(now, outcome, job.job_id) for job in lost],
            )
            if empty:
                self._db.execute("DELETE FROM batches WHERE batch_row = ?", (row,))
            self._file.count_dead(ErrorType.PAYLOAD_MISMATCH, len(lost))
        log.error(
            "job.dead_lettered",
            job_ids=[job.job_id.hex() for job in lost],
            error_type=ErrorType.PAYLOAD_MISMATCH,
            lane=known.fingerprint,
            space=self._addresses.space_name(known.space_id),
            jobs=len(lost),
        )
