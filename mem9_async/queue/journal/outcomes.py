"""Outcomes at rest: sealed, because a server's words can hold content."""

from pydantic_core import to_json

from mem9_async.models.outcome import Outcome
from mem9_async.queue.sealing import Sealer

_PLACE = b"outcome"


def seal_outcome(sealer: Sealer, outcome: Outcome) -> bytes:
    """The sealed form of *outcome*."""
    return sealer.seal(to_json(outcome), _PLACE)


def open_outcome(sealer: Sealer, sealed: bytes) -> Outcome:
    """The outcome behind *sealed*. Raises SealBroken for a changed bit."""
    return Outcome.model_validate_json(sealer.unseal(sealed, _PLACE))
