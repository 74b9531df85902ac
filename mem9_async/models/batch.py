"""A frozen group of consecutive jobs of one lane: what is sent, and sent again, unchanged."""

from pydantic import BaseModel, ConfigDict

from mem9_async.models.job import Payload
from mem9_async.models.outcome import Confirmation
from mem9_async.models.space import Lane


class Batch(BaseModel):
    """What one request carries. Several turns, or exactly one pinned memory.

    `attempt` starts at 1. The request built from a batch depends on nothing but its lane,
    payloads and confirmation, so every attempt sends the same bytes. `verbatim` is for a mem9
    without a language model, which keeps nothing but what it is told word for word: then there is
    one job.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_id: str
    lane: Lane
    job_ids: tuple[str, ...]
    payloads: tuple[Payload, ...]
    attempt: int = 1
    confirmation: Confirmation = Confirmation.ACCEPTED
    verbatim: bool = False

    @property
    def keeps_raw(self) -> bool:
        """False when mem9 is to keep no messages as they were said; one for the whole batch."""
        return all(payload.kind == "pinned" or payload.keep_raw for payload in self.payloads)

    @property
    def may_be_seen(self) -> bool:
        """False when mem9 makes no fact of it: then there is nothing to watch for."""
        return self.verbatim or any(payload.told for payload in self.payloads)

    @property
    def pinned(self) -> bool:
        """True when sending it twice would store it twice."""
        return self.payloads[0].kind == "pinned"
