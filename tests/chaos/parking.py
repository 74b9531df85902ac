"""Spaces that must wait: a spent quota, and a key that mem9 does not know for a while."""

import asyncio
import time
from pathlib import Path

from tests.chaos.row import Row, over, row, upkeep
from tests.faults import plugin as plugins
from tests.faults import scripts
from tests.faults.drain import GUARD_S, drained, settled, until
from tests.faults.load import Load, store_one
from tests.faults.oracle import LaneName, Oracle
from tests.faults.plugin import Plugin
from tests.faults.server import FaultServer

_OTHERS_S = 1.0  # a space beside a parked one delivers as ever
_RESUMED_S = 2.0
_PAUSED_S = 7.0  # a refusal that mem9's status route contradicts pauses a space for up to 5 s


async def quota(directory: Path, seed: int, *, full: bool) -> Row:
    """402 parks one space for as long as mem9 says, over a kill; its neighbour is not held up."""
    # In a short run nobody waits for the time to be over: a slow machine may need any time.
    wait_s = 20 if full else 3_600
    oracle = Oracle(f"quota-{seed}")
    lanes = plugins.lanes(10, spaces=2, run=oracle.run)
    spent = lanes[0].key
    refusal = scripts.error(402, "quota", headers=[("retry-after", str(wait_s))], name="quota")
    accept = scripts.accept()
    load, problems = Load(), list[str]()
    async with FaultServer() as server:
        server.decide = lambda record: refusal if record.key == spent else accept
        async with Plugin(directory, server.url) as first:
            await first.host.started()
            for _ in range(4):
                await asyncio.gather(*(store_one(first, oracle, lane, load) for lane in lanes))
            parked_at = time.monotonic()
            others = {lane.name for lane in lanes if lane.key != spent}

            def late() -> set[str]:
                missing = oracle.missing(server.records.arrived)
                return {text for text in missing if oracle.minted[text].lane.name in others}

            if not await until(lambda: not late(), _OTHERS_S if full else GUARD_S):
                problems.append(f"{len(late())} jobs of the other space held up")
            await until(lambda: bool(first.logs("space.parked")), GUARD_S)
            problems += await _parked(first, spent, "quota_exhausted")
            await settled(first, sorted({lane.key for lane in lanes} - {spent}), GUARD_S)
        asked = len(server.records.stores(key=spent))
        async with Plugin(directory, server.url) as second:
            await second.host.started()
            problems += await _parked(second, spent, "quota_exhausted")
            if len(server.records.stores(key=spent)) > asked:
                problems.append("the parked space was asked again before its time")
            if asked > 4:
                problems.append(f"{asked} requests before the space was parked")
            server.clear()
            if not full:
                await second.queue(spent, action="flush")
            await drained(second, server, oracle, [spent], wait_s + 30.0 if full else GUARD_S)
            resumed_s = time.monotonic() - parked_at - wait_s
            problems += over("resumed after mem9's time", resumed_s, 60.0, full=full)
            if full and resumed_s < -2.0:
                problems.append("resumed before mem9's time")
            report = oracle.judge(server.records.stores())
            problems += report.faults(duplicates_at_most=0)
            problems += upkeep([first, second], directory, lanes, oracle.run)
    return row(
        "quota spent, killed while parked",
        report,
        seed=seed,
        runs=2,
        worst=f"{asked} requests while spent"
        + (f", resumed {resumed_s:.1f} s after mem9's time" if full else ""),
        problems=problems,
    )


async def refused_keys(directory: Path, seed: int, *, full: bool) -> Row:
    """Thousands of 'invalid API key' put nothing on the shelf; a good key delivers at once."""
    answers = 10_000 if full else 400
    spaces = 200 if full else 20
    settings = {
        "MEM9_ASYNC_PARK_AUTH_INITIAL": "50ms",
        "MEM9_ASYNC_PARK_AUTH_MAX": "50ms",
        "MEM9_ASYNC_LOG_LEVEL": "info",
    }
    oracle = Oracle(f"keys-{seed}")
    lanes = plugins.lanes(2 * spaces, spaces=spaces, run=oracle.run)
    keys = sorted({lane.key for lane in lanes})
    load, problems = Load(), list[str]()
    async with FaultServer() as server, Plugin(directory, server.url, settings=settings) as plugin:
        server.refused_keys.update(keys)
        await plugin.host.started()
        for _ in range(3):
            await asyncio.gather(*(store_one(plugin, oracle, lane, load) for lane in lanes))
        await until(lambda: _refusals(server) >= answers, 180.0, every_s=0.5)
        refusals = _refusals(server)
        if refusals < answers:
            problems.append(f"only {refusals} refusals within 180 s")
        dead = sum([(await plugin.queue(key)).dead for key in keys])
        if dead:
            problems.append(f"{dead} jobs on the dead-letter shelf")
        server.clear()
        began = time.monotonic()
        await drained(plugin, server, oracle, keys, GUARD_S)
        arrivals = [record.arrived_at - began for record in server.records.taken()]
        first_s, last_s = min(arrivals), max(arrivals)
        problems += over("first delivery after the key was good", first_s, _RESUMED_S, full=full)
        problems += over("backlog after the key was good", last_s, _PAUSED_S, full=full)
        report = oracle.judge(server.records.stores())
        problems += report.faults(duplicates_at_most=0)
        problems += upkeep([plugin], directory, lanes, oracle.run)
    return row(
        f"{refusals} answers 'invalid API key'",
        report,
        seed=seed,
        runs=spaces,
        worst=f"first delivery {first_s:.2f} s after the key was good, all {last_s:.2f} s",
        problems=problems,
    )


async def rotated_key(directory: Path, seed: int, *, full: bool) -> Row:
    """A backlog that waits behind a refused key, a call that brings the new key."""
    settings = {"MEM9_ASYNC_PARK_AUTH_INITIAL": "1h", "MEM9_ASYNC_PARK_AUTH_MAX": "1h"}
    oracle = Oracle(f"rotate-{seed}")
    old = plugins.lanes(5, spaces=1, run=oracle.run)
    new = LaneName("new", key=f"{old[0].key}-new", session_id="session-new")
    load, problems = Load(), list[str]()
    async with FaultServer() as server, Plugin(directory, server.url, settings=settings) as plugin:
        server.refused_keys.add(old[0].key)
        await plugin.host.started()
        for _ in range(20 if full else 4):
            await asyncio.gather(*(store_one(plugin, oracle, lane, load) for lane in old))
        await until(lambda: bool(plugin.logs("space.parked")), GUARD_S)
        problems += await _parked(plugin, old[0].key, "auth")
        began = time.monotonic()
        await store_one(plugin, oracle, new, load)
        limit_s = _RESUMED_S if full else GUARD_S
        await until(lambda: not oracle.missing(server.records.arrived), limit_s)
        resumed_s = time.monotonic() - began
        left = len(oracle.missing(server.records.arrived))
        if left:
            problems.append(f"{left} jobs still wait {limit_s:g} s after the new key came")
        report = oracle.judge(server.records.stores())
        # That they arrive under the new key is the point here.
        problems += [wrong for wrong in report.faults() if wrong.split()[1] != "misaddressed"]
        problems += upkeep([plugin], directory, [*old, new], oracle.run)
    return row(
        "key rotated in mid-backlog",
        report,
        seed=seed,
        runs=1,
        worst=f"backlog {resumed_s:.2f} s after the new key",
        problems=problems,
    )


async def _parked(plugin: Plugin, key: str, reason: str) -> list[str]:
    queue = await plugin.queue(key)
    problems = []
    if queue.parked_reason != reason:
        problems.append(f"parked for {queue.parked_reason}, not {reason}")
    if queue.dead:
        problems.append(f"{queue.dead} jobs on the dead-letter shelf")
    return problems


def _refusals(server: FaultServer) -> int:
    return sum(record.status == 400 for record in server.records)
