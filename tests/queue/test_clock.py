"""The queue's own clock does not follow a wall clock that jumps."""

import time

import pytest

from mem9_async.queue.clock import SteadyClock


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 86_400.0, -1_800_000_000.0, 2.3e9])
def test_a_jump_of_the_wall_clock_moves_nothing(
    monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """Set to yesterday, 1970 or 2099, the wall clock changes only what drift_s tells."""
    wall, monotonic = [1_800_000_000.0], [50.0]
    monkeypatch.setattr(time, "time", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic", lambda: monotonic[0])
    clock = SteadyClock()

    wall[0] += jump_s
    monotonic[0] += 2.0

    assert clock.now() == 1_800_000_002.0
    assert clock.drift_s() == pytest.approx(jump_s - 2.0)
