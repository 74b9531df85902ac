"""Waiting until everything has arrived, and closing the books."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.oracle import Oracle
from tests.faults.plugin import Plugin
from tests.faults.server import FaultServer

#: A limit for what must come: reached only by what never does, on the slowest machine.
GUARD_S = 300.0


async def until(condition: Callable[[], bool], timeout_s: float, *, every_s: float = 0.02) -> bool:
    """Look again and again until *condition* holds, or time is up; whether it holds."""
    deadline = time.monotonic() + timeout_s
    # What is waited for happens in another process, which sets no event here.
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(every_s)
    return condition()


@dataclass(frozen=True)
class Drain:
    """How a drain ended; `replayed` are the contents that were on the dead-letter shelf."""

    done: bool
    replayed: frozenset[str] = frozenset()


async def drained(
    process: Plugin, server: FaultServer, oracle: Oracle, keys: list[str], timeout_s: float
) -> Drain:
    """Wait until nothing acknowledged is missing and nothing waits, or time is up.

    Once nothing else waits, jobs on the dead-letter shelf are sent again: a job that was in
    flight at three deaths lies there by design, and is not lost.
    """
    deadline = time.monotonic() + timeout_s
    replayed: frozenset[str] = frozenset()
    while time.monotonic() < deadline:
        queues = {key: await process.queue(key) for key in keys}
        if not any(queue.waiting for queue in queues.values()):
            # Only now: comparing a million contents takes the server's own time.
            missing = oracle.missing(server.records.arrived)
            if not missing and not any(queue.dead for queue in queues.values()):
                return Drain(True, replayed)
            if not replayed:
                # Whatever has not arrived by now comes by hand, its answer seen or not.
                replayed = frozenset(oracle.minted.keys() - server.records.arrived)
                for key, queue in queues.items():
                    if queue.dead:
                        await process.queue(key, action="retry_dead")
        await asyncio.sleep(0.1)
    return Drain(False, replayed)


async def settled(process: Plugin, keys: list[str], timeout_s: float) -> None:
    """Wait until nothing of *keys* waits or is on its way, or time is up.

    What has arrived is settled a moment later; killed between the two, it would go again.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        queues = [await process.queue(key) for key in keys]
        if not any(queue.waiting for queue in queues):
            return
        await asyncio.sleep(0.02)


async def imbalance(process: Plugin, keys: list[str]) -> int:
    """Jobs that came in, less those that went out, wait or lie on the shelf, by its own books."""
    seen = len(process.logs("stats.reported"))
    if not await until(lambda: len(process.logs("stats.reported")) > seen, 10.0):
        raise AssertionError("no stats.reported within 10 s")
    stats = process.logs("stats.reported")[-1].fields
    value = {name: count for name, count in stats.items() if isinstance(count, int)}
    shelf = sum([(await process.queue(key)).dead for key in keys])
    return value["accepted"] + value["adopted"] - value["delivered"] - value["jobs"] - shelf
