"""What jobs say, at rest: opened only where nothing of it was changed."""

from pydantic import TypeAdapter, ValidationError

from mem9_async.models.job import Payload
from mem9_async.queue.sealing import SealBroken, Sealer

payloads: TypeAdapter[Payload] = TypeAdapter(Payload)


def open_payload(sealer: Sealer, sealed: bytes, place: bytes, *, pinned: bool) -> Payload | None:
    """The payload sealed at *place*; None when it, its place or its kind was changed."""
    try:
        payload = payloads.validate_json(sealer.unseal(sealed, place))
    except (SealBroken, ValidationError):
        return None
    return payload if (payload.kind == "pinned") is pinned else None
