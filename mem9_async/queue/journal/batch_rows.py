"""The rows of frozen batches: made new, or in place of another one's jobs."""

from itertools import batched

from mem9_async.models.history import Attempt, StepKind
from mem9_async.queue import failpoints
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.history import History
from mem9_async.queue.records import FrozenRef
from mem9_async.queue.uuid7 import uuid7

IN_FLIGHT, RETRYABLE = 1, 2
_SPLIT_TO_SINGLES = 3


class BatchRows:
    """The batches of one journal as rows."""

    def __init__(self, file: JournalFile, history: History) -> None:
        self._file = file
        self._history = history
        self._db = file.db

    def new(
        self,
        lane_id: int,
        first_seq: int,
        state: int,
        *,
        attempts: int,
        now: float,
        from_split: bool = False,
        maybe_sent: bool = False,
    ) -> int:
        """Add a batch of no jobs yet, inside a transaction; return its row."""
        row: int = self._db.execute(
            "INSERT INTO batches (batch_id, lane_id, state, first_seq, attempts, first_attempt_at,"
            " due_at, maybe_sent, from_split) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " RETURNING batch_row",
            (
                uuid7(),
                lane_id,
                state,
                first_seq,
                attempts,
                now,
                now,
                maybe_sent,
                from_split,
            ),
        ).fetchone()[0]
        return row

    def split(
        self,
        row: int,
        *,
        due_at: float,
        maybe_sent: bool = False,
        attempt: Attempt | None = None,
    ) -> tuple[FrozenRef, ...]:
        """Replace the batch by its halves, frozen in the same order. Needs two jobs or more.

        *maybe_sent* when the attempt just made may have arrived, or an earlier one did.
        Three jobs become three batches: that finds one bad job with a request less.
        """
        jobs = self._db.execute(
            "SELECT seq, size, accepted_at, lane_id FROM jobs WHERE batch_row = ? ORDER BY seq",
            (row,),
        ).fetchall()
        attempts, sent_before = self._db.execute(
            "SELECT attempts, maybe_sent FROM batches WHERE batch_row = ?", (row,)
        ).fetchone()
        maybe_sent = maybe_sent or bool(sent_before)
        size = 1 if len(jobs) <= _SPLIT_TO_SINGLES else (len(jobs) + 1) // 2
        with self._file.transaction():
            self._history.attempted(row, StepKind.SPLIT, attempt)
            parts = tuple(
                self.refreeze(list(part), due_at, attempts=attempts, maybe_sent=maybe_sent)
                for part in batched(jobs, size)
            )
            self._db.execute("DELETE FROM batches WHERE batch_row = ?", (row,))
            failpoints.hit("split.written")
        return parts

    def refreeze(
        self,
        jobs: list[tuple[int, int, float, int]],
        due_at: float,
        *,
        attempts: int,
        maybe_sent: bool,
    ) -> FrozenRef:
        """Make *jobs* (seq, size, accepted_at, lane_id) a batch, inside a transaction."""
        row = self.new(
            jobs[0][3],
            jobs[0][0],
            RETRYABLE,
            attempts=attempts,
            now=due_at,
            from_split=True,
            maybe_sent=maybe_sent,
        )
        self._db.executemany(
            "UPDATE jobs SET batch_row = ? WHERE seq = ?", [(row, job[0]) for job in jobs]
        )
        return FrozenRef(row, len(jobs), sum(job[1] for job in jobs), jobs[0][2], due_at)
