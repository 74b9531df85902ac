"""Events in words that mem9's model can use."""

import json

import pytest
from pydantic import JsonValue

from mem9_async.tools.requests.events import told

ROOM = 8_192
Payload = dict[str, JsonValue]


def _told(event: str, payload: Payload, max_bytes: int = ROOM) -> tuple[str, str] | None:
    message = told(event, payload, max_bytes=max_bytes)
    return None if message is None else (message.role, message.content)


@pytest.mark.parametrize(
    ("event", "payload", "role", "content"),
    [
        ("user_prompt", {"text": "I like tea"}, "user", "I like tea"),
        ("model_response", {"text": "Noted."}, "assistant", "Noted."),
        ("model_response", {"result": {"mood": "fine"}}, "assistant", '{"mood":"fine"}'),
        ("model_response", {"result": "fine"}, "assistant", "fine"),
        (
            "tool_call",
            {"tool": "clock", "arguments": {"zone": "UTC"}, "tool_call_id": "c1"},
            "assistant",
            'Called the tool clock with {"zone":"UTC"}.',
        ),
        (
            "tool_call",
            {"tool": "clock", "arguments": '{"zone": "UTC"}'},
            "assistant",
            'Called the tool clock with {"zone": "UTC"}.',
        ),
        (
            "tool_result",
            {"tool": "clock", "status": "succeeded", "result": ["12:00"]},
            "tool",
            'The tool clock answered: ["12:00"]',
        ),
        (
            "tool_result",
            {"tool": "clock", "status": "failed"},
            "tool",
            "The tool clock failed.",
        ),
    ],
)
def test_each_kind_has_its_role_and_words(
    event: str, payload: Payload, role: str, content: str
) -> None:
    """Facts come from the user's alone."""
    assert _told(event, payload) == (role, content)


@pytest.mark.parametrize("event", ["user_prompt", "model_response"])
@pytest.mark.parametrize("payload", [{"text": " "}, {"text": None}, {}])
def test_nothing_said_is_nothing_to_keep(event: str, payload: Payload) -> None:
    """An empty message would be refused by mem9."""
    assert _told(event, payload) is None


def test_recalled_memories_are_not_stored_again() -> None:
    """A model repeats what it was told."""
    repeated = "<relevant-memories>\n- tea\n</relevant-memories>"

    assert _told("model_response", {"text": repeated}) is None
    assert _told("model_response", {"text": f"{repeated} Fine."}) == ("assistant", "Fine.")


@pytest.mark.parametrize("said", ["I like tea " * 90, '記憶🫖é\n"quoted" ' * 60])
def test_a_payload_that_was_cut_is_told_as_far_as_it_came(said: str) -> None:
    """Wherever the cut is, in an escape or in the key."""
    whole = json.dumps({"text": said}, ensure_ascii=False)
    for end in range(12, len(whole) - 4):
        message = told("user_prompt", {"excerpt": whole[:end], "truncated": True}, max_bytes=ROOM)
        assert message is not None
        words = message.content.removesuffix(" … [cut]")
        assert message.content != words
        assert said.startswith(words)


def test_a_cut_call_of_a_tool_names_the_tool() -> None:
    """As far as its beginning tells."""
    whole = json.dumps({"tool": "clock", "arguments": {"zone": "U" * 99}})
    told_ = _told("tool_call", {"excerpt": whole[:60], "truncated": True})

    assert told_ is not None
    assert told_[1].startswith("Called the tool clock with")


def test_an_excerpt_that_is_no_json_is_told_as_it_is() -> None:
    """Better than nothing."""
    payload: Payload = {"excerpt": "I like te", "truncated": True}

    assert _told("user_prompt", payload) == ("user", "I like te … [cut]")


def test_a_payload_of_another_form_is_told_as_json() -> None:
    """A later Dify may say more."""
    assert _told("user_prompt", {"parts": ["I like tea"]}) == ("user", '{"parts":["I like tea"]}')


@pytest.mark.parametrize("max_bytes", [20, 1_000])
def test_what_is_too_large_for_a_job_is_cut(max_bytes: int) -> None:
    """Refused, it would end the capture of its run."""
    message = told("user_prompt", {"text": "é" * 5_000}, max_bytes=max_bytes)

    assert message is not None
    assert len(message.content.encode()) <= max_bytes
    assert message.content.endswith("é … [cut]")
