"""Memories as we show them."""

from hypothesis import given
from hypothesis import strategies as st

from mem9_async.client.mapping import found, memory, ranked
from mem9_async.client.wire import MemoryBody
from mem9_async.models.memory import Memory

NUMBERS = st.none() | st.floats(0, 100)


def test_a_result_is_trimmed_and_a_memory_is_not() -> None:
    """What is read may be tidied, what may be written back must not."""
    body = MemoryBody(content="  padded  ")

    assert found(body).content == "padded"
    assert memory(body).content == "  padded  "


def test_rank_is_confidence_then_score_with_missing_last() -> None:
    """Equals keep the order in which they came."""
    rows = [(66, 0.9), (91, 0.4), (91, 0.6), (None, 0.99), (70, 0.5), (91, None), (91, 0.4)]
    memories = [
        Memory(id=str(number), content="", confidence=confidence, score=score)
        for number, (confidence, score) in enumerate(rows)
    ]

    assert [item.id for item in ranked(memories)] == ["2", "1", "6", "5", "4", "0", "3"]


@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_ranking_loses_nothing(rows: list[tuple[float | None, float | None]]) -> None:
    """It only sorts."""
    memories = [
        Memory(id=str(number), content="", confidence=confidence, score=score)
        for number, (confidence, score) in enumerate(rows)
    ]

    assert sorted(item.id or "" for item in ranked(memories)) == sorted(
        item.id or "" for item in memories
    )
