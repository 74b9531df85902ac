"""`python -m benchmarks`: three plugin processes, measured in turn, in one run."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvloop
from pydantic import JsonValue
from rich.console import Console

from benchmarks.load import drain, measure, searches, stores
from benchmarks.report import FLOOR, OURS, SYNCHRONOUS, Case, Results, print_targets, table
from mem9_async.cli.host import PluginHost

ROOT = Path(__file__).parent.parent
CALLERS = (1, 64)
DELAYS_MS = (0, 50)
TOOLS = ("memory_store", "memory_search")


@asynccontextmanager
async def stub_mem9(delays_ms: tuple[int, ...] = DELAYS_MS) -> AsyncIterator[dict[int, str]]:
    """Start the load target in a process of its own; yield its base URLs by delay in ms."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.stub_mem9", *map(str, delays_ms)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        ports = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        yield {int(delay): f"http://127.0.0.1:{port}" for delay, port in ports.items()}
    finally:
        process.stdin.close()
        process.terminate()
        await process.wait()


async def run(console: Console, *, rounds: int, warm_s: float, measured_s: float) -> Results:
    """Measure every case *rounds* times, the three plugins one after the other in each."""
    results = Results()
    cases = [Case(tool, n, delay) for tool in TOOLS for n in CALLERS for delay in DELAYS_MS]
    sources = {"memory_store": stores(), "memory_search": searches()}
    async with AsyncExitStack() as stack:
        bases = await stack.enter_async_context(stub_mem9())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mem9_async_bench_"))
        settings = {"MEM9_ASYNC_DATA_DIR": folder}
        hosts = {
            FLOOR: PluginHost(ROOT / "benchmarks/floor", provider="bench_floor", check_lines=False),
            SYNCHRONOUS: PluginHost(
                ROOT / "benchmarks/synchronous", provider="bench_synchronous", check_lines=False
            ),
            OURS: PluginHost(ROOT, settings, check_lines=False, logs_kept=100),
        }
        for host in hosts.values():
            await stack.enter_async_context(host)
            await host.started()
        for number in range(1, rounds + 1):
            for case in cases:
                credentials: dict[str, JsonValue] = {
                    "auth_mode": "single_space",
                    "mem9_base_url": bases[case.delay_ms],
                    "mem9_api_key": "sk-bench-0123456789",
                }
                for plugin, host in hosts.items():
                    sample = await measure(
                        host,
                        "noop" if plugin == FLOOR else case.tool,
                        sources[case.tool],
                        credentials,
                        callers=case.callers,
                        warm_s=warm_s,
                        measured_s=measured_s,
                    )
                    results.add(case, plugin, sample)
                    console.print(
                        f"round {number}/{rounds}  {case.tool}, {case.callers} caller(s), server "
                        f"{case.delay_ms} ms, {plugin}: {sample.rate:,.0f} calls/s",
                        highlight=False,
                        soft_wrap=True,
                    )
                await drain(hosts[OURS], credentials)
    return results


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m mem9_async bench", description=run.__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, about a minute")
    parser.add_argument("--rounds", type=int, help="default 3")
    options = parser.parse_args()
    console = Console()
    rounds = options.rounds or (1 if options.quick else 3)
    measured_s = 1.5 if options.quick else 3.0
    # The queue lingers a second before it sends: delivery runs when the warm-up is over.
    results = uvloop.run(run(console, rounds=rounds, warm_s=1.5, measured_s=measured_s))
    Console(width=None if console.is_terminal else 140).print(table(results))
    print_targets(console, results)


if __name__ == "__main__":
    main()
