"""The seam through which the queue delivers; the client stands behind it."""

from typing import Protocol

from mem9_async.models.batch import Batch
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Outcome
from mem9_async.models.space import Space


class Sink(Protocol):
    """Where batches go. No method retries, and none raises for what a server can do."""

    async def send(self, batch: Batch) -> Outcome:
        """Send *batch* once and say what came of it.

        Waits until mem9 answers or the attempt times out. Cancelled: the connection is
        dropped, and whether mem9 acted is unknown.
        """

    async def key_state(self, space: Space) -> KeyState:
        """Ask whether *space*'s key is known and active; free of charge."""

    async def holds_pinned(self, batch: Batch) -> bool | None:
        """Look, free of charge, whether the pinned memory of *batch* is already there.

        None when it could not be looked up.
        """
