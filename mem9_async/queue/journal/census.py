"""All spaces of one journal at once: for the person who owns the disk, never for a tool."""

from dataclasses import dataclass

from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob
from mem9_async.queue.journal.sealed_outcomes import open_outcome


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One job that was refused for good. Times in UTC epoch seconds; content None if unreadable."""

    job_id: str
    space_id: int
    session_id: str | None
    accepted_at: float
    finished_at: float
    error_type: str | None
    error: str | None
    content: str | None


@dataclass(frozen=True, slots=True)
class BatchedJobs:
    """Jobs of one space that have been put into batches and are not delivered."""

    space_id: int
    in_flight: int
    retrying: int


class Census:
    """What a journal holds, whoever it belongs to."""

    def __init__(self, journal: Journal) -> None:
        self._db = journal.file.db
        self._addresses = journal.addresses
        self._sealer = journal.sealer

    def spaces(self) -> list[int]:
        """The number of every space that has jobs here."""
        return [
            row[0]
            for row in self._db.execute(
                "SELECT DISTINCT l.space_id FROM lanes l JOIN jobs j ON j.lane_id = l.lane_id"
                " ORDER BY 1"
            )
        ]

    def batched(self) -> list[BatchedJobs]:
        """Jobs whose batch is being sent, or waits to be sent again, counted by space."""
        return [
            BatchedJobs(space_id, in_flight=in_flight, retrying=retrying)
            for space_id, in_flight, retrying in self._db.execute(
                "SELECT l.space_id, sum(b.state = 1), sum(b.state = 2) FROM batches b"
                " JOIN lanes l ON l.lane_id = b.lane_id JOIN jobs j ON j.batch_row = b.batch_row"
                " WHERE b.state IN (1, 2) GROUP BY l.space_id"
            )
        ]

    def dead_letters(self) -> list[DeadLetter]:
        """Every dead letter, the newest first."""
        letters = []
        for space_id, finished_at, outcome, *columns in self._db.execute(
            "SELECT space_id, coalesce(finished_at, accepted_at), sealed_outcome,"
            f" {SEALED_COLUMNS} FROM jobs JOIN lanes USING (lane_id) WHERE jobs.state = 4"
            " ORDER BY finished_at DESC"
        ):
            job = SealedJob(*columns)
            known = self._addresses.readable(job.lane_id)
            payload = job.open(self._sealer, known.digest) if known else None
            why = open_outcome(self._sealer, outcome) if outcome is not None else None
            letters.append(
                DeadLetter(
                    job_id=job.job_id.hex(),
                    space_id=space_id,
                    session_id=known.lane.session_id if known and known.lane else None,
                    accepted_at=job.accepted_at,
                    finished_at=finished_at,
                    error_type=str(why.error_type) if why and why.error_type else None,
                    error=(why.detail or why.error) if why else None,
                    content=payload.text if payload else None,
                )
            )
        return letters
