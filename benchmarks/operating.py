"""`python -m benchmarks.operating`: what a store pays while somebody looks into the queue.

A thousand stores a second, paced; the stores' p99 with every command running against the plugin,
beside the same without. And the rate of stores with the log at debug beside that at warning.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import ROOT, stub_mem9
from benchmarks.load import drain, measure, stores
from mem9_async.cli.host import PluginHost
from mem9_async.cli.percentile import percentile
from mem9_async.cli.queue.targets import Targets
from mem9_async.models.inspection import (
    ChangeAsk,
    ExportAsk,
    HoldAsk,
    JobFilter,
    ListAsk,
    Request,
    StatusAsk,
)
from mem9_async.models.job import JobState
from mem9_async.runtime.control.address import sockets
from mem9_async.settings import Settings

RATE = 1_000
_DEAD = JobFilter(states=(JobState.DEAD,))
#: One of each that the command line can ask, but for `show`, which needs an id.
COMMANDS: tuple[Request, ...] = (
    StatusAsk(),
    ListAsk(limit=100),
    ListAsk(filter=JobFilter(states=(JobState.AVAILABLE,)), limit=500),
    ListAsk(filter=JobFilter(error_type="rejected"), limit=100),
    ListAsk(filter=JobFilter(reference="none"), limit=100),
    ChangeAsk(do="retry", filter=_DEAD),
    ChangeAsk(do="discard", filter=_DEAD),
    ChangeAsk(do="flush"),
    HoldAsk(do="pause", space="00000000"),
    ExportAsk(limit=100),
)


@dataclass(frozen=True)
class Found:
    """Seconds of the stores; questions asked meanwhile, and those that were refused."""

    p50_s: float
    p99_s: float
    asked: int
    refused: int


@asynccontextmanager
async def running(
    folder: str, level: str
) -> AsyncIterator[tuple[PluginHost, dict[str, JsonValue]]]:
    """A plugin and the keys of a mem9 that answers at once."""
    settings = {
        "MEM9_ASYNC_DATA_DIR": folder,
        "MEM9_ASYNC_LOG_LEVEL": level,
        "MEM9_ASYNC_CONFIRMATION": "accepted",
    }
    async with (
        stub_mem9() as bases,
        PluginHost(ROOT, settings, check_lines=False, logs_kept=100) as host,
    ):
        await host.started()
        yield (
            host,
            {
                "auth_mode": "single_space",
                "mem9_base_url": bases[0],
                "mem9_api_key": "sk-bench-0123456789",
            },
        )


async def paced(
    host: PluginHost, keys: dict[str, JsonValue], targets: Targets | None, seconds: float
) -> Found:
    """Store at RATE for *seconds*; with *targets*, ask one command after the other meanwhile."""
    times: list[float] = []
    given = stores()
    asked = refused = 0

    async def store() -> None:
        began = time.perf_counter()
        answer = await host.invoke("memory_store", next(given), keys)
        if not answer.json.get("accepted"):
            raise RuntimeError(f"a store was not taken: {answer.json}")
        times.append(time.perf_counter() - began)

    async def ask() -> None:
        nonlocal asked, refused
        for request in itertools.cycle(COMMANDS):
            replies = await targets.ask(request) if targets else None
            asked += 1
            refused += sum(
                "no space" not in str(reply.problem)
                for reply in (replies.problems if replies else ())
            )
            await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask()) if targets else None
    began = time.perf_counter()
    calls: list[asyncio.Task[None]] = []
    while (now := time.perf_counter() - began) < seconds:
        while len(calls) < now * RATE:
            calls.append(asyncio.create_task(store()))
        await asyncio.sleep(0.001)
    await asyncio.gather(*calls)
    if asking is not None:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    return Found(percentile(times, 50), percentile(times, 99), asked, refused)


async def looked_into(rounds: int, seconds: float) -> tuple[list[Found], list[Found]]:
    """Stores without and with commands, by turns in one plugin."""
    without, with_commands = [], []
    with tempfile.TemporaryDirectory(prefix="mem9_async_bench_") as folder:
        async with running(folder, "info") as (host, keys):
            targets = Targets(Settings(data_dir=Path(folder)))
            while not sockets(Path(folder)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await paced(host, keys, None, 2.0)
            for _ in range(rounds):
                without.append(await paced(host, keys, None, seconds))
                await drain(host, keys)
                with_commands.append(await paced(host, keys, targets, seconds))
                await drain(host, keys)
    return without, with_commands


async def at_level(level: str, seconds: float) -> float:
    """Stores a second of 64 callers."""
    with tempfile.TemporaryDirectory(prefix="mem9_async_bench_") as folder:
        async with running(folder, level) as (host, keys):
            sample = await measure(
                host, "memory_store", stores(), keys, callers=64, warm_s=1.0, measured_s=seconds
            )
            return sample.rate


def _median(found: list[Found], of: Callable[[Found], float]) -> float:
    return statistics.median(of(each) for each in found)


async def main(rounds: int, seconds: float) -> None:
    """Measure, and print."""
    without, with_commands = await looked_into(rounds, seconds)
    levels: dict[str, list[float]] = {"warning": [], "debug": []}
    for _, (level, rates) in itertools.product(range(rounds), levels.items()):
        rates.append(await at_level(level, seconds))
    table = Table("", "without", "with", "ratio")
    for name, of in (("p50", lambda f: f.p50_s), ("p99", lambda f: f.p99_s)):
        alone, both = _median(without, of), _median(with_commands, of)
        table.add_row(
            f"a store at {RATE}/s, {name}, commands",
            f"{alone * 1000:.2f} ms",
            f"{both * 1000:.2f} ms",
            f"{both / alone:.2f}",
        )
    quiet, loud = statistics.median(levels["warning"]), statistics.median(levels["debug"])
    table.add_row(
        "stores a second, debug log", f"{quiet:,.0f}", f"{loud:,.0f}", f"{loud / quiet:.2f}"
    )
    Console().print(table)
    asked = sum(each.asked for each in with_commands)
    refused = sum(each.refused for each in with_commands)
    sys.stdout.write(f"{asked} commands, {refused} refused\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operating", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    uvloop.run(main(options.rounds, options.seconds))
