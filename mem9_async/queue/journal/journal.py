"""The durable list of accepted jobs: append, freeze, restart, settle.

Verbs, not tables. Each verb is one transaction; when it returns, it is committed. With
`synchronous = NORMAL` a commit survives SIGKILL, with FULL a power cut too.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic_core import to_json

from mem9_async.models.history import Attempt, StepKind
from mem9_async.models.job import NewJob
from mem9_async.models.outcome import Confirmation, Outcome
from mem9_async.queue import failpoints
from mem9_async.queue.journal.batch_opener import Opener
from mem9_async.queue.journal.batch_rows import IN_FLIGHT, RETRYABLE, BatchRows
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.history import History
from mem9_async.queue.journal.lane_registry import Addresses
from mem9_async.queue.journal.numbering import Numbering
from mem9_async.queue.journal.observed import Observed
from mem9_async.queue.journal.parks import Parks
from mem9_async.queue.journal.sealed_jobs import job_place
from mem9_async.queue.journal.sealed_outcomes import seal_outcome
from mem9_async.queue.records import Appended, Frozen, FrozenRef, KnownLane
from mem9_async.queue.sealing import Sealer
from mem9_async.queue.uuid7 import uuid7

DEATHS_ALONE = 2  # from then on a job is sent alone: it may be what ends the process


class Journal:
    """One journal file. Every method belongs to the thread that opened it."""

    def __init__(
        self,
        path: Path | None,
        sealer: Sealer,
        *,
        durability: str = "process",
        persist_keys: bool = True,
        confirmation: Confirmation = Confirmation.ACCEPTED,
    ) -> None:
        """Open or create the journal at *path*, in memory only when None.

        Raises a JournalError that says why it cannot be used; the file is then untouched.
        """
        self.file = JournalFile(path, durability=durability, sealer=sealer)
        self.addresses = Addresses(self.file, sealer, persist_keys=persist_keys)
        self.parks = Parks(self.file, sealer)
        self.history = History(self.file, self.addresses.names)
        self.observed = Observed(self.file, self.addresses, sealer)
        self._db = self.file.db
        self.sealer = sealer
        self.batch_rows = BatchRows(self.file, self.history)
        self._unopened: dict[int, int] = {}
        try:
            self.numbering = Numbering(self.file)
        except BaseException:
            self.file.close()
            raise
        self._opener = Opener(
            self.file,
            self.addresses,
            sealer,
            confirmation=confirmation,
            leaving=self.numbering.leaving,
            references=self.history.references,
        )

    def close(self) -> None:
        """Close the file without draining it."""
        self.file.close()

    def counters(self) -> dict[str, int]:
        """Every counter since the journal began."""
        return self.numbering.counters()

    # Accepting

    def append(self, jobs: Sequence[NewJob], now: float) -> list[Appended]:
        """Commit *jobs* together and return one receipt each, in order.

        A job whose equal waits in the same lane is not added: its receipt names the other. One
        with an `event_id` has no equal but the job of the same event, waiting or gone.
        Raises JournalFull or JournalError, and then none of them was taken.
        """
        failpoints.hit("append.before")
        with self.file.transaction():
            appended = [self._append(job, now) for job in jobs]
            self.file.count("deduplicated", sum(each.deduplicated for each in appended))
            failpoints.hit("append.written")
        self.numbering.accepted(sum(not each.deduplicated for each in appended))
        failpoints.hit("append.committed")
        return appended

    def _append(self, job: NewJob, now: float) -> Appended:
        known = self.addresses.know(job.lane)
        data = to_json(job.payload)
        size = job.payload.size_bytes
        event = self.observed.event_of(job)
        if event is not None and (before := self.observed.job_of(event)) is not None:
            return _appended(before, known, size, deduplicated=True)
        dedup = event or self.sealer.digest(data, 16)
        job_id = uuid7()
        pinned = job.payload.kind == "pinned"
        place = job_place(
            known.digest, job_id, self.numbering.next_seq, pinned=pinned, size=size, accepted_at=now
        )
        inserted = self._db.execute(
            "INSERT INTO jobs"
            " (seq, job_id, lane_id, state, pinned, size, accepted_at, dedup, sealed)"
            " VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                self.numbering.next_seq,
                job_id,
                known.lane_id,
                pinned,
                size,
                now,
                dedup,
                self.sealer.seal(data, place),
            ),
        ).rowcount
        if inserted:
            self.numbering.next_seq += 1
            if job.reference is not None:
                self.history.refer(job_id, job.reference)
            if event is not None:
                self.observed.note(event, job_id, now)
        else:
            job_id = self._db.execute(
                "SELECT job_id FROM jobs WHERE lane_id = ? AND dedup = ? AND state = 0",
                (known.lane_id, dedup),
            ).fetchone()[0]
        return _appended(job_id, known, size, deduplicated=not inserted)

    # Sending

    def freeze(
        self,
        lane_id: int,
        *,
        max_jobs: int,
        max_bytes: int,
        now: float,
        max_facts: int | None = None,
    ) -> Frozen | None:
        """Make the lane's next jobs a batch, marked as being sent. None if nothing waits.

        Takes jobs in order up to the limits (at least one); a pinned job, or one that was
        in flight at two process deaths, goes alone. Jobs that fail their integrity check are
        set aside as dead letters; `Frozen.lost` says how many.
        """
        if (row := self._unopened.get(lane_id)) is not None:
            return self._open_at_last(lane_id, row, now)
        lost = lost_size = 0
        while True:
            found = self._freeze_next(lane_id, max_jobs, max_bytes, max_facts, now)
            if found is None or found.batch.job_ids:
                break
            lost, lost_size = lost + found.lost, lost_size + found.lost_size
        if found is None or not lost:
            return found
        return replace(found, lost=lost + found.lost, lost_size=lost_size + found.lost_size)

    def _freeze_next(
        self, lane_id: int, max_jobs: int, max_bytes: int, max_facts: int | None, now: float
    ) -> Frozen | None:
        rows = self._db.execute(
            "SELECT seq, pinned, size, deaths, accepted_at FROM jobs"
            " WHERE lane_id = ? AND state = 0 ORDER BY seq LIMIT ?",
            (lane_id, max_jobs + 1),
        ).fetchall()
        if not rows or not self._opener.can_open(lane_id):
            return None
        taken, total = 0, 0
        for _, pinned, size, deaths, _ in rows[:max_jobs]:
            alone = pinned or deaths >= DEATHS_ALONE
            if taken and (alone or total + size > max_bytes):
                break
            taken, total = taken + 1, total + size
            if alone:
                break
        if taken > 1:
            seqs = [row[0] for row in rows[:taken]]
            taken = self._opener.fitting(lane_id, seqs, max_facts)
        next_at = rows[taken][4] if taken < len(rows) else None
        failpoints.hit("freeze.before")
        with self.file.transaction():
            row = self.batch_rows.new(lane_id, rows[0][0], IN_FLIGHT, attempts=1, now=now)
            self._db.execute(
                "UPDATE jobs SET state = 1, batch_row = ?"
                " WHERE lane_id = ? AND state = 0 AND seq BETWEEN ? AND ?",
                (row, lane_id, rows[0][0], rows[taken - 1][0]),
            )
        failpoints.hit("freeze.committed")
        # Should it not open now, it must be opened before anything behind it is sent.
        self._unopened[lane_id] = row
        found = self._opener.open(row, next_at, now)
        del self._unopened[lane_id]
        return found

    def _open_at_last(self, lane_id: int, row: int, now: float) -> Frozen | None:
        behind = self._db.execute(
            "SELECT accepted_at FROM jobs WHERE lane_id = ? AND state = 0 ORDER BY seq LIMIT 1",
            (lane_id,),
        ).fetchone()
        found = self._opener.open(row, behind[0] if behind else None, now)
        del self._unopened[lane_id]
        return found

    def restart(self, row: int, now: float) -> Frozen | None:
        """Mark the frozen batch *row* as being sent again, one attempt more; None if it is gone.

        As in freeze(), jobs that fail their integrity check are set aside.
        """
        found_lane = self._db.execute(
            "SELECT lane_id FROM batches WHERE batch_row = ?", (row,)
        ).fetchone()
        if found_lane is None or not self._opener.can_open(found_lane[0]):
            return None
        with self.file.transaction():
            self._db.execute(
                "UPDATE batches SET state = ?, attempts = attempts + 1,"
                " first_attempt_at = iif(attempts = 0, ?, first_attempt_at) WHERE batch_row = ?",
                (IN_FLIGHT, now, row),
            )
        found = self._opener.open(row, None, now)
        return found if found is not None and found.batch.job_ids else None

    # Settling

    def delivered(
        self,
        row: int,
        *,
        redelivered: bool,
        taken_at: float | None = None,
        attempt: Attempt | None = None,
    ) -> None:
        """mem9 has taken the batch's jobs: forget them, or with *taken_at* keep them watched."""
        failpoints.hit("settle.before")
        with self.numbering.leaving():
            self.history.attempted(row, StepKind.DELIVERED, attempt, leaving=taken_at is None)
            if taken_at is None:
                jobs = self._db.execute("DELETE FROM jobs WHERE batch_row = ?", (row,)).rowcount
                self._db.execute("DELETE FROM batches WHERE batch_row = ?", (row,))
                self._db.execute("DELETE FROM takes WHERE batch_row = ?", (row,))
                self._db.execute("DELETE FROM ingests WHERE batch_row = ?", (row,))
            else:
                jobs = self._db.execute(
                    "UPDATE jobs SET state = 2, deaths = 0 WHERE batch_row = ?", (row,)
                ).rowcount
                self._db.execute(
                    "UPDATE batches SET state = 3, sealed_outcome = NULL WHERE batch_row = ?",
                    (row,),
                )
                self._db.execute(
                    "INSERT INTO takes VALUES (?, ?, ?, 0, NULL) ON CONFLICT (batch_row)"
                    " DO UPDATE SET taken_at = excluded.taken_at",
                    (row, taken_at, taken_at),
                )
            self.file.count("delivered", jobs)
            if redelivered:
                self.file.count("redelivered", jobs)
            failpoints.hit("settle.written")
        failpoints.hit("settle.committed")

    def retry(
        self,
        row: int,
        outcome: Outcome,
        *,
        due_at: float,
        costs_attempt: bool,
        attempt: Attempt | None = None,
    ) -> None:
        """Keep the batch as it is for another attempt at *due_at*."""
        with self.file.transaction():
            self.history.attempted(row, StepKind.RETRY, attempt, next_at=due_at)
            self._db.execute(
                "UPDATE batches SET state = ?, due_at = ?, attempts = attempts - ?,"
                " maybe_sent = maybe_sent OR ?, sealed_outcome = ? WHERE batch_row = ?",
                (
                    RETRYABLE,
                    due_at,
                    not costs_attempt,
                    outcome.maybe_sent,
                    seal_outcome(self.sealer, outcome),
                    row,
                ),
            )
        failpoints.hit("retry.committed")

    def spoil_lane(self, lane_id: int) -> None:
        """Set all jobs of a lane aside whose address failed its integrity check."""
        self._opener.spoil_lane(lane_id)

    def split(
        self,
        row: int,
        *,
        due_at: float,
        maybe_sent: bool = False,
        attempt: Attempt | None = None,
    ) -> tuple[FrozenRef, ...]:
        """Replace the batch by its halves, as BatchRows.split() does."""
        return self.batch_rows.split(row, due_at=due_at, maybe_sent=maybe_sent, attempt=attempt)

    def forgive(self) -> None:
        """The process is about to be ended: that says nothing against what is in flight now."""
        with self.file.transaction():
            self._db.execute(
                "UPDATE jobs SET deaths = min(deaths, 0) - 1 WHERE batch_row IN"
                " (SELECT batch_row FROM batches WHERE state = 1)"
            )

    def bury(
        self, row: int, outcome: Outcome, *, now: float, attempt: Attempt | None = None
    ) -> int:
        """Set the batch's jobs aside as dead letters; return how many."""
        with self.numbering.leaving():
            self.history.attempted(row, StepKind.DEAD, attempt, reason=outcome.error_type)
            buried = self._db.execute(
                "UPDATE jobs SET state = 4, batch_row = NULL, finished_at = ?, sealed_outcome = ?"
                " WHERE batch_row = ?",
                (now, seal_outcome(self.sealer, outcome), row),
            ).rowcount
            self._db.execute("DELETE FROM batches WHERE batch_row = ?", (row,))
            self.file.count_dead(outcome.error_type or "rejected", buried)
        failpoints.hit("dead.committed")
        return buried


def _appended(job_id: bytes, known: KnownLane, size: int, *, deduplicated: bool) -> Appended:
    return Appended(
        job_id.hex(), known.lane_id, known.space_id, known.fingerprint, size, deduplicated
    )
