"""Spaces do not get into each other's way, and none sees another."""

from functools import partial
from pathlib import Path

import pytest
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from tests.faults.server import FaultServer
from tests.host.conftest import Stage
from tests.host.process import QUICK, credentials, eventually, plugin, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_space_whose_key_is_refused_holds_up_no_other_and_tells_how_many_it_holds(
    tmp_path: Path,
) -> None:
    """Both on one mem9; the good one's stores arrive between the bad one's."""
    settings = {**QUICK, "MEM9_ASYNC_PARK_AUTH_INITIAL": "50ms", "MEM9_ASYNC_PARK_AUTH_MAX": "50ms"}
    async with FaultServer() as server, plugin(tmp_path, settings) as host:
        server.refused_keys.add("bad")
        good, bad = credentials(server.url, "good"), credentials(server.url, "bad")
        refused = 0
        for turn in range(20):
            for _ in range(5):
                refused += 1
                await store(host, bad, f"refused {refused}")
            await store(host, good, f"beside {turn}")
            await eventually(partial(server.records.arrived.__contains__, f"beside {turn}"))

        told = await until(
            lambda: store(host, bad, "one more"), lambda answer: "delivery" in answer
        )
        delivery = told["delivery"]
        assert isinstance(delivery, dict)
        assert (delivery["state"], delivery["code"]) == ("parked", "auth")
        assert delivery["held"] == refused + 1
        assert str(refused + 1) in str(delivery["note"])
        assert "delivery" not in await store(host, good, "all is well here")

        server.refused_keys.clear()
        everything = {f"refused {number + 1}" for number in range(refused)} | {"one more"}
        await eventually(lambda: everything <= server.records.arrived)
        await until(lambda: store(host, bad, "after"), lambda answer: "delivery" not in answer)


async def store(host: PluginHost, keys: dict[str, JsonValue], content: str) -> dict[str, JsonValue]:
    """Store *content*; the call itself is always accepted."""
    answer = (await host.invoke("memory_store", {"content": content}, keys)).json
    assert answer["ok"] is True
    return answer


async def test_in_multi_space_each_node_has_its_own_space(stage: Stage) -> None:
    """The node's key is used everywhere, the one in the credentials nowhere."""
    url = stage.mem9.base_url("multi")
    keys = {**credentials(url, "sk-ignored"), "auth_mode": "multi_space"}
    for node in ("sk-node-1", "sk-node-2"):
        parameters = {"content": f"Fact for {node}", "api_key": node, "wait": True}
        assert (await stage.host.invoke("memory_store", parameters, keys)).json["ok"] is True
        parameters = {"query": "fact", "api_key": f" {node} "}
        assert (await stage.host.invoke("memory_search", parameters, keys)).json["ok"] is True
        for tool in ("memory_list", "memory_queue"):
            answer = await stage.host.invoke(tool, {"api_key": node}, keys)
            assert answer.json["ok"] is True
        assert answer.json["delivered"] == 1

    asked = stage.mem9.of_memories("multi")
    assert [request.key for request in asked] == ["sk-node-1"] * 3 + ["sk-node-2"] * 3
    posts = [request.json for request in asked if request.method == "POST"]
    assert [post["messages"][0]["content"] for post in posts] == [
        "Fact for sk-node-1",
        "Fact for sk-node-2",
    ]


@pytest.mark.parametrize("tool", ["memory_store", "memory_search", "memory_list", "memory_get",
                                  "memory_update", "memory_delete", "memory_queue"])  # fmt: skip
async def test_in_multi_space_a_node_without_a_key_is_told_so(stage: Stage, tool: str) -> None:
    """Whatever the tool, and although the credentials hold one."""
    url = stage.mem9.base_url(f"no-key-{tool}")
    keys = {**credentials(url, "sk-ignored"), "auth_mode": "multi_space"}
    parameters = {"content": "x", "query": "x", "memory_id": "m1", "memory_ids": "m1"}
    answer = (await stage.host.invoke(tool, parameters, keys)).json

    assert (answer["ok"], answer["code"]) == (False, "missing_api_key")
    assert "single_space" in str(answer["error"])
    assert stage.mem9.asked[f"no-key-{tool}"] == []
