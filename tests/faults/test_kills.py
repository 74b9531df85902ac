"""What was acknowledged outlives SIGKILL at any moment; `make chaos` does this at length."""

from pathlib import Path

import pytest

from tests.chaos import kills


async def test_nothing_is_lost_by_two_kills_in_a_row_during_recovery(tmp_path: Path) -> None:
    """The start that makes ready what a kill left is killed itself, twice."""
    for row in await kills.recovery_kills(tmp_path, 1, full=False):
        assert row.problems == ()


@pytest.mark.parametrize(
    "point",
    [
        "append.committed",
        "freeze.committed",
        "send.after",
        "settle.written",
        "migrate.written",
    ],
)
async def test_nothing_is_lost_by_a_kill_at_a_named_point(tmp_path: Path, point: str) -> None:
    """The process ends itself there, the next one goes on."""
    row = await kills.failpoint(tmp_path, 1, point, rounds=1)

    assert row.problems == ()
