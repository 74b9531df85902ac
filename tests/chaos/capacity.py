"""A queue that is full, and a start with a hundred thousand jobs."""

import asyncio
import time
from itertools import batched
from pathlib import Path

from pydantic import SecretStr

from mem9_async.models.job import Message, NewJob, Turn
from mem9_async.models.space import Lane, Space
from mem9_async.runtime.storage.storage import open_storage
from mem9_async.settings import Settings
from tests.chaos.row import Row, over, row, upkeep
from tests.faults import plugin as plugins
from tests.faults.drain import GUARD_S, drained, until
from tests.faults.load import Load, store_one
from tests.faults.oracle import LaneName, Oracle
from tests.faults.plugin import ROOT, Plugin
from tests.faults.server import FaultServer

_ACCEPT_TIMEOUT_S = 0.25
_ANSWER_MARGIN_S = 0.05
_ROOM_S = 1.0
_GROWTH_MIB = 5.0
_HEARTBEAT_S = 5.0
_FIRST_ANSWER_S = 1.0


async def queue_full(directory: Path, seed: int, *, full: bool) -> Row:
    """The server is down until the queue refuses; refusals are quick, clear and cost nothing."""
    capacity = 2_000 if full else 200
    refusals = 50_000 if full else 1_000
    settings = {
        "MEM9_ASYNC_JOURNAL_MAX_JOBS": str(capacity),
        "MEM9_ASYNC_LOG_LEVEL": "info",
        "MEM9_ASYNC_ACCEPT_TIMEOUT_MS": str(int(_ACCEPT_TIMEOUT_S * 1000)),
    }
    oracle = Oracle(f"full-{seed}")
    lanes = plugins.lanes(16, spaces=8, run=oracle.run)
    keys = sorted({lane.key for lane in lanes})
    problems = list[str]()
    async with FaultServer() as server, Plugin(directory, server.url, settings=settings) as plugin:
        await server.down()
        await plugin.host.started()
        filling = Load()
        while not filling.refused and len(oracle.minted) < 3 * capacity:
            await asyncio.gather(*(store_one(plugin, oracle, lane, filling) for lane in lanes))
        refusing = Load()
        await _refused(plugin, oracle, lanes, refusing, refusals // 10)
        before_mib = _memory_mib(plugin.host.pid)
        await _refused(plugin, oracle, lanes, refusing, refusals)
        grown_mib = _memory_mib(plugin.host.pid) - before_mib
        slowest_s = refusing.quantile_s(0.99)
        problems += over("p99 refusal", slowest_s, _ACCEPT_TIMEOUT_S + _ANSWER_MARGIN_S, full=full)
        problems += over("memory grown by", grown_mib, _GROWTH_MIB, "MiB", full=full)
        codes = {answer.code for answer in refusing.refused}
        if codes != {"queue_full"}:
            problems.append(f"refused as {codes or 'nothing'}")
        if any(answer.error in (None, "") for answer in refusing.refused):
            problems.append("a refusal without a reason")
        await server.up()
        accepted_s = await _accepted_again_s(plugin, server, oracle, lanes[0])
        problems += over("accepts again after room came", accepted_s, _ROOM_S, full=full)
        await drained(plugin, server, oracle, keys, GUARD_S)
        report = oracle.judge(server.records.stores())
        problems += report.faults(duplicates_at_most=0)
        problems += upkeep([plugin], directory, lanes, oracle.run)
    return row(
        f"queue full at {capacity}",
        report,
        seed=seed,
        runs=len(refusing.refused),
        worst=f"p99 refusal {slowest_s * 1000:.0f} ms, memory {grown_mib:+.1f} MiB, "
        f"accepts {accepted_s:.2f} s after room",
        problems=problems,
    )


async def big_start(directory: Path, seed: int, *, full: bool) -> Row:
    """Start on a journal with very many jobs: alive, answering and delivering at once."""
    count = 100_000 if full else 5_000
    oracle = Oracle(f"big-{seed}")
    lanes = plugins.lanes(500, spaces=100, run=oracle.run)
    fresh = LaneName("fresh", key=f"key-{oracle.run}-fresh", session_id="fresh", user_id="fresh")
    settings = {
        "MEM9_ASYNC_JOURNAL_MAX_JOBS": str(2 * count),
        "MEM9_ASYNC_LOG_LEVEL": "info",
    }
    problems, load = list[str](), Load()
    async with FaultServer() as server:
        await asyncio.to_thread(_fill, directory, server.url, oracle, lanes, count)
        async with Plugin(directory, server.url, settings=settings) as plugin:
            start_s = await plugin.host.started()
            beat_at = time.monotonic()
            await store_one(plugin, oracle, fresh, load)
            answer_s = time.monotonic() - beat_at
            await until(lambda: bool(server.records.arrived), GUARD_S)
            delivery_s = time.monotonic() - beat_at
            keys = sorted({lane.key for lane in lanes} | {fresh.key})
            await until(lambda: not oracle.missing(server.records.arrived), 600.0, every_s=0.5)
            drain_s = time.monotonic() - beat_at
            await drained(plugin, server, oracle, keys, GUARD_S)
            memory_mib = _memory_mib(plugin.host.pid)
            report = oracle.judge(server.records.stores())
            problems += over("first heartbeat", start_s, _HEARTBEAT_S, full=full)
            problems += over("first answer", answer_s, _FIRST_ANSWER_S, full=full)
            problems += report.faults(duplicates_at_most=0)
            problems += upkeep([plugin], directory, [*lanes, fresh], oracle.run)
    return row(
        f"start with {count:,} jobs",
        report,
        seed=seed,
        runs=1,
        worst=f"heartbeat {start_s:.1f} s, first answer {answer_s:.2f} s, first delivery "
        f"{delivery_s:.2f} s, drained {drain_s:.0f} s, {memory_mib:.0f} MiB",
        problems=problems,
    )


async def _refused(
    plugin: Plugin, oracle: Oracle, lanes: list[LaneName], load: Load, count: int
) -> None:
    """Store until *count* more were refused."""
    wanted = len(load.refused) + count
    while len(load.refused) < wanted and load.unanswered == 0:
        await asyncio.gather(*(store_one(plugin, oracle, lane, load) for lane in lanes))


async def _accepted_again_s(
    plugin: Plugin, server: FaultServer, oracle: Oracle, lane: LaneName
) -> float:
    """Seconds from the first delivery after the outage to the next accepted store."""
    await until(lambda: bool(server.records.arrived), GUARD_S)
    # A fifth of the queue has to leave: it accepts again below 90 %.
    wanted = len(oracle.acknowledged) // 5
    await until(lambda: len(server.records.arrived) >= wanted, GUARD_S)
    began = time.monotonic()
    while time.monotonic() - began < GUARD_S:
        answer = await store_one(plugin, oracle, lane, Load())
        if answer is not None and answer.job_id is not None:
            break
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def _fill(directory: Path, url: str, oracle: Oracle, lanes: list[LaneName], count: int) -> None:
    """Write *count* jobs into a journal as a process that then dies would have left them."""
    storage = open_storage(Settings(data_dir=directory), ROOT)
    now = time.time() - 60.0
    for numbers in batched(range(count), 1_000):
        jobs = []
        for number in numbers:
            minted = oracle.mint(lanes[number % len(lanes)])
            lane = minted.lane
            space = Space(base_url=url, api_key=SecretStr(lane.key))
            message = Message(role="user", content=minted.content)
            jobs.append(
                NewJob(
                    lane=Lane(
                        space=space,
                        agent_id="dify",
                        session_id=lane.session_id,
                        user_id=lane.user_id,
                    ),
                    payload=Turn(messages=(message,)),
                )
            )
            oracle.acknowledge(minted)
        storage.journal.append(jobs, now)
    storage.journal.close()
    if storage.claim is None:
        raise AssertionError(f"no journal on disk: {storage.reason}")
    storage.claim.release()


def _memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kib) / 1024
