"""Callers that store one thing after the other, each in its own lane, until told to stop."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from mem9_async.cli.answers import HostError
from tests.faults.oracle import LaneName, Oracle, quantile
from tests.faults.plugin import Plugin, Stored


@dataclass
class Load:
    """What the callers saw. `answers_s` are the times of answered calls, in seconds."""

    answers_s: list[float] = field(default_factory=list)
    refused: list[Stored] = field(default_factory=list)
    unanswered: int = 0

    def note(self, answer: Stored) -> None:
        """Take one answer into the books."""
        self.answers_s.append(answer.elapsed_s)
        if answer.job_id is None:
            self.refused.append(answer)

    def quantile_s(self, share: float) -> float:
        """The answer time below which *share* of the calls lie; 0 when there was none."""
        return quantile(sorted(self.answers_s), share)


async def store_one(plugin: Plugin, oracle: Oracle, lane: LaneName, load: Load) -> Stored | None:
    """Mint, store, acknowledge; None when the plugin died before it answered."""
    minted = oracle.mint(lane)
    try:
        answer = await plugin.store(minted)
    except HostError:
        load.unanswered += 1
        return None
    if answer.job_id is not None:
        oracle.acknowledge(minted, answer.job_id)
    load.note(answer)
    return answer


@contextlib.asynccontextmanager
async def under_load(
    plugin: Plugin,
    oracle: Oracle,
    lanes: Sequence[LaneName],
    rng: random.Random,
    *,
    pause_s: float = 0.02,
) -> AsyncIterator[Load]:
    """One caller per lane stores while the body runs, in bursts with pauses around *pause_s*.

    A caller ends with the plugin; on the way out each finishes the call it is in.
    """
    load = Load()
    stop = asyncio.Event()
    callers = [
        asyncio.create_task(
            _call(plugin, oracle, lane, load, random.Random(rng.random()), pause_s, stop)
        )
        for lane in lanes
    ]
    try:
        yield load
    finally:
        stop.set()
        await asyncio.gather(*callers)


async def _call(
    plugin: Plugin,
    oracle: Oracle,
    lane: LaneName,
    load: Load,
    rng: random.Random,
    pause_s: float,
    stop: asyncio.Event,
) -> None:
    while not stop.is_set():
        for _ in range(rng.randint(1, 6)):
            if await store_one(plugin, oracle, lane, load) is None:
                return
        await asyncio.sleep(rng.uniform(0, 2 * pause_s))
