"""All spaces of one journal at once: for the person who owns the disk, never for a tool."""

from dataclasses import dataclass

from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.outcomes import open_outcome
from mem9_async.queue.journal.payloads import payloads
from mem9_async.queue.records import KnownLane
from mem9_async.queue.sealing import SealBroken, Sealer


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


class Census:
    """What a journal holds, whoever it belongs to."""

    def __init__(self, journal: Journal, sealer: Sealer) -> None:
        self._db = journal.file.db
        self._addresses = journal.addresses
        self._sealer = sealer

    def spaces(self) -> list[int]:
        """The number of every space that has jobs here."""
        return [
            row[0]
            for row in self._db.execute(
                "SELECT DISTINCT l.space_id FROM lanes l JOIN jobs j ON j.lane_id = l.lane_id"
                " ORDER BY 1"
            )
        ]

    def dead_letters(self) -> list[DeadLetter]:
        """Every dead letter, the newest first."""
        letters = []
        for (
            job_id,
            lane_id,
            space_id,
            accepted_at,
            finished_at,
            sealed,
            outcome,
        ) in self._db.execute(
            "SELECT job_id, lane_id, space_id, accepted_at,"
            " coalesce(finished_at, accepted_at), jobs.sealed, sealed_outcome"
            " FROM jobs JOIN lanes USING (lane_id) WHERE jobs.state = 4"
            " ORDER BY finished_at DESC"
        ):
            known = self._lane(lane_id)
            why = open_outcome(self._sealer, outcome) if outcome is not None else None
            letters.append(
                DeadLetter(
                    job_id=job_id.hex(),
                    space_id=space_id,
                    session_id=known.lane.session_id if known and known.lane else None,
                    accepted_at=accepted_at,
                    finished_at=finished_at,
                    error_type=str(why.error_type) if why and why.error_type else None,
                    error=(why.detail or why.error) if why else None,
                    content=self._content(sealed, known.digest + job_id) if known else None,
                )
            )
        return letters

    def _lane(self, lane_id: int) -> KnownLane | None:
        try:
            return self._addresses.lane(lane_id)
        except SealBroken:
            return None

    def _content(self, sealed: bytes, place: bytes) -> str | None:
        try:
            return payloads.validate_json(self._sealer.unseal(sealed, place)).text
        except SealBroken:
            return None
