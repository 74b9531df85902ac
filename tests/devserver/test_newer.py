"""What mem9 learnt after May 2026, and how each kind of server answers a client's probes."""

import dataclasses
from typing import Any

import pytest

from mem9_async.devserver.flavour import Generation
from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller
from tests.devserver.conftest import Clock
from tests.host.process import until

LONG = "a" * 101
OLD, NEW, AWS = "old", "new", "aws"

#: What is asked, and for each server its status and how its text begins.
PROBES: dict[tuple[str, str], dict[str, tuple[int, str]]] = {
    ("memories", f"limit=1&appId={LONG}"): {
        OLD: (200, '{"memories"'),
        NEW: (400, '{"error":"appId: too long (max 100)"}'),
    },
    ("memories", "limit=1&memory_type=session&created_after=x"): {
        OLD: (200, '{"memories":[]'),
        NEW: (400, '{"error":"created_after: must be an RFC3339 timestamp"}'),
    },
    ("runtime-state", ""): {OLD: (404, "404 page"), NEW: (200, '{"mem9ApiKey"')},
    ("webhooks", ""): {OLD: (404, "404 page"), NEW: (200, '{"webhooks"')},
    ("session-messages/none/edit", ""): {OLD: (404, "404 page"), NEW: (404, '{"error"')},
    ("ingest-jobs/none", ""): {
        OLD: (404, "404 page"),
        NEW: (404, "404 page"),
        AWS: (404, '{"error":"ingest job not found"}'),
    },
}


@pytest.mark.parametrize("kind", [OLD, NEW, AWS])
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe[0])
async def test_a_probe_tells_which_mem9_it_is(
    server: DevServer, api: Caller, kind: Generation, probe: tuple[str, str]
) -> None:
    """By status and kind of text, free of charge; also after an upgrade of the running server."""
    server.become(kind)
    path, query = probe
    told = PROBES[probe]
    status, begins = told.get(kind, told[NEW])
    answer = await api.ask("GET", f"{path}?{query}" if query else path)

    assert answer.status == status
    assert answer.text.startswith(begins)
    assert not [each for each in server.requests if each.meter]


async def _apps(api: Caller) -> None:
    for app_id in ("one", "two", ""):
        told: dict[str, Any] = {"appId": app_id} if app_id else {}
        await api.say(f"I like tea {app_id or 'anywhere'}", session_id="s1", sync=True, **told)


async def test_apps_are_kept_apart_where_they_are_asked_for(api: Caller) -> None:
    """Without the name every app is meant, with an empty one or null the default app."""
    await _apps(api)
    everywhere = {"I like tea one", "I like tea two", "I like tea anywhere"}

    for params, contents in (
        ({}, everywhere),
        ({"appId": "one"}, {"I like tea one"}),
        ({"app_id": "two"}, {"I like tea two"}),
        ({"appId": ""}, {"I like tea anywhere"}),
        ({"appId": "NULL"}, {"I like tea anywhere"}),
        ({"appId": "three"}, set[str]()),
    ):
        assert set((await api.find(**params)).contents) == contents, params
        assert set((await api.find(q="I like tea", **params)).contents) == contents, params
    several = await api.ask("GET", "memories", params=[("appId", "one"), ("appId", "two")])
    assert several.contents == ["I like tea two"]
    turns = await api.ask("GET", "session-messages?session_id=s1&appId=one")
    assert [each["appId"] for each in turns.body["messages"]] == ["one"]
    shown = (await api.find(appId="one")).body["memories"][0]
    assert shown["appId"] == "one"
    assert "appId" not in (await api.find(appId="")).body["memories"][0]


async def test_equal_turns_and_facts_of_two_apps_are_two(api: Caller) -> None:
    """And of one app are one."""
    for app_id in ("one", "two", "one"):
        await api.say("I like tea", session_id="s1", sync=True, appId=app_id)

    assert len((await api.find()).contents) == 2
    turns = await api.ask("GET", "session-messages?session_id=s1")
    assert len(turns.body["messages"]) == 2


async def test_an_old_server_drops_the_app_and_shows_everybodys(
    server: DevServer, api: Caller
) -> None:
    """That is why a client has to probe."""
    server.become("old")
    await _apps(api)

    assert len((await api.find(appId="one")).contents) == 3


@pytest.mark.parametrize("given", [LONG, "é" * 51])
async def test_an_app_too_long_is_refused_before_anything_else(api: Caller, given: str) -> None:
    """By bytes, on a store without content too."""
    answer = await api.ask("POST", "memories", {"appId": given})

    assert (answer.status, answer.error) == (400, "appId: too long (max 100)")


async def test_a_search_by_keyword_is_free_and_pages(
    server: DevServer, api: Caller, clock: Clock
) -> None:
    """A part of the text in any case, memories and turns, no confidence, a real total."""
    for number in range(3):
        await api.say(f"I keep Bees {number}", session_id="s1", sync=True)
        clock.advance(60)
    first = await api.find(q="keep bees", search_mode="keyword", limit=4)
    rest = await api.find(q="keep bees", searchMode="Content_Keyword", limit=4, offset=4)

    assert (first.body["total"], len(first.contents), len(rest.contents)) == (6, 4, 2)
    assert first.contents[:2] == ["I keep Bees 2"] * 2
    assert not any("confidence" in each for each in first.body["memories"])
    assert (await api.find(q="bees keep", search_mode="keyword")).contents == []
    only = await api.find(q="bees", search_mode="keyword", memory_type="insight", sort_dir="asc")
    assert only.contents == [f"I keep Bees {number}" for number in range(3)]
    assert not [each for each in server.requests if each.meter == "recall"]


async def test_too_much_for_a_merged_list_is_422(api: Caller, server: DevServer) -> None:
    """With one type it is answered."""
    for chunk in range(31):
        texts = [{"role": "user", "content": f"row {chunk}-{n}"} for n in range(100)]
        await api.ask("POST", "memories", {"messages": texts, "session_id": "s1", "sync": True})
    refused = await api.find(q="row", search_mode="keyword")

    assert (refused.status, refused.body["code"]) == (422, "memory_list_budget_exceeded")
    assert (await api.find(q="row", search_mode="keyword", memory_type="session")).status == 200


async def test_raw_turns_are_listed_in_a_window_of_time(api: Caller, clock: Clock) -> None:
    """Got and deleted by their id as well; the window is refused where it means nothing."""
    for number in range(3):
        await api.say(f"turn {number}", session_id="s1", sync=True)
        clock.advance(3_600)
    stamps = [m["created_at"] for m in (await api.find(memory_type="session")).body["memories"]]
    inside = await api.find(memory_type="session", created_after=stamps[1])
    assert inside.contents == ["turn 2", "turn 1"]
    assert (await api.find(created_after=stamps[0])).error.endswith("requires memory_type=session")
    turned = {"created_after": stamps[0], "created_before": stamps[2]}
    assert (await api.find(memory_type="session", **turned)).status == 400

    turn = inside.body["memories"][0]
    assert (await api.ask("GET", f"memories/{turn['id']}")).body["content"] == "turn 2"
    assert (await api.ask("PUT", f"memories/{turn['id']}", {"content": "x"})).status == 404
    gone = await api.ask("POST", "memories/batch-delete", {"ids": [turn["id"], "none"]})
    assert gone.body == {"deleted": 1}
    assert (await api.find(memory_type="session")).contents == ["turn 1", "turn 0"]


async def test_raw_turns_may_be_left_out(api: Caller) -> None:
    """The facts are kept all the same; an old server keeps both."""
    await api.say("I like tea", session_id="s1", sync=True, disableSessionSave=True)

    assert (await api.find()).contents == ["I like tea"]
    assert (await api.find(memory_type="session")).contents == []


async def test_webhooks_are_made_listed_and_deleted(api: Caller) -> None:
    """Each space its own; the secret is shown once."""
    wanted: dict[str, Any] = {"name": "n", "url": "https://x.example/", "events": ["memory.added"]}
    made = await api.ask("POST", "webhooks", wanted)
    assert made.status == 201
    assert made.body["signing_secret"].startswith("whsec_")
    (listed,) = (await api.ask("GET", "webhooks")).body["webhooks"]
    assert listed["id"] == made.body["id"]
    assert "signing_secret" not in listed
    for change, error in (
        ({"name": " "}, "name: required"),
        ({"url": "http://x.example/"}, "url: https is required"),
        ({"url": "https://u@x.example/"}, "url: userinfo is not allowed"),
        ({"events": []}, "events: required"),
        ({"events": ["x"]}, "events: unsupported event: x"),
    ):
        assert (await api.ask("POST", "webhooks", {**wanted, **change})).error == error
    assert (await api.ask("DELETE", f"webhooks/{listed['id']}")).status == 204
    assert (await api.ask("GET", "webhooks")).body == {"webhooks": []}


async def _state(api: Caller, job_id: str) -> dict[str, Any]:
    body: dict[str, Any] = (await api.ask("GET", f"ingest-jobs/{job_id}")).body
    return body


async def _ended(api: Caller, job_id: str) -> dict[str, Any]:
    return await until(
        lambda: _state(api, job_id), lambda job: job["state"] not in ("queued", "processing")
    )


async def test_on_aws_a_store_is_a_job_known_by_its_content(
    server: DevServer, api: Caller, session: Any
) -> None:
    """Equal content is the same job, done already; another key does not know it."""
    server.become("aws")
    first = await api.say("I like tea", session_id="s1")
    assert first.status == 202
    assert set(first.body) == {"job_id", "state"}
    job = await _ended(api, first.body["job_id"])
    assert (job["state"], job["attempts"]) == ("succeeded", 1)
    again = await api.say("I like tea", session_id="s1")
    assert again.body == {"job_id": first.body["job_id"], "state": "succeeded"}
    other = await api.say("I like tea", session_id="s1", metadata={"nonce": 1})
    assert other.body["job_id"] != first.body["job_id"]
    stranger = dataclasses.replace(api, key=server.provision())
    assert (await stranger.ask("GET", f"ingest-jobs/{first.body['job_id']}")).status == 404
    assert (await api.say("x", session_id="s1", mode="odd")).error == 'mode: unsupported mode "odd"'


async def test_on_aws_a_job_that_fails_for_good_is_dead_and_stays_so(
    server: DevServer, api: Caller
) -> None:
    """Sent again it is the same dead job; a changed payload is a new one."""
    server.become("aws")
    server.model.failing = "error"
    job = await _ended(api, (await api.say("I like tea", session_id="s1")).body["job_id"])
    assert (job["state"], job["attempts"], bool(job["error_class"])) == ("dead", 5, True)
    server.model.failing = None
    again = await api.say("I like tea", session_id="s1")
    assert again.body["state"] == "dead"
    fresh = await api.say("I like tea", session_id="s1", metadata={"nonce": 1})
    assert (await _ended(api, fresh.body["job_id"]))["state"] == "succeeded"


async def test_on_aws_a_stale_version_is_refused(server: DevServer, api: Caller) -> None:
    """412, and 400 for what is no version."""
    server.become("aws")
    await api.store(content="tea", sync=True)
    memory = (await api.find()).body["memories"][0]
    path = f"memories/{memory['id']}"
    for given, status in (("9", 412), ("0", 400), ("x", 400), (str(memory["version"]), 200)):
        answer = await api.ask("PUT", path, {"content": "x"}, headers={"If-Match": given})
        assert answer.status == status, given
