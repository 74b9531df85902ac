"""What a workflow can rely on: a variable for every declared name, and failures as it asked."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import JsonValue

from mem9_async.cli.answers import ToolAnswer
from tests.faults.server import RefusedPort
from tests.host.caller import said
from tests.host.conftest import Stage
from tests.host.process import ROOT, credentials
from tests.host.scripted import Reply
from tests.tools.declared import holds, missing

pytestmark = pytest.mark.asyncio(loop_scope="module")

Parameters = dict[str, JsonValue]
KEY = "sk-answers-5ecret"
RESERVED = {"text", "json", "files"}
MEMORY: Parameters = {"id": "m1", "content": "User likes tea", "memory_type": "insight",
                      "state": "active", "version": 3, "tags": ["a"], "metadata": {"x": 1},
                      "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-02T00:00:00Z",
                      "confidence": 80, "score": 0.7}  # fmt: skip
PAGE: Parameters = {"memories": [MEMORY], "total": 1, "limit": 20, "offset": 0}

#: A call of each tool that mem9 carries out, with what mem9 says to it.
GOOD: dict[str, tuple[Parameters, Reply]] = {
    "memory_store": ({"content": "User likes tea"}, Reply.json(202, {"status": "accepted"})),
    "memory_search": ({"query": "tea"}, Reply.json(200, PAGE)),
    "memory_list": ({}, Reply.json(200, PAGE)),
    "memory_get": ({"memory_id": "m1"}, Reply.json(200, MEMORY)),
    "memory_update": ({"memory_id": "m1", "content": "User likes mint tea"},
                      Reply.json(200, MEMORY)),
    "memory_delete": ({"memory_ids": "m1"}, Reply.json(200, {"deleted": 1})),
    "memory_queue": ({}, Reply.json(202, {"status": "accepted"})),
}  # fmt: skip
#: A call of each tool that is refused before mem9 is asked.
BAD: dict[str, tuple[Parameters, str]] = {
    "memory_store": ({}, "content_required"),
    "memory_search": ({}, "query_required"),
    "memory_list": ({"memory_type": "gone"}, "memory_type_invalid"),
    "memory_get": ({}, "memory_id_required"),
    "memory_update": ({"memory_id": "m1"}, "change_required"),
    "memory_delete": ({}, "memory_ids_required"),
    "memory_queue": ({"action": "explode"}, "action_invalid"),
}
#: They answer in one message of Dify's form: tests/host/test_agent_memory.py.
AGENTS = ("memory_prepare", "memory_observe")
ASK_MEM9 = [tool for tool in GOOD if tool != "memory_queue"]
NOT_QUEUED = [tool for tool in ASK_MEM9 if tool != "memory_store"]
EACH_TOOL = pytest.mark.parametrize("tool", list(GOOD))


def schema(tool: str) -> dict[str, Any]:
    """The output schema the tool declares."""
    text = (ROOT / "mem9_async" / "tools" / f"{tool}.yaml").read_text(encoding="utf-8")
    declared = yaml.safe_load(text)["output_schema"]
    assert isinstance(declared, dict)
    return declared


def check(tool: str, answer: ToolAnswer) -> None:
    """There is a variable for every declared name, with every path, and it says what the JSON says.

    Null in the JSON is an empty variable.
    """
    declared = schema(tool)
    names = set(declared["properties"])
    jsonschema.validate(dict(answer.variables), declared)
    assert missing(declared, dict(answer.variables)) == []
    assert set(answer.variables) == names
    assert not names & RESERVED
    known = {name: value for name, value in answer.json.items() if value is not None}
    for name in names & known.keys():
        assert holds(answer.variables[name], known[name]), name


async def test_every_tool_is_exercised() -> None:
    """The tools declared are these, and the two whose contract is Dify's own."""
    assert declared_tools() - set(AGENTS) == set(GOOD) == set(BAD)
    assert set(AGENTS) <= declared_tools()


def declared_tools() -> set[str]:
    """The names of the tools that have a declaration."""
    return {path.stem for path in (ROOT / "mem9_async" / "tools").glob("memory_*.yaml")}


@EACH_TOOL
async def test_a_success_has_a_variable_for_every_declared_name(stage: Stage, tool: str) -> None:
    """And is valid against the tool's own schema."""
    parameters, reply = GOOD[tool]
    keys = credentials(stage.mem9.base_url(f"good-{tool}", reply), KEY)
    answer = await stage.host.invoke(tool, parameters, keys)

    assert answer.json["ok"] is True, answer.json
    check(tool, answer)


@EACH_TOOL
async def test_a_refusal_has_a_variable_for_every_declared_name(stage: Stage, tool: str) -> None:
    """Before mem9 is asked."""
    parameters, code = BAD[tool]
    answer = await stage.host.invoke(
        tool, parameters, credentials(stage.mem9.base_url(f"bad-{tool}"), KEY)
    )
    assert (answer.json["ok"], answer.json["code"]) == (False, code)
    check(tool, answer)


@pytest.mark.parametrize("tool", ASK_MEM9)
@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (402, {"code": "quota_exhausted", "message": "No.", "details": {"upgradeUrl": "https://x.example/"}},
         "runtime_quota_denied"),
        (500, {"error": "internal server error"}, "server_error"),
        (400, {"error": "invalid API key"}, "auth"),
    ],
    ids=["quota", "broken", "key"],
)  # fmt: skip
async def test_a_failure_of_mem9_has_a_variable_for_every_declared_name(
    stage: Stage, tool: str, status: int, body: JsonValue, code: str
) -> None:
    """For a store: to the caller who waits, and to the next one under `delivery`."""
    parameters, _ = GOOD[tool]
    name = f"fails-{tool}-{status}"
    stage.mem9.key_states[name] = Reply.json(404, {"error": "key not found"})
    url = stage.mem9.base_url(name, Reply.json(status, body))
    keys = credentials(url, KEY)
    waits: Parameters = {"wait": True} if tool == "memory_store" else {}
    answer = await stage.host.invoke(tool, {**parameters, **waits}, keys)
    assert (answer.json["ok"], answer.json["code"]) == (False, code)
    check(tool, answer)
    if tool == "memory_store":
        again = await stage.host.invoke(tool, {"content": "User likes coffee"}, keys)
        assert said(again)["delivery"]["code"] == code
        check(tool, again)
        check("memory_queue", await stage.host.invoke("memory_queue", {"job_id": "1"}, keys))


@EACH_TOOL
async def test_a_refusal_fails_the_node_that_wants_it_so(stage: Stage, tool: str) -> None:
    """With the stable code in the text; without, it is an answer."""
    parameters, code = BAD[tool]
    keys = credentials(stage.mem9.base_url(f"raise-{tool}"), KEY)
    answer = await stage.host.invoke(tool, {**parameters, "error_mode": "raise"}, keys)

    assert answer.error is not None
    assert f"[{code}]" in answer.error.message
    assert answer.objects == ()
    assert not any(KEY.encode() in line for line in answer.lines)


@pytest.mark.parametrize("tool", NOT_QUEUED)
async def test_a_failure_of_mem9_fails_the_node_that_wants_it_so(stage: Stage, tool: str) -> None:
    """The text begins with what a conditional retry looks for, and holds no key."""
    parameters, _ = GOOD[tool]
    body: JsonValue = {"error": f"cannot open the database of {KEY}"}
    keys = credentials(stage.mem9.base_url(f"raise-500-{tool}", Reply.json(500, body)), KEY)
    wanted = {**parameters, "error_mode": "raise"}
    answer = await stage.host.invoke(tool, wanted, keys)

    assert answer.error is not None
    assert answer.error.message.startswith("[unavailable] [server_error]")
    assert "HTTP 500" in answer.error.message
    assert not any(KEY.encode() in line for line in answer.lines)


@pytest.mark.parametrize("mode", ["soft", "raise"])
@pytest.mark.parametrize("tool", NOT_QUEUED)
async def test_a_denial_shows_the_key_in_its_link_only(stage: Stage, tool: str, mode: str) -> None:
    """A person opens the link as it was sent; nothing else may hold the key."""
    link = f"https://console.mem9.example/claim?key={KEY}"
    body: JsonValue = {"code": "quota_exhausted", "message": f"key {KEY} is out",
                       "details": {"upgradeUrl": link}}  # fmt: skip
    url = stage.mem9.base_url(f"echo-{mode}-{tool}", Reply.json(402, body))
    parameters, _ = GOOD[tool]
    wanted = {**parameters, "error_mode": mode}
    answer = await stage.host.invoke(tool, wanted, credentials(url, KEY))

    shown = (
        json.dumps(answer.json) if mode == "soft" else str(answer.error and answer.error.message)
    )
    assert link in shown
    assert KEY not in shown.replace(link, "")


@pytest.mark.parametrize("tool", NOT_QUEUED)
async def test_a_server_that_is_down_fails_the_node_that_wants_it_so(
    stage: Stage, tool: str
) -> None:
    """As one that may be up again."""
    parameters, _ = GOOD[tool]
    with RefusedPort() as refused:
        wanted = {**parameters, "error_mode": "raise"}
        answer = await stage.host.invoke(tool, wanted, credentials(refused.url, KEY))

    assert answer.error is not None
    assert answer.error.message.startswith("[unavailable] [connection_refused]")
    assert not any(KEY.encode() in line for line in answer.lines)


@EACH_TOOL
async def test_a_success_is_an_answer_in_either_mode(stage: Stage, tool: str) -> None:
    """`raise` changes failures only."""
    parameters, reply = GOOD[tool]
    keys = credentials(stage.mem9.base_url(f"fine-{tool}", reply), KEY)
    answer = await stage.host.invoke(tool, {**parameters, "error_mode": "raise"}, keys)
    assert answer.json["ok"] is True


async def test_a_store_that_is_only_held_up_does_not_fail_its_node(stage: Stage) -> None:
    """Earlier trouble is news, not this call's failure."""
    denied = Reply.json(402, {"code": "quota_exhausted", "message": "No."})
    keys = credentials(stage.mem9.base_url("held-up", denied), KEY)
    await stage.host.invoke("memory_store", {"content": "x", "wait": True}, keys)
    wanted: Parameters = {"content": "y", "error_mode": "raise"}
    answer = await stage.host.invoke("memory_store", wanted, keys)
    assert answer.json["ok"] is True
    assert said(answer)["delivery"]["held"] == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json(500, {"error": "internal server error"}),
        Reply.json(402, {"code": "quota_exhausted"}),
    ],
)
async def test_a_store_whose_job_is_kept_never_fails_its_node(stage: Stage, reply: Reply) -> None:
    """Dify's retry of the node would store it a second time."""
    keys = credentials(stage.mem9.base_url(f"kept-{reply.status}", reply), KEY)
    wanted: Parameters = {"content": "x", "wait": True, "error_mode": "raise"}
    answer = await stage.host.invoke("memory_store", wanted, keys)

    assert (answer.json["ok"], answer.json["accepted"]) == (False, True)
    assert answer.json["status"] == "queued"


async def test_a_store_that_is_refused_for_good_says_so(stage: Stage) -> None:
    """It is not on its way any more; sent again once mem9 takes it, it arrives."""
    refusal = Reply.json(400, {"error": "content: too long (max 50000)"})
    keys = credentials(stage.mem9.base_url("dead", refusal), KEY)
    answer = await stage.host.invoke("memory_store", {"content": "x", "wait": True}, keys)

    assert (answer.json["ok"], answer.json["accepted"]) == (False, False)
    assert answer.json["status"] == "dead"
    assert "retry_dead" in str(answer.json["hint"])
    check("memory_store", answer)
    failing: Parameters = {"content": "y", "wait": True, "error_mode": "raise"}
    failed = await stage.host.invoke("memory_store", failing, keys)
    assert failed.error is not None
    stage.mem9.answer("dead")
    again = {"action": "retry_dead", "job_id": answer.json["job_id"]}
    assert (await stage.host.invoke("memory_queue", again, keys)).json["affected"] == 1


async def test_a_search_that_was_sent_again_has_not_been_asked_in_other_words(
    stage: Stage,
) -> None:
    """A hiccup of the server counts a unit; the suggestion is still to be tried."""
    replies = Reply.json(503, {"error": "overloaded"}), Reply.json(200, {**PAGE, "memories": []})
    keys = credentials(stage.mem9.base_url("hiccup", *replies), KEY)
    answer = await stage.host.invoke("memory_search", {"query": "what is my favourite tea?"}, keys)

    assert answer.json["attempts"] == 2
    assert said(answer)["retry"]["retryable"] is True
    assert "search once more" in str(answer.json["retry_hint"])
