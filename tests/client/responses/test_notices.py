"""Notices with a success, and those of the runtime-state route."""

import pytest
from pydantic import JsonValue

from mem9_async.client.encoding import encode
from mem9_async.client.responses.notices import route_notice, success_notice
from mem9_async.client.wire import SuccessBody, parse
from tests.client.builders import open_url
from tests.client.responses.test_quota_denials import PLAN, RECALLING, SAVING, only_about

KEY = "sk-0123456789"
METERS = pytest.mark.parametrize(("meter", "subject"), [(SAVING, "saving"), (RECALLING, "recall")])


def state(*meters: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    """A usage state with these meters."""
    return {"mem9ApiKey": {"status": "active"}, "meters": list(meters), **more}


def budget(meter: str = RECALLING, **fields: JsonValue) -> dict[str, JsonValue]:
    """A meter with one budget."""
    return {"meter": meter, "budgets": [{"type": "includedQuota", **fields}]}


def gate(meter: str = RECALLING, **fields: JsonValue) -> dict[str, JsonValue]:
    """A meter with a gate's result."""
    return {"meter": meter, "quotaGateResult": dict(fields)}


def notice(runtime_state: JsonValue, **more: JsonValue) -> str | None:
    """The notice of a success with this state."""
    body = parse(SuccessBody, encode({"runtimeState": runtime_state, **more}))
    assert body is not None

    return success_notice(body, KEY)


def test_mem9s_own_message_wins() -> None:
    """Whatever the state says."""
    told = notice(state(gate(outcome="blocked")), message="mem9 recall has used 80%.")

    assert told == "mem9 recall has used 80%."


def test_a_key_that_mem9_repeats_is_not_passed_on() -> None:
    """What the agent reads is kept by Dify; the link to open stays as sent."""
    link = f"https://mem9.ai/plan?for={KEY}"
    action: JsonValue = {"type": "openUrl", "url": link}
    message = f"The key {KEY} has used 80%: {link}"

    told = notice({**state(), "recommendedAction": action}, message=message)
    asked = route_notice(encode({"message": message, "recommendedAction": action}), KEY)

    assert told == asked == f"The key [key] has used 80%: {link}"


@pytest.mark.parametrize("message", ["", "  ", 5, None, ["x"]])
def test_a_message_without_text_is_none(message: JsonValue) -> None:
    """The state speaks then."""
    told = notice(state(gate(outcome="blocked")), message=message)

    assert told is not None
    assert only_about(told, "recall")


@METERS
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "warning", "usage": {"percent": 82}}, "running low (82% used)"),
        ({"usage": {"percent": 80}}, "running low (80% used)"),
        ({"state": "ok", "usage": {"percent": 94.9}}, "running low (94.9% used)"),
        ({"state": "warning"}, "running low."),
        ({"state": "warning", "usage": {"percent": 96.5}}, "almost used up (96.5% used)"),
        ({"usage": {"percent": 95}}, "almost used up (95% used)"),
        (
            {
                "state": "warning",
                "usage": {"percent": 82, "remaining": 18},
                "capacity": {"type": "limited", "value": 100},
            },
            "running low (82% used)",
        ),
        ({"state": "warning", "usage": {"percent": 90, "remaining": 5}}, "almost used up"),
        (
            {
                "usage": {"percent": 82, "remaining": 20},
                "capacity": {"type": "limited", "value": 1000},
            },
            "almost used up (82% used)",
        ),
        (
            {"usage": {"remaining": 150}, "capacity": {"type": "limited", "value": 1000}},
            "running low (85% used)",
        ),
        ({"usage": {"remaining": 3}}, "almost used up."),
        ({"state": "ok", "usage": {"percent": 50, "remaining": 5}}, "almost used up (50% used)."),
        (
            {
                "usage": {"percent": 50, "remaining": 20},
                "capacity": {"type": "limited", "value": 1000},
            },
            "almost used up (50% used).",
        ),
        ({"state": "exhausted"}, "is used up"),
        ({"state": "warning", "usage": {"percent": 100}}, "is used up"),
        ({"usage": {"percent": "82"}}, "running low (82% used)"),
    ],
)
def test_a_budget_is_told_by_how_much_is_left(
    fields: dict[str, JsonValue], words: str, meter: str, subject: str
) -> None:
    """From 80 % a warning, from 95 % or the last few units an urgent one, then that it is gone."""
    told = notice(state(budget(meter, **fields)))

    assert told is not None
    assert words in told
    assert only_about(told, subject)


@METERS
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"outcome": "blocked"}, "does not allow"),
        ({"outcome": "rateLimited"}, "slowed down"),
        ({"mode": "postQuota"}, "slowed down"),
        ({"mode": "onDemand"}, "on demand"),
        ({"mode": "onDemand", "outcome": "allowed"}, "on demand"),
    ],
)
def test_a_gate_is_told_by_what_it_does(
    fields: dict[str, JsonValue], words: str, meter: str, subject: str
) -> None:
    """Blocked, slowed down, or charged."""
    told = notice(state(gate(meter, **fields)))

    assert told is not None
    assert words in told
    assert only_about(told, subject)


@pytest.mark.parametrize("name", ["includedQuota", "spendingLimit", "credits", "new", None])
def test_each_kind_of_budget_has_a_name(name: str | None) -> None:
    """A new kind is told too."""
    told = notice(state({"meter": SAVING, "budgets": [{"type": name, "state": "exhausted"}]}))

    assert told is not None
    assert told.endswith("for saving memories is used up.")


@pytest.mark.parametrize(
    "runtime_state",
    [
        state(),
        state(budget(state="ok", usage={"percent": 10})),
        state(budget(usage={"percent": 79.9})),
        state(budget(state="ok", usage={"percent": 50, "remaining": 6})),
        state(
            budget(
                usage={"percent": 50, "remaining": 21}, capacity={"type": "limited", "value": 1000}
            )
        ),
        state(gate(outcome="allowed", mode="included")),
        state(recommendedAction=open_url(PLAN)),
        {},
        [],
        "odd",
        None,
        {"meters": "odd", "mem9ApiKey": "inactive"},
        {"meters": [None, 5, {"budgets": 5, "quotaGateResult": []}]},
        state({"meter": 5, "budgets": [None, {"usage": 5, "capacity": []}, {"state": 5}]}),
        state(budget(usage={"percent": "many", "remaining": True})),
        state(budget(usage={"remaining": 9}, capacity={"type": "limited", "value": 0})),
    ],
)
def test_nothing_is_told_when_all_is_well_or_unreadable(runtime_state: JsonValue) -> None:
    """A notice is an exception."""
    assert notice(runtime_state) is None


def test_an_inactive_key_is_told_before_all_else() -> None:
    """Nothing else matters then."""
    told = notice(state(gate(outcome="blocked"), mem9ApiKey={"status": "inactive"}))

    assert told is not None
    assert "inactive" in told


def test_only_the_worst_is_told() -> None:
    """One sentence, about the meter that hurts."""
    told = notice(state(budget(RECALLING, usage={"percent": 82}), gate(SAVING, outcome="blocked")))

    assert told is not None
    assert only_about(told, "saving")


def test_a_meter_of_a_new_kind_is_told_without_a_name() -> None:
    """Neither saving nor recall."""
    told = notice(state(gate("memory_new_requests", outcome="blocked")))

    assert told is not None
    assert "mem9 requests" in told


@pytest.mark.parametrize(
    ("action", "links"),
    [
        (open_url(PLAN), 1),
        (open_url(PLAN, None), 1),
        (open_url(None), 0),
        ({"type": "upgradePlan", "url": PLAN}, 0),
        ("odd", 0),
    ],
)
def test_a_link_is_given_once_where_there_is_one_to_open(action: JsonValue, links: int) -> None:
    """Exactly as sent."""
    told = notice(state(gate(outcome="blocked"), recommendedAction=action))

    assert told is not None
    assert told.count(PLAN) == links


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (state(gate(outcome="blocked")), True),
        ({"runtimeState": state(gate(outcome="blocked"))}, True),
        ({"message": "be quick"}, True),
        (state(), False),
        ({}, False),
        ([], False),
    ],
)
def test_the_route_answers_the_state_itself_or_wrapped(body: JsonValue, told: bool) -> None:
    """Either is understood; anything else is silence."""
    assert (route_notice(encode(body), KEY) is not None) is told


def test_a_route_that_answers_a_page_says_nothing() -> None:
    """Not JSON, no notice."""
    assert route_notice(b"<html>", KEY) is None
