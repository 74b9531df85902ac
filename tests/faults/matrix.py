"""Each fault at the first attempt, at a retry and at a half-open probe, in one real plugin.

Every cell has a server, a key and a lane of its own, so that all run at once and none sees
another's circuit, park or budget.
"""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import cast

from tests.faults import certificates, scripts
from tests.faults.catalogue import End, Fault
from tests.faults.exchange import Exchange
from tests.faults.oracle import LaneName, Oracle
from tests.faults.plugin import Plugin
from tests.faults.scripts import Script
from tests.faults.server import FaultServer

SETTINGS = {
    "MEM9_ASYNC_CONFIRMATION": "accepted",
    "MEM9_ASYNC_LINGER_MS": "300",
    "MEM9_ASYNC_LINGER_MAX_MS": "600",
    "MEM9_ASYNC_CONNECT_TIMEOUT_MS": "500",
    "MEM9_ASYNC_ATTEMPT_TIMEOUT_MS": "1500",
    "MEM9_ASYNC_RETRY_AFTER_MAX": "1s",
}
_CIRCUIT_THRESHOLD = 5


class Phase(StrEnum):
    """Which attempt meets the fault."""

    FIRST = "first"
    RETRY = "retry"
    HALF_OPEN = "half_open"

    @property
    def prelude(self) -> int:
        """How many 503s come before the fault."""
        return {"first": 0, "retry": 1, "half_open": _CIRCUIT_THRESHOLD}[self.value]


@dataclass
class Cell:
    """One fault in one phase, and what came of it. `seen` is (error type, move) per failure."""

    fault: Fault
    phase: Phase
    lane: LaneName
    oracle: Oracle
    server: FaultServer
    url: str
    job_ids: list[str] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    end: str = ""
    redelivered: int = 0
    parked: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The fault and the phase."""
        return f"{self.fault.name} @ {self.phase}"


def cells(faults: Iterable[Fault], phases: Iterable[Phase]) -> list[tuple[Fault, Phase]]:
    """All pairs that can be made: connection faults meet the first attempt only."""
    phases = tuple(phases)
    return [
        (fault, phase)
        for fault in faults
        for phase in phases
        if fault.script is not None or phase is Phase.FIRST
    ]


async def run_matrix(
    pairs: Iterable[tuple[Fault, Phase]], directory: Path, *, timeout_s: float = 30.0
) -> list[Cell]:
    """Run all *pairs* at once; return the cells, each with its problems (none: as tabled)."""
    certs = certificates.make(directory)
    data_dir = directory / "data"
    async with contextlib.AsyncExitStack() as stack:
        done = [
            await stack.enter_async_context(_cell(number, fault, phase, certs))
            for number, (fault, phase) in enumerate(pairs)
        ]
        plugin = await stack.enter_async_context(Plugin(data_dir, done[0].url, settings=SETTINGS))
        await plugin.host.started()
        # A few at a time: the two stores of a cell have to fall into one linger.
        gate = asyncio.Semaphore(16)
        await asyncio.gather(*(_fill(plugin, cell, gate) for cell in done))
        deadline = time.monotonic() + timeout_s
        await asyncio.gather(*(_watch(plugin, cell, deadline) for cell in done))
        _read_logs(plugin, done)
        for cell in done:
            _judge(cell)
        if plugin.host.lines_not_json:
            done[0].problems.append("a line on stdout was no JSON")
        if not plugin.host.alive:
            done[0].problems.append("the plugin died")
    return done


@contextlib.asynccontextmanager
async def _cell(
    number: int, fault: Fault, phase: Phase, certs: certificates.Certificates
) -> AsyncIterator[Cell]:
    bad_tls = fault.connect == "bad_tls"
    server = FaultServer(tls=certs.server_context(good=False) if bad_tls else None)
    lane = LaneName(f"cell-{number}", key=f"key-matrix-{number}", session_id=f"session-{number}")
    async with server:
        url = "http://no-such-host.invalid" if fault.connect == "unknown_host" else server.url
        _arm(server, fault, phase, lane.key)
        yield Cell(fault, phase, lane, Oracle(f"matrix-{number}"), server, url)


def _arm(server: FaultServer, fault: Fault, phase: Phase, key: str) -> None:
    server.script(*[scripts.error(503, "prelude")] * phase.prelude)
    if fault.connect in ("reset", "hang"):
        server.connects.append(fault.connect)
    if fault.script is None:
        return
    script = fault.script()
    if fault.refused_key:
        script = _refusing_once(server, key, script)
    server.script(script)
    if fault.lasting:
        server.decide = lambda _: script


def _refusing_once(server: FaultServer, key: str, refusal: Script) -> Script:
    server.refused_keys.add(key)

    async def play(exchange: Exchange) -> None:
        await refusal.play(exchange)
        # Known again a little later, as after a visit to the console.
        asyncio.get_running_loop().call_later(0.5, server.refused_keys.discard, key)

    return Script("unknown_key", play)


async def _fill(plugin: Plugin, cell: Cell, gate: asyncio.Semaphore) -> None:
    async with gate:
        if cell.fault.connect == "refused":
            await cell.server.down()
        for _ in range(2):
            minted = cell.oracle.mint(cell.lane)
            answer = await plugin.store(minted, url=cell.url)
            if answer.job_id is None:
                cell.problems.append(f"refused: {answer.code} {answer.error}")
                continue
            cell.oracle.acknowledge(minted)
            cell.job_ids.append(answer.job_id)


async def _watch(plugin: Plugin, cell: Cell, deadline: float) -> None:
    rng = random.Random(cell.name)
    if cell.fault.connect == "refused":
        await asyncio.sleep(1.0)
        await cell.server.up()
    while time.monotonic() < deadline:
        await asyncio.sleep(rng.uniform(0.1, 0.3))
        if not cell.oracle.missing(cell.server.records.arrived) and cell.fault.end is not End.DEAD:
            cell.end = End.DELIVERED
            queue = await plugin.queue(cell.lane.key, url=cell.url)
            cell.redelivered = queue.redelivered
            if queue.waiting == 0:
                return
            continue
        met = len(cell.server.records.stores()) > cell.phase.prelude or not cell.fault.script
        if cell.fault.end is End.DELIVERED or not met:
            continue
        queue = await plugin.queue(cell.lane.key, url=cell.url)
        if queue.dead == len(cell.job_ids):
            cell.end = End.DEAD
            return
        settled = queue.delivery is not None and not queue.counts.get("in_flight")
        if cell.fault.end is End.HELD and queue.waiting == len(cell.job_ids) and settled:
            cell.end = End.HELD
            cell.parked = queue.counts.get("parked", 0) > 0
            if not cell.fault.lasting or _gave_up(cell):
                return


def _gave_up(cell: Cell) -> bool:
    """Whether a lasting fault has met enough attempts to be sure of what the plugin does."""
    return len(cell.server.records.stores()) >= 5 or cell.fault.connect is not None


def _read_logs(plugin: Plugin, done: list[Cell]) -> None:
    """Find out from debug lines, which are never left out, what each failure was answered with."""
    story = _Story(plugin)
    for cell in done:
        cell.seen = story.failures(cell)


class _Story:
    """What the plugin's log tells of each batch."""

    def __init__(self, plugin: Plugin) -> None:
        self._batch_of: dict[str, tuple[str, str]] = {}
        self._attempts: dict[str, list[int]] = defaultdict(list)
        self._errors: dict[str, list[str]] = defaultdict(list)
        self._resumed = {str(line.fields.get("space")) for line in plugin.logs("space.resumed")}
        for line in plugin.host.logs:
            fields, batch_id = line.fields, str(line.fields.get("batch_id"))
            match line.event:
                case "batch.frozen":
                    named = (batch_id, str(fields.get("space")))
                    for job_id in cast(list[str], fields.get("job_ids")):
                        self._batch_of.setdefault(job_id, named)
                case "attempt.started":
                    self._attempts[batch_id].append(cast(int, fields.get("attempt")))
                case "retry.scheduled":
                    self._errors[batch_id].append(str(fields.get("error_type")))

    def failures(self, cell: Cell) -> list[tuple[str, str]]:
        """(error type, move) of every failed attempt of the cell's first batch, in order.

        A batch that is split is sent no more: its end is a move without an error type.
        """
        batch_id, space = (
            self._batch_of.get(cell.job_ids[0], ("", "")) if cell.job_ids else ("", "")
        )
        attempts = self._attempts[batch_id]
        errors = self._errors[batch_id]
        seen: list[tuple[str, str]] = []
        for number, error in enumerate(errors):
            again = attempts[number + 1] if number + 1 < len(attempts) else None
            if again is not None and again > attempts[number]:
                seen.append((error, "retry"))
            elif cell.parked or space in self._resumed:
                seen.append((error, "park"))
            else:
                seen.append((error, "retry" if again is None else "pause"))
        if len(attempts) > len(errors) and not _delivered_as(cell, batch_id):
            seen.append(("", "split"))
        return seen


def _delivered_as(cell: Cell, batch_id: str) -> bool:
    return any(record.idempotency_key == batch_id for record in cell.server.records.taken())


def _judge(cell: Cell) -> None:
    fault, problems = cell.fault, cell.problems
    if cell.end != fault.end:
        problems.append(f"ended as {cell.end or 'nothing'}, not {fault.end}")
    if len(cell.seen) <= cell.phase.prelude:
        problems.append(f"no failure logged after the prelude: {cell.seen}")
    else:
        error, move = cell.seen[cell.phase.prelude]
        if error and error not in fault.errors:
            problems.append(f"seen as {error}, not {'/'.join(fault.errors)}")
        if move != fault.move and not (move == "split" and fault.may_split):
            problems.append(f"answered with {move}, not {fault.move}")
    report = cell.oracle.judge(cell.server.records.stores())
    allowed = {"missing"} if fault.end is not End.DELIVERED else set()
    split = fault.move == "split" or fault.may_split
    problems += [wrong for wrong in report.faults(split=split) if wrong.split()[1] not in allowed]
    if report.duplicates > cell.redelivered:
        problems.append(f"{report.duplicates} duplicates, {cell.redelivered} told as redelivered")
