"""What a search costs: one request for many who ask the same, and no delay by queued writes."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles

import pytest
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from tests.host.process import credentials, plugin, tell
from tests.host.scripted import Reply, ScriptedMem9

QUEUED = 1_000
ROUNDS, SEARCHES = 5, 25
ANSWER_S = 0.05
_EMPTY = {"memories": [], "total": 0, "limit": 30, "offset": 0}


async def test_fifty_identical_searches_at_once_are_one_request(tmp_path: Path) -> None:
    """Everyone gets the same answer; another question is a request of its own."""
    found = Reply(
        200,
        Reply.json(200, {**_EMPTY, "memories": [{"id": "m1", "content": "User likes tea"}]}).body,
        delay_s=1.0,
    )
    async with ScriptedMem9() as mem9, plugin(tmp_path) as host:
        keys = credentials(mem9.base_url("same", found), "sk-same")
        asks = [host.invoke("memory_search", {"query": "tea"}, keys) for _ in range(50)]
        asks.append(host.invoke("memory_search", {"query": "coffee"}, keys))
        answers = [answer.json for answer in await asyncio.gather(*asks)]

        assert all(answer["ok"] is True for answer in answers)
        assert [answer["result_count"] for answer in answers] == [1] * 51
        queries = [asked.query["q"] for asked in mem9.of_memories("same")]
        assert sorted(queries) == ["coffee", "tea"]


@pytest.mark.timeout(180)
async def test_a_thousand_queued_writes_leave_searches_as_fast_as_they_were(
    tmp_path: Path,
) -> None:
    """Two processes in turns, one with a full queue and a mem9 that takes five seconds a write."""
    slow = Reply(202, b'{"status": "accepted"}', delay_s=5.0)
    quick = Reply(200, Reply.json(200, _EMPTY).body, delay_s=ANSWER_S)
    async with ScriptedMem9() as mem9, AsyncExitStack() as stack:
        url = mem9.base_url("busy", quick)
        mem9.answer_stores("busy", slow)
        keys = credentials(url, "sk-busy")
        idle = await stack.enter_async_context(plugin(tmp_path / "idle"))
        busy = await stack.enter_async_context(plugin(tmp_path / "busy"))
        stores = [
            busy.invoke("memory_store", fact(number), keys, user_id=f"user-{number % 40}")
            for number in range(QUEUED)
        ]
        for answer in await asyncio.gather(*stores):
            assert answer.json["ok"] is True

        p95: dict[str, list[float]] = {"idle": [], "busy": []}
        for number in range(ROUNDS + 1):
            for name, host in (("idle", idle), ("busy", busy)):
                times = [
                    await search_s(host, keys, f"{name} {number} {n}") for n in range(SEARCHES)
                ]
                if number:  # the first round warms up
                    p95[name].append(quantiles(times, n=20)[-1])
        left = (await busy.invoke("memory_queue", {}, keys)).json["depth"]

        ratio = median(p95["busy"]) / median(p95["idle"])
        shown = {name: f"{median(each) * 1000:.1f} ms" for name, each in p95.items()}
        tell(f"p95 of a search: {shown}, {left} writes queued: x{ratio:.2f}")
        assert isinstance(left, int)
        assert left > QUEUED / 2
        assert ratio < 1.5


def fact(number: int) -> dict[str, JsonValue]:
    """A fact of one of 200 sessions."""
    return {
        "content": f"Fact {number}: the user keeps the spare key of house {number} under a stone",
        "session_id": f"conv-{number % 200}",
    }


async def search_s(host: PluginHost, keys: dict[str, JsonValue], query: str) -> float:
    """How long one search took, in seconds."""
    answer = await host.invoke("memory_search", {"query": f"favourite tea {query}"}, keys)
    assert answer.json["ok"] is True
    return answer.elapsed_s
