"""Requests on the wire."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from mem9_async.client.encoding import (
    change_body,
    header_value,
    list_params,
    path_segment,
    search_params,
    store_body,
)
from mem9_async.models.job import Message, Pinned, Turn
from mem9_async.models.memory import ListQuery, MemoryChange, SearchQuery
from mem9_async.models.outcome import Confirmation
from tests.client.builders import batch, space, turn


def decoded(body: bytes | None) -> Any:
    """A body as JSON."""
    assert body is not None

    return json.loads(body)


def test_a_turn_is_sent_as_the_original_sends_it() -> None:
    """Messages, agent, mode and session; nothing else."""
    assert decoded(store_body(batch())) == {
        "messages": [{"role": "user", "content": "User prefers Python"}],
        "agent_id": "dify",
        "mode": "smart",
        "session_id": "conv-1",
    }


def test_what_a_later_mem9_takes_is_sent_where_it_was_asked_for() -> None:
    """The app in every form of a store; that no messages be kept with messages alone."""
    plain = batch(Turn(messages=turn("a").messages, keep_raw=False))
    lane = plain.lane.model_copy(update={"app_id": "shop"})
    quiet = plain.model_copy(update={"lane": lane})
    word_for_word = quiet.model_copy(update={"verbatim": True})
    pin = quiet.model_copy(update={"payloads": (Pinned(content="a"),)})

    assert decoded(store_body(quiet)) == {
        "messages": [{"role": "user", "content": "a"}],
        "agent_id": "dify",
        "mode": "smart",
        "appId": "shop",
        "disableSessionSave": True,
        "session_id": "conv-1",
    }
    assert decoded(store_body(word_for_word))["appId"] == "shop"
    assert decoded(store_body(pin)) == {
        "content": "a", "memory_type": "pinned", "agent_id": "dify", "appId": "shop",
    }  # fmt: skip


def test_a_search_for_words_has_pages() -> None:
    """As many rows as are wanted, in mem9's own order."""
    query = SearchQuery(
        space=space(), caller_agent_id="dify", query="50 %", limit=7, keyword=True, offset=14,
        app_id="shop",
    )  # fmt: skip

    assert search_params(query) == {
        "q": "50 %", "limit": "7", "search_mode": "keyword", "offset": "14", "appId": "shop",
    }  # fmt: skip


def test_a_list_of_a_later_mem9_is_narrowed_and_sorted() -> None:
    """By what it has; where the kinds are not named, raw turns are not among them."""
    query = ListQuery(
        space=space(), caller_agent_id="dify", memory_type="session", app_id="shop",
        created_after="2026-11-01T00:00:00Z", sort_by="content", sort_dir="asc",
    )  # fmt: skip

    assert list_params(query, offset=0, limit=20) == {
        "limit": "20", "offset": "0", "memory_type": "session", "appId": "shop",
        "created_after": "2026-11-01T00:00:00Z", "sort_by": "content", "sort_dir": "asc",
    }  # fmt: skip


def test_without_a_session_none_is_sent() -> None:
    """An absent session is left out, not null."""
    assert "session_id" not in decoded(store_body(batch(session_id=None)))


def test_all_messages_of_all_turns_keep_their_order() -> None:
    """One request carries the whole batch."""
    talk = Turn(
        messages=(Message(role="user", content="b"), Message(role="assistant", content="c"))
    )

    sent = decoded(store_body(batch(turn("a"), talk, turn("d"))))

    assert [message["content"] for message in sent["messages"]] == ["a", "b", "c", "d"]
    assert [message["role"] for message in sent["messages"]][2] == "assistant"


def test_only_ingested_asks_for_sync() -> None:
    """`sync` is sent when the answer shall wait for extraction."""
    ingested = decoded(store_body(batch(confirmation=Confirmation.INGESTED)))

    assert ingested["sync"] is True
    assert "sync" not in decoded(store_body(batch()))


def test_recalled_memories_are_taken_out_before_sending() -> None:
    """A message that was nothing else is not sent."""
    recalled = "<relevant-memories>x</relevant-memories>"

    sent = decoded(store_body(batch(turn(recalled, f"new {recalled}"))))

    assert sent["messages"] == [{"role": "user", "content": "new"}]


def test_nothing_is_encoded_when_nothing_is_left() -> None:
    """A batch of recalled memories has no request."""
    assert store_body(batch(turn("<relevant-memories>x</relevant-memories>"))) is None


@pytest.mark.parametrize(
    ("pinned", "more"),
    [
        (Pinned(content="Berlin"), {}),
        (
            Pinned(content="Berlin", tags=("a", "b"), metadata={"n": 1}),
            {"tags": ["a", "b"], "metadata": {"n": 1}},
        ),
        (Pinned(content="Berlin", metadata=0), {"metadata": 0}),
    ],
)
def test_a_pinned_memory_goes_by_the_content_path(pinned: Pinned, more: dict[str, Any]) -> None:
    """Without a mode, which mem9 refuses beside content."""
    expected = {"content": "Berlin", "memory_type": "pinned", "agent_id": "dify"} | more

    assert decoded(store_body(batch(pinned))) == expected


def test_a_pinned_memory_goes_verbatim() -> None:
    """mem9 strips nothing there, so nothing can loop."""
    content = "<relevant-memories>kept</relevant-memories>"

    assert decoded(store_body(batch(Pinned(content=content))))["content"] == content


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_every_attempt_sends_the_same_bytes(contents: list[str]) -> None:
    """The attempt's number leaves no trace."""
    first = batch(*(turn(content) for content in contents))

    assert store_body(first) == store_body(first.model_copy(update={"attempt": 7}))


def test_numbers_without_json_become_null() -> None:
    """A NaN in metadata must not spoil the request."""
    assert decoded(store_body(batch(Pinned(content="x", metadata=[float("nan")]))))["metadata"] == [
        None
    ]


@given(st.text())
def test_header_values_hold_no_control_characters(text: str) -> None:
    """No agent id can add a header."""
    value = header_value(text)

    assert not any(ord(char) < 32 or ord(char) == 127 for char in value)


@given(st.text(min_size=1))
def test_an_id_stays_one_path_segment(memory_id: str) -> None:
    """No id can reach another route."""
    assert "/" not in path_segment(memory_id)
    assert "?" not in path_segment(memory_id)


@pytest.mark.parametrize(
    ("limit", "asked"), [(1, "3"), (10, "30"), (20, "60"), (34, "100"), (500, "100"), (0, "3")]
)
def test_a_search_asks_for_three_times_the_limit(limit: int, asked: str) -> None:
    """At most 100."""
    query = SearchQuery(space=space(), caller_agent_id="dify", query="q", limit=limit)

    assert search_params(query) == {"q": "q", "limit": asked}


def test_a_search_sends_each_filter_it_has() -> None:
    """Each under mem9's name."""
    query = SearchQuery(
        space=space(),
        caller_agent_id="dify",
        query="q",
        session_id="s",
        scan_all=True,
        memory_type="pinned",
        tags=("a", "b"),
        agent_id="other",
    )

    assert search_params(query) == {
        "q": "q",
        "limit": "30",
        "session_id": "s",
        "scanAll": "true",
        "memory_type": "pinned",
        "tags": "a,b",
        "agent_id": "other",
    }


def test_a_list_has_no_q() -> None:
    """With `q` it would be a recall, and counted."""
    query = ListQuery(space=space(), caller_agent_id="dify", offset=20)

    params = list_params(query, offset=10, limit=40)
    assert params == {"limit": "40", "offset": "10", "memory_type": "insight,pinned"}


@pytest.mark.parametrize(
    ("change", "body"),
    [
        (MemoryChange(), {"content": "as it is"}),
        (MemoryChange(tags=()), {"content": "as it is", "tags": []}),
        (MemoryChange(metadata={"n": 1}), {"content": "as it is", "metadata": {"n": 1}}),
        (MemoryChange(clear_metadata=True), {"content": "as it is", "metadata": None}),
    ],
)
def test_a_change_always_carries_the_content(change: MemoryChange, body: JsonValue) -> None:
    """Without it mem9 drops the embedding."""
    assert decoded(change_body(change, "as it is")) == body
