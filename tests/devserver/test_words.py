"""Text into words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.devserver.words import index_words, query_words


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("What is the user's favourite editor?", {"user", "favourite", "editor"}),
        ("Cats, dogs & buses", {"cat", "dog", "buse"}),
        ("我最喜欢的编辑器是什么", {"最喜", "喜欢", "编辑", "辑器"}),
        ("茶", {"茶"}),
        ("the of and", {"the", "of", "and"}),
        ("？！", set()),
    ],
)
def test_a_query_keeps_its_significant_words(query: str, words: set[str]) -> None:
    """Empty words go, unless nothing else is there."""
    assert query_words(query) == words


@given(st.text())
def test_a_text_is_found_by_itself(text: str) -> None:
    """Whatever the script: at least one of its own words is in the index, if it has any."""
    words = query_words(text)

    assert not words or words & set(index_words(text))


@given(st.text())
def test_words_hold_nothing_that_would_be_syntax(text: str) -> None:
    """No quote, no space: each can stand between quotes in an index query."""
    for word in query_words(text) | set(index_words(text)):
        assert '"' not in word
        assert word
        assert word.split() == [word]


def test_a_long_query_is_cut() -> None:
    """A whole document as a query stays affordable."""
    assert len(query_words(" ".join(f"word{n}" for n in range(1_000)))) == 64
