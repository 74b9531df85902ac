"""Delivery before the answer: a few tries, and an honest word about what may have arrived."""

import asyncio
from collections.abc import Sequence

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.models.space import Space
from mem9_async.runtime.intake.inline_delivery import Direct
from tests.queue.builders import failure, job
from tests.queue.rack import TAKEN
from tests.queue.virtual import run

REFUSED = failure(ErrorType.CONNECTION_REFUSED)
BROKEN = failure(ErrorType.SERVER_ERROR, status=500, maybe_sent=True)
REJECTED = failure(ErrorType.REJECTED, status=400)


class Sink:
    """Gives *outcomes* one after the other; after the last it never answers."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.left = list(outcomes)
        self.asked = 0

    async def send(self, batch: Batch) -> Outcome:
        """The next one."""
        self.asked += 1
        if not self.left:
            await asyncio.sleep(1_000.0)
        return self.left.pop(0)

    async def key_state(self, space: Space) -> KeyState:
        """Nothing is known."""
        return KeyState.UNDECIDED

    async def holds_pinned(self, batch: Batch) -> bool | None:
        """Nothing is known."""
        return None


@pytest.mark.parametrize(
    ("outcomes", "asked", "error_type", "maybe_sent"),
    [
        ([TAKEN], 1, None, False),
        ([BROKEN, TAKEN], 2, None, False),
        ([REJECTED], 1, ErrorType.REJECTED, False),
        ([REFUSED] * 3, 3, ErrorType.CONNECTION_REFUSED, False),
        ([BROKEN, REFUSED, REFUSED], 3, ErrorType.CONNECTION_REFUSED, True),
        ([REFUSED], 2, ErrorType.CONNECTION_REFUSED, True),  # the second try never ends
    ],
)
def test_a_job_is_tried_a_few_times_and_its_answer_says_whether_it_may_have_arrived(
    outcomes: list[Outcome], asked: int, error_type: ErrorType | None, maybe_sent: bool
) -> None:
    """One try that may have arrived is enough to doubt, whatever the last one says."""
    sink = Sink(outcomes)
    direct = Direct(sink, reason="read-only", confirmation=Confirmation.ACCEPTED, timeout_s=30.0)

    receipt = run(direct.store(job("a")))

    assert sink.asked == asked
    assert receipt.outcome is not None
    assert (receipt.outcome.error_type, receipt.outcome.maybe_sent) == (error_type, maybe_sent)
    assert (receipt.kept, receipt.durability) == (False, "none")


def test_a_mem9_that_never_answers_ends_the_wait() -> None:
    """Nothing is known then, and that is said."""
    direct = Direct(Sink([]), reason="", confirmation=Confirmation.ACCEPTED, timeout_s=5.0)

    receipt = run(direct.store(job("a")))

    assert (receipt.outcome, receipt.waited_out) == (None, True)
