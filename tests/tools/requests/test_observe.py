"""Which event of which run, and whether it is to be kept."""

from typing import Any

import pytest

from mem9_async.models.agent_memory import Observation
from mem9_async.models.errors import CredentialsMissing, InvalidRequest
from mem9_async.tools.requests.observe import observation_of
from tests.tools.fakes import call

CONTEXT = {"app_id": "app-1", "subject_kind": "user", "subject_id": "user-1"}
EVENT: dict[str, object] = {
    "event_id": "run-1:3",
    "event": "user_prompt",
    "sequence": 3,
    "payload": {"text": "I like tea"},
    "metadata": {"run_id": "run-1"},
    "max_bytes": 8_192,
}


def _seen(node: dict[str, object] | None = None, **changes: object) -> Observation:
    request = {name: value for name, value in {**EVENT, **changes}.items() if value is not None}
    parameters = {"memory_context": CONTEXT, "request": request, **(node or {})}
    return observation_of(call(parameters), max_bytes=49_152)


def test_an_event_is_a_job_of_its_run() -> None:
    """Named by its id, with the run's id as session."""
    seen = _seen()

    assert seen.job is not None
    assert seen.job.event_id == "run-1:3"
    assert seen.job.lane == seen.lane
    assert (seen.lane.session_id, seen.sequence) == ("run-1", 3)
    assert seen.job.payload.text == "I like tea"
    assert not seen.job.wait


@pytest.mark.parametrize(
    ("captured", "kept"),
    [
        (None, {"user_prompt", "model_response"}),
        ("", {"user_prompt", "model_response"}),
        ("tool_call,tool_result", {"tool_call", "tool_result"}),
        (["user_prompt"], {"user_prompt"}),
    ],
)
def test_only_the_kinds_that_were_chosen_are_kept(captured: object, kept: set[str]) -> None:
    """The others are counted; so are kinds that we do not know."""
    kinds = ("user_prompt", "model_response", "tool_call", "tool_result", "run_ended")
    seen = {kind: _seen({"capture_events": captured}, event=kind) for kind in kinds}

    assert {kind for kind, each in seen.items() if each.job is not None} == kept
    assert {each.sequence for each in seen.values()} == {3}


def test_an_event_that_says_nothing_is_only_counted() -> None:
    """It is accepted all the same."""
    assert _seen(payload={"text": ""}).job is None


def test_run_and_number_are_read_out_of_the_id_where_they_do_not_stand() -> None:
    """A workflow need not say them twice."""
    seen = _seen(metadata=None, sequence=None, event_id="run:7:12")

    assert (seen.lane.session_id, seen.sequence) == ("run:7", 12)


def test_a_text_is_read_as_the_object() -> None:
    """As workflow variables come."""
    told = '{"event_id": "r:1", "event": "user_prompt", "payload": "{\\"text\\": \\"hi\\"}"}'
    seen = observation_of(call({"memory_context": CONTEXT, "request": told}), max_bytes=100)

    assert seen.job is not None
    assert seen.job.payload.text == "hi"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"event_id": None}, "event_id_required"),
        ({"event": None}, "event_required"),
        ({"payload": None}, "payload_required"),
        ({"payload": ["hi"]}, "payload_invalid"),
        ({"sequence": "third"}, "sequence_not_a_number"),
        ({"event_id": "x" * 301}, "event_id_too_long"),
        ({"metadata": {"run_id": "r" * 101}}, "run_id_too_long"),
        ({"metadata": None, "event_id": "alone"}, "run_id_required"),
    ],
)
def test_what_cannot_be_an_event_is_refused(changes: dict[str, Any], code: str) -> None:
    """It was not sent by Dify's runtime, and an `accepted` would hide that."""
    with pytest.raises(InvalidRequest) as refused:
        _seen(None, **changes)

    assert refused.value.code == code


def test_a_kind_to_capture_that_does_not_exist_is_refused() -> None:
    """A slip of the pen would keep nothing for ever."""
    with pytest.raises(InvalidRequest, match="user_prompt") as refused:
        _seen({"capture_events": "user_prompts"})

    assert refused.value.code == "capture_events_invalid"


def test_an_event_that_is_not_kept_needs_a_key_as_well() -> None:
    """What is set up wrongly shows at the first event."""
    parameters = {"memory_context": CONTEXT, "request": {**EVENT, "event": "tool_call"}}
    with pytest.raises(CredentialsMissing):
        observation_of(call(parameters, mem9_api_key=""), max_bytes=100)
