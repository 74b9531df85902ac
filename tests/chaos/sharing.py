"""Two processes on one directory, and a hundred spaces of which one is stuck."""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos.row import Row, over, row, upkeep
from tests.faults import plugin as plugins
from tests.faults import scripts
from tests.faults.drain import GUARD_S, drained, until
from tests.faults.load import Load, store_one, under_load
from tests.faults.oracle import LaneName, Minted, Oracle, quantile
from tests.faults.plugin import Plugin
from tests.faults.server import FaultServer

_TAKEN_OVER_S = 5.0
_STUCK_RATIO = 1.2
_SPACES = 100
_PERIOD_S = 1.0  # each space stores this often


async def two_processes(directory: Path, seed: int, *, full: bool) -> Row:
    """Two processes share a directory; the owner of a journal is killed, the other adopts it.

    A process that comes after a kill gets lanes of its own: two live processes do not order
    one lane between them.
    """
    rng = random.Random(seed)
    oracle = Oracle(f"two-{seed}")
    kills = 30 if full else 1
    used: list[LaneName] = []
    everyone: list[Plugin] = []
    problems, takeovers_s = list[str](), list[float]()
    refused = 0

    def lanes() -> list[LaneName]:
        fresh = [
            LaneName(f"lane-{n}", f"key-{oracle.run}-{n % 3}", f"session-{n}", f"person-{n}")
            for n in range(len(used), len(used) + 6)
        ]
        used.extend(fresh)
        return fresh

    async with FaultServer() as server, AsyncExitStack() as stack:
        script = scripts.accept(delay_s=0.02)
        server.decide = lambda _: script

        async def start() -> Plugin:
            process = await stack.enter_async_context(Plugin(directory, server.url))
            everyone.append(process)
            await process.host.started()
            return process

        live = [await start(), await start()]
        for _ in range(kills):
            victim = live.pop(rng.randrange(2))
            own = lanes()
            async with (
                under_load(live[0], oracle, lanes(), rng) as other,
                under_load(victim, oracle, own, rng) as load,
            ):
                await asyncio.sleep(rng.uniform(0.2, 1.5))
                victim.host.kill()
                await victim.host.exited()
                killed_at = time.monotonic()
                names = {lane.name for lane in own}
                left = {
                    text
                    for text in oracle.missing(server.records.arrived)
                    if oracle.minted[text].lane.name in names
                }
                # With the survivor under load: it has to adopt while it works.
                await until(lambda left=left: left <= server.records.arrived, GUARD_S)  # type: ignore[misc]
                takeovers_s.append(time.monotonic() - killed_at)
            refused += len(load.refused) + len(other.refused)
            live.append(await start())
        keys = sorted({lane.key for lane in used})
        await drained(live[0], server, oracle, keys, GUARD_S)
        report = oracle.judge(server.records.stores())
        problems += report.faults(split=True)
        problems += over("orphan delivered after", max(takeovers_s), _TAKEN_OVER_S, full=full)
        if refused:
            problems.append(f"{refused} stores refused")
        problems += upkeep(everyone, directory, used, oracle.run)
    return row(
        "two processes, owners killed",
        report,
        seed=seed,
        runs=kills,
        worst=f"orphan's jobs arrived within {max(takeovers_s):.2f} s",
        problems=problems,
    )


async def stuck_tenant(directory: Path, seed: int, *, full: bool) -> Row:
    """100 spaces; then one of them never answers and stores ten times as much."""
    length_s = 60.0 if full else 3.0
    settings = {
        "MEM9_ASYNC_CONFIRMATION": "accepted",
        "MEM9_ASYNC_LINGER_MS": "300",
        "MEM9_ASYNC_LINGER_MAX_MS": "600",
        "MEM9_ASYNC_LOG_LEVEL": "info",
    }
    oracle = Oracle(f"stuck-{seed}")
    lanes = plugins.lanes(_SPACES, spaces=_SPACES, run=oracle.run)
    stuck_key = f"key-{oracle.run}-stuck"
    stuck = [LaneName(f"stuck-{n}", stuck_key, f"s{n}", f"p{n}") for n in range(10)]
    hang, accept = scripts.hang(take=False), scripts.accept(delay_s=0.02)
    load, problems = Load(), list[str]()
    async with FaultServer() as server, Plugin(directory, server.url, settings=settings) as plugin:
        server.decide = lambda record: hang if record.key == stuck_key else accept
        await plugin.host.started()
        await _steadily(plugin, oracle, lanes, load, 2.0)  # the first calls are slower
        warm_at = time.monotonic()
        await _steadily(plugin, oracle, lanes, load, length_s)
        stuck_at = time.monotonic()
        await asyncio.gather(
            _steadily(plugin, oracle, lanes, load, length_s),
            _steadily(plugin, oracle, stuck, load, length_s),
        )
        others = [lane.key for lane in lanes]
        others_missing = [
            text
            for text in oracle.missing(server.records.arrived)
            if oracle.minted[text].lane.key != stuck_key
        ]
        await until(lambda: server.records.arrived.issuperset(others_missing), GUARD_S)
        taken = server.records.taken()

        def before(minted: Minted) -> bool:
            return minted.lane.key != stuck_key and warm_at <= minted.minted_at < stuck_at

        def during(minted: Minted) -> bool:
            return minted.lane.key != stuck_key and minted.minted_at >= stuck_at

        baseline_s = quantile(oracle.delays_s(taken, before), 0.99)
        stuck_s = quantile(oracle.delays_s(taken, during), 0.99)
        hung = len(server.records.stores(key=stuck_key))
        if not hung:
            problems.append("the stuck space was never asked")
        server.clear()
        await drained(plugin, server, oracle, [*others, stuck_key], GUARD_S)
        report = oracle.judge(server.records.stores())
        problems += report.faults(duplicates_at_most=0)
        problems += over("others' p99 delivery", stuck_s, _STUCK_RATIO * baseline_s, full=full)
        problems += upkeep([plugin], directory, [*lanes, *stuck], oracle.run)
    return row(
        "100 spaces, one stuck",
        report,
        seed=seed,
        runs=_SPACES,
        worst=f"others' p99 delivery {stuck_s * 1000:.0f} ms, baseline {baseline_s * 1000:.0f} ms "
        f"({stuck_s / max(baseline_s, 0.001):.2f}x)",
        problems=problems,
    )


async def _steadily(
    plugin: Plugin, oracle: Oracle, lanes: list[LaneName], load: Load, length_s: float
) -> None:
    """Store from every lane once a period, evenly spread, for *length_s* seconds."""

    async def one(lane: LaneName, offset_s: float) -> None:
        ends = time.monotonic() + length_s
        await asyncio.sleep(offset_s)
        while time.monotonic() < ends:
            await store_one(plugin, oracle, lane, load)
            await asyncio.sleep(_PERIOD_S)

    spread = _PERIOD_S / len(lanes)
    await asyncio.gather(*(one(lane, number * spread) for number, lane in enumerate(lanes)))
