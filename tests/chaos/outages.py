"""A server that goes and comes, and one that takes five seconds for everything."""

import asyncio
import random
import time
from pathlib import Path

from tests.chaos.row import Row, over, row, upkeep
from tests.faults import plugin as plugins
from tests.faults import scripts
from tests.faults.drain import GUARD_S, drained, until
from tests.faults.load import Load as Book
from tests.faults.load import store_one, under_load
from tests.faults.oracle import LaneName, Oracle
from tests.faults.plugin import Plugin
from tests.faults.server import FaultServer

_RECOVERED_S = 5.0  # a fresh job on an untouched lane, after the faults have ended
_SLOW_S = 5.0


async def flapping(directory: Path, seed: int, *, full: bool) -> Row:
    """The server goes down and comes up again, under load."""
    rng = random.Random(seed)
    oracle = Oracle(f"flap-{seed}")
    lanes = plugins.lanes(12, spaces=3, run=oracle.run)
    fresh = LaneName("fresh", key=lanes[0].key, session_id="fresh", user_id="fresh")
    flaps = 40 if full else 4
    async with FaultServer() as server, Plugin(directory, server.url) as plugin:
        await plugin.host.started()
        async with under_load(plugin, oracle, lanes, rng) as load:
            for _ in range(flaps):
                await server.down()
                await asyncio.sleep(rng.uniform(0.1, 1.0))
                await server.up()
                await asyncio.sleep(rng.uniform(0.1, 1.0))
        began = time.monotonic()
        await store_one(plugin, oracle, fresh, load)
        wanted = {text for text, minted in oracle.minted.items() if minted.lane == fresh}
        await until(lambda: wanted <= server.records.arrived, GUARD_S)
        fresh_s = time.monotonic() - began
        keys = sorted({lane.key for lane in lanes})
        await drained(plugin, server, oracle, keys, GUARD_S)
        drain_s = time.monotonic() - began
        report = oracle.judge(server.records.stores())
        problems = report.faults() + upkeep([plugin], directory, lanes, oracle.run)
        problems += over("fresh job after the outage", fresh_s, _RECOVERED_S, full=full)
        if load.refused:
            problems.append(f"{len(load.refused)} stores refused")
        told = sum([(await plugin.queue(key)).redelivered for key in keys])
        # A job that came three times is told once.
        repeated = len(oracle.repeated(server.records.taken()))
        if told < repeated:
            problems.append(f"{repeated} jobs came more than once, {told} told")
    return row(
        "flapping server",
        report,
        seed=seed,
        runs=flaps,
        worst=f"fresh job {fresh_s:.2f} s, drain {drain_s:.1f} s, "
        f"p99 answer {load.quantile_s(0.99) * 1000:.0f} ms",
        problems=problems,
    )


async def slow_server(directory: Path, seed: int, *, full: bool) -> Row:
    """mem9 takes 5 s for each request; memory_store answers as fast as with a quick one."""
    rng = random.Random(seed)
    oracle = Oracle(f"slow-{seed}")
    lanes = plugins.lanes(8, spaces=4, run=oracle.run)
    settings = {"MEM9_ASYNC_ATTEMPT_TIMEOUT_MS": "15000"}
    length_s = 12.0 if full else 2.5
    async with FaultServer() as server, Plugin(directory, server.url, settings=settings) as plugin:
        await plugin.host.started()
        async with under_load(plugin, oracle, lanes, rng):
            await asyncio.sleep(1.0)  # the first calls of a process are slower
        books: dict[str, Book] = {}
        for name, delay_s in (("quick", 0.0), ("slow", _SLOW_S)):
            script = scripts.accept(delay_s=delay_s)
            server.decide = lambda _, script=script: script  # type: ignore[misc]
            async with under_load(plugin, oracle, lanes, rng) as books[name]:
                await asyncio.sleep(length_s)
        server.clear()
        await drained(plugin, server, oracle, sorted({lane.key for lane in lanes}), GUARD_S)
        report = oracle.judge(server.records.stores())
        problems = report.faults(duplicates_at_most=0)
        problems += upkeep([plugin], directory, lanes, oracle.run)
    quick, slow = books["quick"], books["slow"]
    problems += over(
        "p50 answer with a slow server",
        slow.quantile_s(0.5),
        2 * quick.quantile_s(0.5) + 0.005,
        full=full,
    )
    problems += over(
        "p99 answer with a slow server",
        slow.quantile_s(0.99),
        2 * quick.quantile_s(0.99) + 0.05,
        full=full,
    )
    if not quick.answers_s or not slow.answers_s:
        problems.append("no call was answered")
    if full and len(slow.answers_s) < len(quick.answers_s) / 2:
        problems.append(f"{len(slow.answers_s)} calls answered, {len(quick.answers_s)} with quick")
    return row(
        "server takes 5 s",
        report,
        seed=seed,
        runs=1,
        worst=f"p50/p99 answer {slow.quantile_s(0.5) * 1000:.1f}/"
        f"{slow.quantile_s(0.99) * 1000:.0f} ms, quick {quick.quantile_s(0.5) * 1000:.1f}/"
        f"{quick.quantile_s(0.99) * 1000:.0f} ms",
        problems=problems,
    )
