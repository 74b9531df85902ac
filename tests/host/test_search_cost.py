"""What a search costs: one request for many who ask the same, no wait for queued writes."""

import asyncio
from pathlib import Path

from pydantic import JsonValue

from tests.host.process import QUICK, credentials, plugin
from tests.host.scripted import Reply, ScriptedMem9

QUEUED = 1_000
_PATIENT = {**QUICK, "MEM9_ASYNC_ATTEMPT_TIMEOUT_MS": "900000"}
_EMPTY: dict[str, JsonValue] = {"memories": [], "total": 0, "limit": 30, "offset": 0}


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


async def test_a_thousand_queued_writes_hold_no_search_up(tmp_path: Path) -> None:
    """Writes that mem9 never answers keep their connections; searches have their own."""
    never = Reply(202, b'{"status": "accepted"}', delay_s=3_600.0)
    async with ScriptedMem9() as mem9, plugin(tmp_path, _PATIENT) as host:
        keys = credentials(mem9.base_url("busy", Reply.json(200, _EMPTY)), "sk-busy")
        mem9.answer_stores("busy", never)
        stores = [
            host.invoke("memory_store", fact(number), keys, user_id=f"user-{number % 40}")
            for number in range(QUEUED)
        ]
        for answer in await asyncio.gather(*stores):
            assert answer.json["ok"] is True
        for number in range(20):
            asked = {"query": f"favourite tea {number}"}
            assert (await host.invoke("memory_search", asked, keys)).json["ok"] is True

        assert (await host.invoke("memory_queue", {}, keys)).json["depth"] == QUEUED


def fact(number: int) -> dict[str, JsonValue]:
    """A fact of one of 200 sessions."""
    return {
        "content": f"Fact {number}: the user keeps the spare key of house {number} under a stone",
        "session_id": f"conv-{number % 200}",
    }
