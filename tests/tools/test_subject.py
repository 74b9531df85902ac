"""Whose memory a run has: by the context alone."""

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools import caller, subject
from tests.tools.fakes import call

CONTEXT = {"app_id": "app-1", "subject_kind": "user", "subject_id": "user-1"}


def _agent(isolation: str = "shared", **changes: object) -> str:
    asked = call({"memory_context": {**CONTEXT, **changes}}, isolation=isolation)
    return subject.agent_id(asked, subject.read(asked))


def test_a_text_is_read_as_the_object() -> None:
    """As workflow variables come."""
    told = '{"app_id": "a", "subject_kind": "business", "subject_id": "b", "more": 1}'

    assert subject.read(call({"memory_context": told})) == subject.Subject("a", "business", "b")


@pytest.mark.parametrize("isolation", ["shared", "per_conversation"])
def test_each_subject_in_each_app_has_an_agent_of_its_own(isolation: str) -> None:
    """The kind counts as well, and none of the ids can be read in it."""
    agents = [
        _agent(isolation),
        _agent(isolation, app_id="app-2"),
        _agent(isolation, subject_id="user-2"),
        _agent(isolation, subject_kind="business"),
        _agent(isolation, app_id="app-1user", subject_id="-1"),
    ]

    assert len(set(agents)) == len(agents)
    assert all(agent.startswith("dify-s-") and "user" not in agent for agent in agents)


def test_a_user_who_is_kept_apart_has_one_agent_for_all_tools() -> None:
    """So that memory_search finds what was observed."""
    search = caller.read(call(user_id="user-1", isolation="per_user"))

    assert _agent("per_user") == search.agent_id


def test_a_business_is_nobody_whom_another_tool_could_be_called_by() -> None:
    """A user of the same name has another memory."""
    assert _agent("per_user", subject_kind="business") != _agent("per_user")


def test_who_calls_does_not_matter() -> None:
    """The runtime calls with whatever user it has."""
    asked = call({"memory_context": CONTEXT}, user_id="somebody", isolation="per_user")

    assert subject.agent_id(asked, subject.read(asked)) == _agent("per_user")


def test_a_run_is_a_lane_of_its_subject_in_its_app() -> None:
    """Also where two apps have one agent id."""
    lanes = [
        subject.lane(asked, subject.read(asked), run)
        for app, run in (("app-1", "r1"), ("app-2", "r1"), ("app-1", "r2"))
        if (asked := call({"memory_context": {**CONTEXT, "app_id": app}}, isolation="per_user"))
    ]

    assert len(set(lanes)) == 3
    assert [lane.session_id for lane in lanes] == ["r1", "r1", "r2"]
    assert len({lane.agent_id for lane in lanes}) == 1


@pytest.mark.parametrize(
    ("context", "code"),
    [
        (None, "memory_context_required"),
        ("", "memory_context_required"),
        ({}, "memory_context_required"),
        ("nonsense", "memory_context_invalid"),
        (["app-1"], "memory_context_invalid"),
        ({**CONTEXT, "app_id": " "}, "app_id_required"),
        ({**CONTEXT, "subject_id": None}, "subject_id_required"),
        ({**CONTEXT, "subject_kind": "team"}, "subject_kind_invalid"),
        ({**CONTEXT, "subject_id": "s" * 257}, "subject_id_too_long"),
        ({**CONTEXT, "app_id": {"a": 1}}, "app_id_not_text"),
    ],
)
def test_a_context_that_names_nobody_is_refused(context: object, code: str) -> None:
    """Guessing would mix people."""
    with pytest.raises(InvalidRequest) as refused:
        subject.read(call({"memory_context": context}))

    assert refused.value.code == code
