"""What jobs say, at rest: sealed to their place, opened only where nothing of it was changed."""

import struct
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from mem9_async.models.job import Payload
from mem9_async.queue.sealing import SealBroken, Sealer

_PLACE = struct.Struct(">q?qd")
_payloads: TypeAdapter[Payload] = TypeAdapter(Payload)

#: The columns of a SealedJob, in its order.
SEALED_COLUMNS = (
    "jobs.lane_id, jobs.job_id, jobs.seq, jobs.pinned, jobs.size, jobs.accepted_at, jobs.sealed"
)


def job_place(
    lane_digest: bytes, job_id: bytes, seq: int, *, pinned: bool, size: int, accepted_at: float
) -> bytes:
    """All that must not change while a job lies on the disk, as bytes to seal it to.

    The lane's digest covers base URL, key, agent, session and who asked.
    """
    return lane_digest + job_id + _PLACE.pack(seq, pinned, size, accepted_at)


@dataclass(frozen=True, slots=True)
class SealedJob:
    """A job's row as far as its seal goes. Bytes, and UTC epoch seconds."""

    lane_id: int
    job_id: bytes
    seq: int
    pinned: int
    size: int
    accepted_at: float
    sealed: bytes

    def place(self, lane_digest: bytes) -> bytes:
        """What the job is sealed to."""
        return job_place(
            lane_digest,
            self.job_id,
            self.seq,
            pinned=bool(self.pinned),
            size=self.size,
            accepted_at=self.accepted_at,
        )

    def open(self, sealer: Sealer, lane_digest: bytes) -> Payload | None:
        """What the job says; None when a bit of it or of its place was changed."""
        try:
            return _payloads.validate_json(sealer.unseal(self.sealed, self.place(lane_digest)))
        except (SealBroken, ValidationError, struct.error, TypeError):
            # The latter two: damage has put something of another type into a column.
            return None

    def moved(self, sealer: Sealer, old_digest: bytes, new_digest: bytes, seq: int) -> bytes:
        """The seal for another lane or number; as it is when it does not open.

        Such a job is found, and set aside, when its turn comes.
        """
        try:
            new = replace(self, seq=seq).place(new_digest)
            return reseal(sealer, self.sealed, self.place(old_digest), new)
        except (struct.error, TypeError):
            return self.sealed


def reseal(sealer: Sealer, sealed: bytes, old: bytes, new: bytes) -> bytes:
    """What is sealed at the place *old*, sealed at *new*; as it is when it does not open."""
    try:
        return sealer.seal(sealer.unseal(sealed, old), new)
    except SealBroken:
        return sealed
