"""`python -m tests.workflows --engine PYTHON`: each workflow through Dify's engine."""

import argparse
import asyncio
import json
import shlex
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, JsonValue
from rich.console import Console
from rich.table import Table

from mem9_async.devserver.server import DevServer
from tests.faults.server import RefusedPort
from tests.workflows.broker import broker
from tests.workflows.cases import ARRAYS, Case, cases, one_shot_cases
from tests.workflows.runner import SOCKET

_HERE = Path(__file__).parent
_RUN_S = 600.0
_ARRIVES_S = 120.0
_SETTINGS = {
    "MEM9_ASYNC_LANE_GAP_MS": "0",
    "MEM9_ASYNC_LINGER_MS": "20",
    "MEM9_ASYNC_LINGER_MAX_MS": "60",
}


class Run(BaseModel):
    """How a run ended; `failed` are its nodes that failed, with their words."""

    error: str
    outputs: dict[str, JsonValue]
    failed: dict[str, str]


@dataclass(frozen=True)
class Engine:
    """The engine's process, spoken to in lines."""

    process: asyncio.subprocess.Process

    async def run(self, case: Case, credentials: Mapping[str, JsonValue]) -> Run:
        """Run a workflow to its end. Raises TimeoutError, ValueError when the engine is gone."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        # A form of Dify's start node has no arrays; the engine takes them.
        inputs: dict[str, JsonValue] = {**case.inputs, **ARRAYS}
        asked: JsonValue = {
            "dsl": case.flow.text(),
            "credentials": {"tool_credentials": [{"values": dict(credentials)}]},
            "inputs": inputs,
            "context": dict(case.context),
        }
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        async with asyncio.timeout(_RUN_S):
            return Run.model_validate_json(await self.process.stdout.readline())


@asynccontextmanager
async def engine(python: str, directory: Path, socket: Path) -> AsyncIterator[Engine]:
    """A started engine that finds our runner in the place of its own."""
    runner = directory / "runner"
    command = shlex.join([sys.executable, str(_HERE / "runner.py")])
    runner.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    runner.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        python, str(_HERE / "engine.py"), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, limit=1 << 24, cwd=directory,
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory), "SLIM_BINARY_PATH": str(runner),
             SOCKET: str(socket)},
    )  # fmt: skip
    try:
        yield Engine(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def main(python: str) -> int:
    """Run all and print the table; 1 when one did not do what it must."""
    table = Table("workflow", "s", "calls", "what is wrong")
    wrong = 0
    async with DevServer() as mem9:
        second = mem9.provision()
        for one_shot in (False, True):
            with tempfile.TemporaryDirectory() as place, RefusedPort() as refused:
                directory = Path(place)
                keys = _credentials(mem9, refused.url)
                chosen = one_shot_cases() if one_shot else cases(second)
                async with (
                    broker(directory, _SETTINGS, one_shot=one_shot) as (serving, socket),
                    engine(python, directory, socket) as running,
                ):
                    for case in chosen:
                        began, calls = time.monotonic(), serving.calls
                        problem = await _problem(running, case, keys[case.key], mem9)
                        wrong += bool(problem)
                        took = f"{time.monotonic() - began:.1f}"
                        table.add_row(case.name, took, str(serving.calls - calls), problem or "-")
    Console(width=140).print(table)
    return 1 if wrong else 0


def _credentials(mem9: DevServer, refused: str) -> dict[str, dict[str, JsonValue]]:
    single: dict[str, JsonValue] = {"auth_mode": "single_space", "mem9_api_key": mem9.key}
    return {
        "first": {**single, "mem9_base_url": mem9.base_url},
        "none": {"auth_mode": "multi_space", "mem9_base_url": mem9.base_url},
        "failing": {**single, "mem9_base_url": refused},
    }


async def _problem(
    running: Engine, case: Case, credentials: Mapping[str, JsonValue], mem9: DevServer
) -> str:
    run = await running.run(case, credentials)
    if case.fails is not None:
        return "" if case.fails in run.error else f"no such failure: {run}"
    if run.error or run.failed:
        return f"{run.error} {run.failed}"
    problem = case.check(run.outputs)
    missing = await _missing(mem9, set(case.arrived))
    return problem or (f"never arrived: {sorted(missing)[:3]}" if missing else "")


async def _missing(mem9: DevServer, wanted: set[str]) -> set[str]:
    """What of *wanted* mem9 does not hold, after a while."""
    async with asyncio.timeout(_ARRIVES_S):
        try:
            while True:
                mem9.ingest_now()
                missing = wanted - {memory.content for memory in mem9.memories}
                if not missing:
                    return missing
                await asyncio.sleep(0.1)
        except TimeoutError:
            return missing


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make workflows", description=__doc__)
    parser.add_argument("--engine", required=True, help="a Python that has graphon")
    raise SystemExit(asyncio.run(main(str(Path(parser.parse_args().engine).absolute()))))
