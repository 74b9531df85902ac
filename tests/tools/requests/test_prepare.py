"""What a run is prepared with: the query, the room, the time."""

from urllib.parse import quote

import pytest

from mem9_async.models.agent_memory import Preparation
from mem9_async.models.errors import InvalidRequest
from mem9_async.tools import subject
from mem9_async.tools.requests.prepare import preparation_of, shortened
from tests.tools.fakes import call

CONTEXT = {"app_id": "app-1", "subject_kind": "user", "subject_id": "user-1"}


def _asked(request: object = None, **node: object) -> Preparation:
    request = {"query": "tea"} if request is None else request
    return preparation_of(call({"memory_context": CONTEXT, "request": request, **node}))


def test_what_is_left_out_is_at_its_default() -> None:
    """Those of the contract, and two seconds less than Dify waits."""
    asked = _asked()

    assert (asked.max_bytes, asked.timeout_s, asked.query.limit) == (8_000, 8, 10)


def test_only_the_subjects_own_facts_are_asked_for() -> None:
    """In the filter, not in the header alone, which filters nothing."""
    asked = call({"memory_context": CONTEXT, "request": {"query": "tea"}})
    query = preparation_of(asked).query

    assert query.agent_id == subject.agent_id(asked, subject.read(asked))
    assert query.agent_id == query.caller_agent_id
    assert query.session_id is None
    assert query.memory_type == "insight,pinned"


@pytest.mark.parametrize(
    ("request_", "read"),
    [
        ({"query": "q", "max_bytes": 512}, 512),
        ('{"query": "q", "max_bytes": "600"}', 600),
        ({"query": "q", "max_bytes": 99_999}, 32_768),
        ({"query": "q", "max_bytes": -1}, 0),
        ({"query": "q", "max_bytes": "many"}, 8_000),
    ],
)
def test_room_is_never_more_than_was_given(request_: object, read: int) -> None:
    """An answer that is longer is thrown away as a whole."""
    assert _asked(request_).max_bytes == read


@pytest.mark.parametrize(("given", "read"), [(3, 3), ("30", 30), (31, 30), (0, 1), ("x", 8)])
def test_the_time_is_bounded(given: object, read: int) -> None:
    """Dify waits for thirty seconds at most."""
    assert _asked(timeout_s=given).timeout_s == read


@pytest.mark.parametrize("request_", [{}, "", {"query": " "}, {"max_bytes": 512}])
def test_a_query_is_needed(request_: object) -> None:
    """Recall without one would be a list."""
    with pytest.raises(InvalidRequest) as refused:
        _asked(request_)

    assert refused.value.code == "query_required"


def test_memories_in_the_prompt_are_not_searched_for() -> None:
    """They were recalled already."""
    told = "<relevant-memories>\n- old\n</relevant-memories> What about tea?"

    assert _asked({"query": told}).query.query == "What about tea?"


@pytest.mark.parametrize("piece", ["word ", "記憶", "é", "🫖 "])
def test_a_long_prompt_is_searched_by_both_its_ends(piece: str) -> None:
    """The address line has room for so much; of the contract's 8,192 characters, for not all."""
    prompt = "BEGIN " + piece * (8_180 // len(piece)) + " END"
    query = shortened(prompt)

    assert query.startswith("BEGIN ")
    assert query.endswith(" END")
    assert len(query) <= 4_000
    assert 3_000 < len(quote(query, safe="")) <= 7_000


def test_a_short_prompt_is_searched_as_it_is() -> None:
    """Word for word."""
    assert shortened("What tea do I like?") == "What tea do I like?"
