"""Many calls at once: all answered, stdout kept clean, stores never held up by mem9."""

import asyncio
from collections import Counter, defaultdict
from pathlib import Path

from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from tests.faults.scripts import hang
from tests.faults.server import FaultServer, RefusedPort
from tests.host.process import HELD_BACK, QUICK, ROOT, credentials, eventually, plugin

CALLS, AT_ONCE = 1_000, 128
KEY = "sk-throughput"


async def test_a_thousand_calls_at_once_are_all_answered_and_stdout_stays_json(
    tmp_path: Path,
) -> None:
    """At DEBUG with delivery running; and the process goes on to say that it is alive."""
    settings = {"MEM9_ASYNC_LOG_LEVEL": "debug", "HEARTBEAT_INTERVAL": "1"}
    async with FaultServer() as server, plugin(tmp_path, settings, logs_kept=100_000) as host:
        keys = credentials(server.url, KEY)
        numbers = iter(range(CALLS))
        oks: Counter[str] = Counter()

        async def caller() -> None:
            for number in numbers:
                tool, parameters = _mixed(number)
                answer = await host.invoke(tool, parameters, keys, user_id=f"user-{number % 40}")
                oks[tool] += answer.json["ok"] is True

        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
        expected = oks["memory_store"]
        await eventually(lambda: len(server.records.arrived) == expected)
        beats = len(host.heartbeats)
        await eventually(lambda: len(host.heartbeats) > beats)

        assert oks.total() == CALLS
        assert host.lines_not_json == []
        assert host.errors == []
        assert Counter(log.event for log in host.logs)["job.accepted"] == expected


def _mixed(number: int) -> tuple[str, dict[str, JsonValue]]:
    """Mostly stores, from 300 sessions; every tenth call a search, some a look at the queue."""
    if number % 10 == 3:
        return "memory_search", {"query": f"fact {number}"}
    if number % 50 == 7:
        return "memory_queue", {}
    return "memory_store", {"content": f"fact {number}", "session_id": f"conv-{number % 300}"}


async def test_the_first_heartbeat_comes_before_any_request(
    tmp_path: Path,
) -> None:
    """Even with jobs of an earlier process waiting to be sent."""
    async with FaultServer() as server:
        keys = credentials(server.url, KEY)
        async with plugin(tmp_path, HELD_BACK) as host:
            await host.invoke("memory_store", {"content": "User likes tea"}, keys)
            assert len(server.records) == 0
        async with PluginHost(ROOT, {**QUICK, "MEM9_ASYNC_DATA_DIR": str(tmp_path)}) as host:
            await host.started()
            await eventually(lambda: len(server.records.arrived) == 1)

            assert server.records.all[0].arrived_at > host.heartbeats[0]


async def test_a_store_is_answered_while_mem9_hangs_or_is_down(tmp_path: Path) -> None:
    """No answer waits for a request: all of them come while none is answered."""
    settings = {**QUICK, "MEM9_ASYNC_ATTEMPT_TIMEOUT_MS": "900000"}
    async with FaultServer() as server, plugin(tmp_path, settings) as host:
        server.decide = lambda _: hang(take=False)
        with RefusedPort() as refused:
            url = refused.url
        for keys in (credentials(server.url, "hangs"), credentials(url, "down")):
            for number in range(100):
                parameters = {"content": f"fact {number}", "session_id": f"conv-{number % 10}"}
                assert (await host.invoke("memory_store", parameters, keys)).json["ok"] is True

        await eventually(lambda: len(server.records) > 0)
        assert all(record.finished_at is None for record in server.records)


async def test_bursts_of_many_sessions_need_few_requests_and_keep_their_order(
    tmp_path: Path,
) -> None:
    """1,000 stores of 200 sessions that nothing separates: one request a session."""
    async with FaultServer() as server, plugin(tmp_path, HELD_BACK) as host:
        keys = credentials(server.url, KEY)

        async def burst(session: int) -> None:
            for number in range(5):
                parameters: dict[str, JsonValue] = {
                    "content": f"fact {number} of session {session}",
                    "session_id": f"conv-{session}",
                }
                assert (await host.invoke("memory_store", parameters, keys)).json["ok"] is True

        await asyncio.gather(*map(burst, range(200)))
        await host.invoke("memory_queue", {"action": "flush"}, keys)
        await eventually(lambda: len(server.records.arrived) == 1_000)

        requests = server.records.taken()
        assert len(requests) == 200
        arrived: dict[str, list[str]] = defaultdict(list)
        for request in requests:
            arrived[str(request.session_id)] += request.contents
        for session in range(200):
            wanted = [f"fact {number} of session {session}" for number in range(5)]
            assert arrived[f"conv-{session}"] == wanted


async def test_people_without_a_session_are_never_in_one_request(tmp_path: Path) -> None:
    """40 stores of ten people at once: one request a person."""
    async with FaultServer() as server, plugin(tmp_path, HELD_BACK) as host:
        keys = credentials(server.url, KEY)
        stores = [
            host.invoke(
                "memory_store",
                {"content": f"person {number % 10} says {number}"},
                keys,
                user_id=f"person-{number % 10}",
            )
            for number in range(40)
        ]
        for answer in await asyncio.gather(*stores):
            assert answer.json["ok"] is True
        await host.invoke("memory_queue", {"action": "flush"}, keys)
        await eventually(lambda: len(server.records.arrived) == 40)

        requests = server.records.taken()
        assert len(requests) == 10
        for request in requests:
            assert len({content.split(" says ")[0] for content in request.contents}) == 1
