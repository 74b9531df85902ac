"""`python -m benchmarks.agent_memory`: what an agent's run pays for being observed.

Dify's agent runtime calls one event after another and goes on when each is answered, so the sum
of the answers is what the run becomes longer by.
"""

import argparse
import tempfile
from dataclasses import dataclass

import uvloop
from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import ROOT, stub_mem9
from benchmarks.load import Parameters, drain
from mem9_async.cli.host import PluginHost
from mem9_async.cli.percentile import percentile

EVENTS = 200
SERVER_MS = 1_000
KINDS = ("user_prompt", "model_response", "tool_call", "tool_result")


@dataclass(frozen=True)
class Run:
    """What the answers of one run's events came to, in seconds."""

    sum_s: float
    p50_s: float
    p99_s: float


def event(run: int, number: int) -> Parameters:
    """One event of a run, as Dify's runtime tells it; the kinds by turns."""
    return {
        "memory_context": {"app_id": "app-1", "subject_kind": "user", "subject_id": "user-1"},
        "request": {
            "event_id": f"run-{run}:{number}",
            "event": KINDS[number % len(KINDS)],
            "sequence": number,
            "payload": {"text": f"Event {number}: the user prefers delivery on day {number % 28}."},
            "metadata": {"run_id": f"run-{run}"},
            "max_bytes": 8_192,
        },
        "capture_events": ", ".join(KINDS),
    }


async def observe(host: PluginHost, credentials: Parameters, *, run: int) -> Run:
    """Tell a run's events one after the other. Raises the first failure of any call."""
    times_s = []
    for number in range(1, EVENTS + 1):
        answer = await host.invoke("memory_observe", event(run, number), credentials)
        if answer.json != {"status": "accepted"}:
            raise RuntimeError(f"event {number} was not taken: {answer.json}")
        times_s.append(answer.elapsed_s)
    return Run(sum(times_s), percentile(times_s, 50), percentile(times_s, 99))


async def measure(*, rounds: int) -> list[Run]:
    """Observe *rounds* runs, beside a mem9 that takes a second for each answer."""
    settings = {"MEM9_ASYNC_CONFIRMATION": "accepted"}
    with tempfile.TemporaryDirectory(prefix="mem9_async_bench_") as folder:
        settings["MEM9_ASYNC_DATA_DIR"] = folder
        async with (
            stub_mem9((SERVER_MS,)) as bases,
            PluginHost(ROOT, settings, check_lines=False, logs_kept=100) as host,
        ):
            await host.started()
            credentials: dict[str, JsonValue] = {
                "mem9_base_url": bases[SERVER_MS],
                "mem9_api_key": "sk-bench-0123456789",
            }
            runs = []
            for run in range(rounds):
                runs.append(await observe(host, credentials, run=run))
                await drain(host, credentials)
    return runs


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agent_memory", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    table = Table("run", f"sum of {EVENTS} answers", "p50", "p99")
    for number, run in enumerate(uvloop.run(measure(rounds=parser.parse_args().rounds)), 1):
        table.add_row(
            str(number),
            f"{run.sum_s * 1000:.0f} ms",
            f"{run.p50_s * 1000:.2f} ms",
            f"{run.p99_s * 1000:.2f} ms",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
