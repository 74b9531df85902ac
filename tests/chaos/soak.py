"""A long, steady load over ever new sessions: nothing may grow."""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.row import Row, over, row, upkeep
from tests.faults.drain import drained
from tests.faults.load import Load, store_one
from tests.faults.oracle import LaneName, Oracle
from tests.faults.plugin import Plugin
from tests.faults.server import FaultServer

_WAL_MIB = 32.0
_GROWTH_MIB = 20.0
_MIB = 1024 * 1024
_BURST = 5  # stores of a session, one after the other
_STORES_A_SECOND = 500


@dataclass(frozen=True)
class _Size:
    """One look at the process: memory and log in MiB."""

    memory_mib: float
    wal_mib: float
    threads: int
    descriptors: int


async def soak(directory: Path, seed: int, *, full: bool) -> Row:
    """Store for minutes, each round in sessions never seen before; measure after warm-up."""
    with _uncollected():
        return await _soak(directory, seed, full=full)


@contextmanager
def _uncollected() -> Iterator[None]:
    # The records of a million requests are in no cycle, and looking for one stalls the server.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _soak(directory: Path, seed: int, *, full: bool) -> Row:
    lasts_s, callers = (1_200.0, 32) if full else (4.0, 8)
    oracle = Oracle(f"soak-{seed}")
    settings = {"MEM9_ASYNC_LOG_LEVEL": "info", "MEM9_ASYNC_RECENT_WINDOW_MS": "5000"}
    load = Load()
    keys = {f"key-{oracle.run}-{number}" for number in range(4)}
    async with FaultServer() as server, Plugin(directory, server.url, settings=settings) as plugin:
        await plugin.host.started()
        began = time.monotonic()
        warm: _Size | None = None
        last = LaneName("s0", key=min(keys), session_id="s0", user_id="u0")
        rounds = 0
        while (passed_s := time.monotonic() - began) < lasts_s:
            # A steady load that the machine can carry: a queue that only grows proves nothing.
            await asyncio.sleep(max(0.0, rounds * callers * _BURST / _STORES_A_SECOND - passed_s))
            lanes = [_fresh(rounds, caller, sorted(keys)) for caller in range(callers)]
            last = lanes[-1]
            for _ in range(_BURST):
                await asyncio.gather(*(store_one(plugin, oracle, lane, load) for lane in lanes))
            rounds += 1
            if warm is None and time.monotonic() - began > lasts_s / 3:
                warm = _size(plugin, directory)
        drain = await drained(plugin, server, oracle, sorted(keys), 300.0)
        after = _size(plugin, directory)
        report = oracle.judge(server.records.stores())
        problems = report.faults(duplicates_at_most=0)
        problems += upkeep([plugin], directory, [last], oracle.run)
    if not drain.done:
        problems.append("not drained within two minutes")
    grown_mib = after.memory_mib - (warm or after).memory_mib
    problems += over("memory grown by", grown_mib, _GROWTH_MIB, "MiB", full=full)
    problems += over("write-ahead log", after.wal_mib, _WAL_MIB, "MiB", full=full)
    if warm is not None and after.threads > warm.threads:
        problems.append(f"{after.threads - warm.threads} threads more than after warm-up")
    return row(
        f"soak, {lasts_s / 60:.0f} min" if full else "soak, short",
        report,
        seed=seed,
        runs=rounds,
        worst=f"memory {grown_mib:+.1f} MiB after warm-up, log {after.wal_mib:.1f} MiB, "
        f"{after.threads} threads, {after.descriptors} descriptors, "
        f"p99 {load.quantile_s(0.99) * 1000:.0f} ms",
        problems=problems,
    )


def _fresh(number: int, caller: int, keys: list[str]) -> LaneName:
    name = f"s{number}-{caller}"
    return LaneName(name, key=keys[caller % len(keys)], session_id=name, user_id=f"u{caller}")


def _size(plugin: Plugin, directory: Path) -> _Size:
    process = Path("/proc") / str(plugin.host.pid)
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return _Size(
        memory_mib=int(status["VmRSS"].split()[0]) / 1024,
        wal_mib=sum(path.stat().st_size for path in directory.rglob("*-wal")) / _MIB,
        threads=int(status["Threads"]),
        descriptors=len(list((process / "fd").iterdir())),
    )
