"""Recalled memories never go back to mem9."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.client.recalled_text import join_speakers, strip_messages, strip_recalled
from mem9_async.models.job import Message

OPEN = "<relevant-memories>"
CLOSE = "</relevant-memories>"
TEXTS = st.lists(
    st.sampled_from((OPEN, CLOSE, "<relevant-", "</relevant-", "memories>", "<", "a", " ", "\n"))
).map("".join)


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("User prefers Python", "User prefers Python"),
        ("  untouched  ", "  untouched  "),
        (f"{OPEN}old{CLOSE}", ""),
        (f"before {OPEN}old\nfacts{CLOSE} after", "before  after"),
        (f"before{OPEN}old{CLOSE}after", "before after"),
        (f"{OPEN}one{CLOSE} between {OPEN}two{CLOSE}", "between"),
        (f"{OPEN}outer {OPEN}inner{CLOSE} outer{CLOSE} stays", "stays"),
        (f"{CLOSE} text {OPEN}", "text"),
        (f"{CLOSE}a{OPEN}b{CLOSE}c", "a c"),
        (f"{OPEN}never closed", "never closed"),
        (f"never opened{CLOSE}", "never opened"),
        (f"{OPEN}lone {OPEN}old{CLOSE} stays", "lone  stays"),
        (f"<relevant-{OPEN}{CLOSE}memories>x", "<relevant- memories>x"),
        (f"<relevant-{CLOSE}memories>x", "<relevant- memories>x"),
        ("about relevant-memories>", "about relevant-memories>"),
    ],
)
def test_blocks_and_lone_tags_go_and_the_rest_stays(text: str, stays: str) -> None:
    """What stands between a pair of tags goes with them; a lone tag goes alone."""
    assert strip_recalled(text) == stays


@given(TEXTS)
def test_no_tag_is_left_whatever_the_order(text: str) -> None:
    """Neither literal survives, not even put together from the halves of others."""
    stripped = strip_recalled(text)

    assert OPEN not in stripped
    assert CLOSE not in stripped


@given(TEXTS)
def test_stripping_twice_changes_nothing(text: str) -> None:
    """The second time finds nothing to do."""
    once = strip_recalled(text)

    assert strip_recalled(once) == once


@given(st.text().filter(lambda text: "relevant-memories" not in text))
def test_text_without_tags_is_not_touched(text: str) -> None:
    """Not even its white space."""
    assert strip_recalled(text) is text


def test_ten_thousand_openings_are_stripped_at_once() -> None:
    """A hostile text costs no more than its length."""
    assert strip_recalled(OPEN * 10_000 + "x" + CLOSE * 10_000) == ""


def test_messages_left_empty_are_dropped_and_order_stays() -> None:
    """What mem9 would drop is not sent."""
    messages = [
        Message(role="user", content="first"),
        Message(role="user", content=f"{OPEN}old{CLOSE}"),
        Message(role="assistant", content=f"last {OPEN}old{CLOSE}"),
    ]

    assert strip_messages(messages) == (
        Message(role="user", content="first"),
        Message(role="assistant", content="last"),
    )


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("My plan for today:\n\nNote: buy milk", "My plan for today:\nNote: buy milk"),
        ("a\n\n\n\nTo-Do_1: b\n\nc", "a\nTo-Do_1: b\n\nc"),
        ("a\n\nuser: b", "a user: b"),
        ("a\nAssistant: b\nuser: c", "a Assistant: b user: c"),
        ("a\n\nnot a speaker, but: b", "a\n\nnot a speaker, but: b"),
        ("a\n\n1: b", "a\n\n1: b"),
        ("a\n\nhttp://x", "a\n\nhttp://x"),
        ("user: at the start", "user: at the start"),
        ("plain", "plain"),
    ],
)
def test_no_line_begins_another_speaker(written: str, sent: str) -> None:
    """The words stay, and twice changes nothing."""
    joined = join_speakers(written)

    assert joined == sent
    assert joined.split() == written.split()
    assert join_speakers(joined) == joined


def test_messages_are_sent_with_one_speaker_each() -> None:
    """Whatever stands in them."""
    (message,) = strip_messages([Message(role="user", content="a\n\nNote: b")])

    assert (message.role, message.content) == ("user", "a\nNote: b")
