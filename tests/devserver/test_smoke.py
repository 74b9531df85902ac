"""What a smoke test written for a real mem9 walks through, on both API versions."""

import dataclasses
from typing import Any

import pytest

from tests.devserver.caller import Caller

both_versions = pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2"])


async def _newcomer(api: Caller, version: str, agent: str) -> Caller:
    answer = await api.ask("POST", "/v1alpha1/mem9s")
    assert answer.status == 201
    return dataclasses.replace(api, key=answer.body["id"], version=version, agent=agent)


@both_versions
async def test_the_life_of_a_memory(api: Caller, version: str) -> None:
    """Store both ways, refuse what is malformed, list, search, get, change, delete."""
    caller = await _newcomer(api, version, "smoke-agent")
    turns = [
        {"role": "user", "content": "How do I start the server here?"},
        {"role": "assistant", "content": "Set its address and run it."},
        {"role": "user", "content": "Our database is TiDB."},
    ]
    for body in (
        {"messages": turns, "session_id": "smoke"},
        {"content": "The router is scoped by tenant and searches TiDB.", "session_id": "smoke"},
        {"content": "hello", "tags": ["test"]},
    ):
        stored = await caller.store(**body)
        assert (stored.status, stored.body) == (202, {"status": "accepted"})
    both = {"content": "hello", "messages": [{"role": "user", "content": "hi"}]}
    assert (await caller.store(**both)).status == 400
    assert (await caller.store()).status == 400

    listed = (await caller.find(limit=50)).body
    assert listed["total"] == len(listed["memories"]) == 3
    assert listed["memories"][0]["relative_age"] == "just now"
    found = (await caller.find(q="TiDB")).body["memories"]
    assert found[0]["confidence"] >= 65
    assert (await caller.find(q="xyzzy_no_such_word")).body["memories"] == []
    assert (await caller.find(tags="test")).contents == ["hello"]
    assert (await caller.find(tags="tidb")).body["memories"] == []

    path = f"memories/{listed['memories'][0]['id']}"
    got = (await caller.ask("GET", path)).body
    change = {"content": got["content"] + " (changed)", "tags": ["smoke", "updated"]}
    changed = await caller.ask("PUT", path, change)
    assert changed.body["version"] == got["version"] + 1
    assert "updated" in changed.body["tags"]
    stale = await caller.ask(
        "PUT", path, {"content": "stale"}, headers={"If-Match": str(got["version"])}
    )
    assert stale.status == 200
    assert (await caller.ask("DELETE", path)).status == 204
    assert (await caller.ask("GET", path)).status == 404
    assert (await caller.ask("DELETE", path)).status == 204


@both_versions
async def test_the_life_of_a_conversation(api: Caller, version: str) -> None:
    """Raw messages are found by type and beside facts, scoped by session, and sent twice once."""
    caller = await _newcomer(api, version, "smoke-sessions")
    marker = "SMOKE_SESSION_17"
    body = {
        "messages": [
            {"role": "user", "content": f"{marker} is a smoke test."},
            {"role": "assistant", "content": f"Noted: {marker} is one."},
            {"role": "user", "content": f"{marker} looks for words."},
            {"role": "assistant", "content": "Yes, by words."},
        ],
        "session_id": "smoke-s1",
    }

    async def found(**params: Any) -> list[dict[str, Any]]:
        memories: list[dict[str, Any]] = (await caller.find(q=marker, **params)).body["memories"]
        return memories

    assert (await caller.store(**body)).status == 202
    raw = await found(memory_type="session", limit=10)
    assert len(raw) == 3
    assert {memory["memory_type"] for memory in raw} == {"session"}
    assert {"role", "seq", "content_type"} <= set(raw[0]["metadata"])
    assert "session" in {memory["memory_type"] for memory in await found(limit=20)}
    insights = await found(memory_type="insight", limit=20)
    assert {memory["memory_type"] for memory in insights} == {"insight"}
    listed = (await caller.find(limit=50)).body["memories"]
    assert "session" not in {memory["memory_type"] for memory in listed}
    scoped = await found(memory_type="session", session_id="smoke-s1", limit=20)
    assert {memory["session_id"] for memory in scoped} == {"smoke-s1"}
    assert await found(memory_type="session", session_id="another") == []

    assert (await caller.store(**body)).status == 202
    assert len(await found(memory_type="session", limit=100)) == 3


async def test_both_versions_show_the_same_space(api: Caller) -> None:
    """Totals, order and changes are equal whichever way one asks."""
    by_path = dataclasses.replace(api, version="v1alpha1")
    await api.store(content="seeded on two", tags=["seed"])
    await by_path.store(content="seeded on one", tags=["seed"])

    assert (await api.find()).body == (await by_path.find()).body
    assert (await api.find(tags="seed")).body["total"] == 2
    memory_id = (await api.find()).body["memories"][0]["id"]
    await by_path.ask("PUT", f"memories/{memory_id}", {"content": "changed on one"})
    assert (await api.ask("GET", f"memories/{memory_id}")).body["content"] == "changed on one"


@pytest.mark.parametrize("is_bare", [False, True])
async def test_a_local_check_passes_without_llm_and_embedder(
    api: Caller, bare_api: Caller, *, is_bare: bool
) -> None:
    """Refused keys, a synchronous store, tags, a recall with confidence, change and delete."""
    caller = dataclasses.replace(bare_api if is_bare else api, agent="local")
    assert (await dataclasses.replace(caller, key="").find(limit=1)).status == 400
    assert (await dataclasses.replace(caller, key="nobody").find(limit=1)).status == 400
    marker = "LOCAL_SMOKE_17"
    content = f'what is {marker}? "{marker}" is "LOCAL_SERVER".'
    stored = await caller.store(content=content, tags=["local", marker], sync=True)
    assert (stored.status, stored.body) == (200, {"status": "ok"})

    (memory,) = (await caller.find(tags="local", limit=20)).body["memories"]
    assert memory["content"] == content
    (found,) = (await caller.find(q=f"what is {marker}", memory_type="insight")).body["memories"]
    assert found["id"] == memory["id"]
    assert found["confidence"] >= 65
    path = f"memories/{memory['id']}"
    changed = await caller.ask(
        "PUT", path, {"content": content + " updated", "tags": ["local"], "sync": True}
    )
    assert changed.body["content"].endswith("updated")
    assert (await caller.ask("DELETE", path)).status == 204
    assert (await caller.ask("GET", path)).status == 404
