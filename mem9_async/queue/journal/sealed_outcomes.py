"""Outcomes at rest: sealed, because a server's words can hold content."""

from pydantic_core import to_json

from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.sealing import SealBroken, Sealer

_PLACE = b"outcome"

SPOILED = Outcome(
    error_type=ErrorType.PAYLOAD_MISMATCH,
    error="the stored job was changed or damaged on the disk; it was not sent",
)


def seal_outcome(sealer: Sealer, outcome: Outcome) -> bytes:
    """The sealed form of *outcome*."""
    return sealer.seal(to_json(outcome), _PLACE)


def open_outcome(sealer: Sealer, sealed: bytes) -> Outcome | None:
    """The outcome behind *sealed*; None when a bit of it was changed."""
    try:
        return Outcome.model_validate_json(sealer.unseal(sealed, _PLACE))
    except SealBroken:
        return None
