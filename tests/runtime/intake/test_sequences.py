"""Gaps and steps back in the numbers of a run's events are told, once each."""

import pytest

from mem9_async.runtime.intake.sequences import Sequences
from tests.queue.builders import lane


@pytest.mark.parametrize(
    ("numbers", "faults"),
    [
        ([1, 2, 3], [None, None, None]),
        ([7, 8], [None, None]),  # we began in the middle
        ([1, 3, 4], [None, "gap", None]),
        ([1, 3, 2, 4], [None, "gap", "step_back", None]),
        ([1, 2, 2, 3], [None, None, None, None]),  # the same once more
    ],
)
def test_each_fault_is_told_once(numbers: list[int], faults: list[str | None]) -> None:
    """What comes late does not make a gap of what follows."""
    sequences = Sequences()

    assert [sequences.note(lane("run"), number) for number in numbers] == faults


def test_runs_do_not_disturb_each_other() -> None:
    """Two at the same time."""
    sequences = Sequences()
    seen = [sequences.note(lane(run), n) for n in (1, 2) for run in ("a", "b")]

    assert seen == [None] * 4


def test_the_runs_in_memory_are_bounded() -> None:
    """The one that was quiet for longest is forgotten, and begins anew."""
    sequences = Sequences(most=2)
    for run in ("a", "b", "c"):
        sequences.note(lane(run), 1)

    assert sequences.note(lane("a"), 9) is None
    assert sequences.note(lane("c"), 9) == "gap"
