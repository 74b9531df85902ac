"""Calls a second through the daemon, and what each costs it."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from benchmarks.host.daemon import Daemon

CALLERS = 64


@dataclass(frozen=True)
class Rate:
    """Calls a second, and the daemon's processor time for one, in milliseconds."""

    calls_s: float
    cpu_ms: float


async def measure(
    daemon: Daemon,
    plugin: str,
    tool: str,
    parameters: Iterator[dict[str, JsonValue]],
    credentials: Mapping[str, JsonValue],
    *,
    warm_s: float,
    measured_s: float,
) -> Rate:
    """Let 64 callers call for *warm_s* and then *measured_s*; only the second part counts."""
    counts_from = time.perf_counter() + warm_s
    ends_at = counts_from + measured_s
    done = 0
    cpu_s = 0.0

    async def caller() -> None:
        nonlocal done
        while (now := time.perf_counter()) < ends_at:
            await daemon.answer(plugin, tool, next(parameters), credentials)
            done += counts_from <= now < ends_at

    async def clock() -> None:
        nonlocal cpu_s
        await asyncio.sleep(warm_s)
        before = daemon.cpu_s()
        await asyncio.sleep(measured_s)
        cpu_s = daemon.cpu_s() - before

    async with asyncio.TaskGroup() as group:
        group.create_task(clock())
        for _ in range(CALLERS):
            group.create_task(caller())
    return Rate(done / measured_s, 1000 * cpu_s / max(1, done))


def median(rates: list[Rate]) -> Rate:
    """The middle of each figure."""
    return Rate(
        statistics.median(rate.calls_s for rate in rates),
        statistics.median(rate.cpu_ms for rate in rates),
    )
