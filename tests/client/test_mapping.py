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


def test_a_result_comes_without_the_messages_that_mem9_puts_below_it() -> None:
    """A search over several types does; a text that only looks like it stays whole."""
    below = "I row.\n[source-turns]\nUser: I row."
    turns = {"source_turns": [{"seq": 0, "content": "User: I row."}]}

    fact = MemoryBody(content=below, memory_type="insight", metadata=turns)
    assert found(fact).content == "I row."
    assert memory(fact).content == below
    for other in (
        MemoryBody(content=below, memory_type="pinned", metadata=turns),
        MemoryBody(content=below, memory_type="insight"),
    ):
        assert found(other).content == below


def test_what_has_no_confidence_keeps_the_order_of_mem9() -> None:
    """A row that two ways found carries its rank as a score, one that meaning found a distance."""
    scores = [0.0328, 0.031, 0.64, 0.63, 0.0164, None, 0.7]
    memories = [Memory(id=str(n), content="", score=score) for n, score in enumerate(scores)]

    assert ranked(memories) == memories


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


def test_a_memory_of_a_chain_says_which_space_and_shows_no_key() -> None:
    """On a self-hosted mem9 the ids of tenant and chain are keys."""
    source = {"chain_id": "chain-key", "tenant_id": "tenant-key", "node_position": 1}
    body = MemoryBody.model_validate({"content": "x", "chain_source": source})

    shown = found(body)

    assert shown.chain_source is not None
    assert shown.chain_source.node_position == 1
    assert "-key" not in shown.model_dump_json()
    odd = MemoryBody.model_validate({"content": "x", "chain_source": {"node_position": "first"}})
    assert found(odd).chain_source is None
