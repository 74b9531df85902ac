"""What mem9 has taken and may still lose: kept until it is seen, or until it is given up."""

from collections.abc import Iterable
from dataclasses import dataclass

from mem9_async.models.batch import Batch
from mem9_async.models.history import Step, StepKind
from mem9_async.models.outcome import Confirmation
from mem9_async.queue.journal.batch_rows import RETRYABLE
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob

TAKEN = 3


@dataclass(frozen=True, slots=True)
class Take:
    """A batch that mem9 has taken, opened. UTC epoch seconds; `first_taken_at` of all its takes."""

    row: int
    lane_id: int
    space_id: int
    batch: Batch
    taken_at: float
    first_taken_at: float
    resends: int
    oldest_at: float


class Takes:
    """Reads and ends the takes of one journal. Each verb is one transaction."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db
        self._addresses = journal.addresses
        self._sealer = journal.sealer
        self._history = journal.history

    def all(self, now: float) -> list[Take]:
        """Every take that can be opened, the oldest first; the others are let go."""
        found, closed = [], []
        for row, lane_id, batch_id, taken_at, first_at, resends in self._db.execute(
            "SELECT batch_row, lane_id, batch_id, taken_at, first_taken_at, resends"
            " FROM takes JOIN batches USING (batch_row) WHERE state = 3 ORDER BY taken_at"
        ).fetchall():
            known = self._addresses.readable(lane_id)
            if known is None:
                closed.append(row)
                continue
            if known.lane is None:
                continue  # until its key is known
            jobs = [
                (job, payload)
                for columns in self._db.execute(
                    f"SELECT {SEALED_COLUMNS} FROM jobs WHERE batch_row = ? ORDER BY seq", (row,)
                )
                if (payload := (job := SealedJob(*columns)).open(self._sealer, known.digest))
            ]
            if not jobs:
                closed.append(row)
                continue
            batch = Batch(
                batch_id=batch_id.hex(),
                lane=known.lane,
                job_ids=tuple(job.job_id.hex() for job, _ in jobs),
                payloads=tuple(payload for _, payload in jobs),
                confirmation=Confirmation.REMEMBERED,
            )
            oldest_at = jobs[0][0].accepted_at
            found.append(
                Take(row, lane_id, known.space_id, batch, taken_at, first_at, resends, oldest_at)
            )
        self.ended(closed, "unconfirmed", now)
        return found

    def resends(self, row: int) -> int | None:
        """How often the batch was sent again for having been lost; None where it is not watched."""
        found = self._db.execute("SELECT resends FROM takes WHERE batch_row = ?", (row,)).fetchone()
        return None if found is None else int(found[0])

    def ended(self, rows: Iterable[int], counter: str, now: float) -> None:
        """Forget these batches: *counter* says as what, `remembered` or `unconfirmed`."""
        chosen = [(row,) for row in rows]
        if not chosen:
            return
        with self._journal.numbering.leaving():
            for (row,) in chosen:
                self._history.of_batch(row, Step(StepKind(counter), now), leaving=True)
            jobs = self._db.executemany("DELETE FROM jobs WHERE batch_row = ?", chosen).rowcount
            self._db.executemany("DELETE FROM batches WHERE batch_row = ?", chosen)
            self._db.executemany("DELETE FROM takes WHERE batch_row = ?", chosen)
            self._db.executemany("DELETE FROM ingests WHERE batch_row = ?", chosen)
            self._file.count(counter, max(0, jobs))

    def lost(self, rows: Iterable[int], reason: str, now: float) -> set[int]:
        """Have these batches sent again, each in its lane's front; return the lanes."""
        lanes: set[int] = set()
        with self._journal.numbering.leaving():
            for row in rows:
                found = self._db.execute(
                    "UPDATE batches SET state = ?, attempts = 0, due_at = ?, maybe_sent = 1"
                    " WHERE batch_row = ? AND state = ? RETURNING lane_id",
                    (RETRYABLE, now, row, TAKEN),
                ).fetchall()
                if not found:
                    continue
                lanes.add(found[0][0])
                self._history.of_batch(row, Step(StepKind.LOST, now, reason=reason))
                jobs = self._db.execute(
                    "UPDATE jobs SET state = 1 WHERE batch_row = ?", (row,)
                ).rowcount
                self._db.execute(
                    "UPDATE takes SET resends = resends + 1, lost_for = ? WHERE batch_row = ?",
                    (reason, row),
                )
                self._file.count("delivered", -jobs)
                self._file.count("lost_and_sent_again", jobs)
        return lanes
