"""The short form of the long scenarios of `python -m tests.chaos` that are not about figures."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.chaos import capacity, outages, parking, sharing
from tests.chaos.row import Row


@pytest.mark.parametrize(
    "scenario",
    [
        outages.flapping,
        parking.quota,
        parking.refused_keys,
        sharing.two_processes,
        capacity.queue_full,
        capacity.big_start,
    ],
    ids=lambda scenario: scenario.__name__,
)
async def test_every_promise_is_kept_in(
    tmp_path: Path, scenario: Callable[..., Awaitable[Row]]
) -> None:
    """Nothing lost, doubled or out of order, and no key or content written down."""
    row = await scenario(tmp_path, 1, full=False)

    assert row.problems == ()
    assert row.accepted + row.unanswered == row.delivered
    assert not row.unanswered or scenario is sharing.two_processes
