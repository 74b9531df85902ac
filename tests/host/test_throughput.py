"""Many calls at once: all answered, stdout kept clean, heartbeats on time, stores never slowed."""

import asyncio
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from tests.faults.scripts import accept
from tests.faults.server import FaultServer, RefusedPort
from tests.host.process import HELD_BACK, QUICK, ROOT, credentials, eventually, plugin, tell

CALLS, AT_ONCE = 3_000, 128
HEARTBEAT_GAP_S = 15.0
FIRST_HEARTBEAT_S = 5.0
KEY = "sk-throughput"


async def test_three_thousand_calls_at_once_are_all_answered_and_stdout_stays_json(
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

        began = time.monotonic()
        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
        took_s = time.monotonic() - began
        expected = oks["memory_store"]
        await eventually(lambda: len(server.records.arrived) == expected, within_s=60)
        beats = len(host.heartbeats)
        await eventually(lambda: len(host.heartbeats) > beats)

        tell(f"{CALLS} calls, {AT_ONCE} at a time: {CALLS / took_s:.0f}/s, {len(host.logs)} logs")
        assert oks.total() == CALLS
        assert host.lines_not_json == []
        assert host.errors == []
        assert Counter(log.event for log in host.logs)["job.accepted"] == expected
        pairs = zip(host.heartbeats, host.heartbeats[1:], strict=False)
        assert max(later - earlier for earlier, later in pairs) < HEARTBEAT_GAP_S


def _mixed(number: int) -> tuple[str, dict[str, JsonValue]]:
    """Mostly stores, from 300 sessions; every tenth call a search, some a look at the queue."""
    if number % 10 == 3:
        return "memory_search", {"query": f"fact {number}"}
    if number % 50 == 7:
        return "memory_queue", {}
    return "memory_store", {"content": f"fact {number}", "session_id": f"conv-{number % 300}"}


async def test_the_first_heartbeat_comes_within_five_seconds_and_before_any_request(
    tmp_path: Path,
) -> None:
    """Even with jobs of an earlier process waiting to be sent."""
    async with FaultServer() as server:
        keys = credentials(server.url, KEY)
        async with plugin(tmp_path, HELD_BACK) as host:
            await host.invoke("memory_store", {"content": "User likes tea"}, keys)
            assert len(server.records) == 0
        async with PluginHost(ROOT, {**QUICK, "MEM9_ASYNC_DATA_DIR": str(tmp_path)}) as host:
            first_s = await host.started()
            await eventually(lambda: len(server.records.arrived) == 1)

            tell(f"first heartbeat after {first_s:.2f} s")
            assert first_s <= FIRST_HEARTBEAT_S or first_s <= 1.5 * await sdk_s()
            assert server.records.all[0].arrived_at > host.heartbeats[0]


async def test_a_store_is_answered_as_fast_with_mem9_slow_or_down_as_with_a_quick_one(
    tmp_path: Path,
) -> None:
    """The three compared in turns, in one run."""
    async with FaultServer() as server, plugin(tmp_path) as host:
        server.decide = lambda asked: accept(delay_s=5.0 if asked.key == "slow" else 0.0)
        with RefusedPort() as refused:
            url = refused.url
        spaces = {
            "quick": credentials(server.url, "quick"),
            "slow": credentials(server.url, "slow"),
            "down": credentials(url, "down"),
        }
        times: dict[str, list[float]] = defaultdict(list)
        for number in range(100):
            for name, keys in spaces.items():
                parameters = {"content": f"fact {number}", "session_id": f"conv-{number % 10}"}
                answer = await host.invoke("memory_store", parameters, keys)
                assert answer.json["ok"] is True
                times[name].append(answer.elapsed_s)

        p50 = {name: median(each) for name, each in times.items()}
        tell({name: f"{seconds * 1000:.2f} ms" for name, seconds in p50.items()})
        assert p50["slow"] < 3 * p50["quick"]
        assert p50["down"] < 3 * p50["quick"]


async def test_bursts_of_many_sessions_need_few_requests_and_keep_their_order(
    tmp_path: Path,
) -> None:
    """1,000 stores of 200 sessions within two seconds, with the waits as they are by default."""
    async with FaultServer() as server, plugin(tmp_path, {}) as host:
        keys = credentials(server.url, KEY)

        async def burst(session: int) -> None:
            await asyncio.sleep(session / 200 * 1.5)
            for number in range(5):
                parameters: dict[str, JsonValue] = {
                    "content": f"fact {number} of session {session}",
                    "session_id": f"conv-{session}",
                }
                assert (await host.invoke("memory_store", parameters, keys)).json["ok"] is True

        began = time.monotonic()
        await asyncio.gather(*map(burst, range(200)))
        took_s = time.monotonic() - began
        await eventually(lambda: len(server.records.arrived) == 1_000, within_s=30)

        requests = server.records.taken()
        tell(f"1,000 stores in {took_s:.1f} s: {len(requests)} requests")
        assert len(requests) <= 250
        arrived: dict[str, list[str]] = defaultdict(list)
        for request in requests:
            arrived[str(request.session_id)] += request.contents
        for session in range(200):
            wanted = [f"fact {number} of session {session}" for number in range(5)]
            assert arrived[f"conv-{session}"] == wanted


async def test_people_without_a_session_are_never_in_one_request(tmp_path: Path) -> None:
    """40 stores of ten people at once: few requests, each of one person."""
    async with FaultServer() as server, plugin(tmp_path, {}) as host:
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
        await eventually(lambda: len(server.records.arrived) == 40)

        requests = server.records.taken()
        tell(f"40 stores of 10 people: {len(requests)} requests")
        assert len(requests) <= 20
        for request in requests:
            assert len({content.split(" says ")[0] for content in request.contents}) == 1


async def sdk_s() -> float:
    """How long importing the SDK alone takes at present: on a slow machine, most of the start."""
    began = time.monotonic()
    sdk = await asyncio.create_subprocess_exec(sys.executable, "-c", "import dify_plugin")
    assert await sdk.wait() == 0
    return time.monotonic() - began
