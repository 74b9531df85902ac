"""Kills the plugin under load, again and again, and asks the oracle what was lost.

Each round starts the plugin on the same data directory, stores from several lanes at once,
and sends SIGKILL at a random moment, or lets a failpoint do it. After the last round the
weather clears and the plugin is left alone until everything has arrived.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass, field, replace
from pathlib import Path

from mem9_async.cli.answers import HostError, PluginDied
from tests.faults import canary, damage, downgrade, plugin, weather
from tests.faults.drain import drained, imbalance
from tests.faults.load import Load, under_load
from tests.faults.oracle import LaneName, Oracle
from tests.faults.plugin import Plugin
from tests.faults.report import Report
from tests.faults.server import FaultServer

#: A request answered this long before a kill may still wait to be settled. Seconds.
UNSETTLED_S = 1.0
#: How long a point that is passed only at rest may let itself be waited for. Seconds.
_CALM_S = 10.0
_INDEXES = ("jobs_by_lane", "jobs_waiting_once", "sqlite_autoindex_jobs_1", "jobs_by_batch")


@dataclass(frozen=True)
class Plan:
    """What to do to the plugin.

    *failpoint* `name:count` makes every start die there by itself if it comes by within
    *longest_s*; without it, or when it does not, SIGKILL comes at a random moment of up to
    *longest_s* seconds of load. A share of *early* kills comes while the plugin is starting.
    With *companion* a second process works on the same directory and dies with the first, so
    that there is always a journal to adopt. *spoil* damages a journal of the last process, or
    puts a strange file beside it; *outdated* turns what the last process left into the journal
    of an older version. *plain_rounds* come first and know no failpoint: they leave something
    behind.
    """

    rounds: int
    seed: int
    lanes: int = 12
    spaces: int = 3
    longest_s: float = 3.0
    early: float = 0.15
    failpoint: str | None = None
    plain_rounds: int = 0
    companion: bool = False
    spoil: bool = False
    outdated: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    drain_s: float = 60.0


@dataclass
class Kills:
    """What happened. The counts of `rounds` that met something must not be 0 over a long run.

    `bound` is how many contents were in flight at the kills, or in requests the server took
    without saying so: the most duplicates there may be. `told` counts jobs whose log said
    that they were redelivered; `untold` those that arrived twice and of which neither a log
    line nor a kill just then can tell. `unbalanced` is what the last process's own books are
    out by.
    """

    seed: int
    rounds: int = 0
    by_failpoint: int = 0
    while_starting: int = 0
    with_backlog: int = 0
    with_request_open: int = 0
    bound: int = 0
    starts_s: list[float] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)
    drain_s: float = 0.0
    told: int = 0
    untold: int = 0
    unbalanced: int = 0
    refused: int = 0
    broken_lines: int = 0
    leaks: list[str] = field(default_factory=list)
    report: Report | None = None

    def faults(self) -> list[str]:
        """Every broken promise; empty when all were kept."""
        if self.report is None:
            return ["the run did not end"]
        wrong = self.report.faults(duplicates_at_most=self.bound, split=True)
        if self.untold:
            wrong.append(f"{self.untold} duplicates not told as redelivered")
        if self.unbalanced:
            wrong.append(f"counters out of balance by {self.unbalanced}")
        if self.refused:
            wrong.append(f"{self.refused} stores refused")
        if self.broken_lines:
            wrong.append(f"{self.broken_lines} broken lines on stdout")
        return wrong + self.leaks


class Harness:
    """One run of a plan on one data directory."""

    def __init__(self, plan: Plan, directory: Path, server: FaultServer) -> None:
        self.plan = plan
        self.oracle = Oracle(f"kill-{plan.seed}")
        self.result = Kills(seed=plan.seed)
        self._directory = directory
        self._server = server
        self._rng = random.Random(plan.seed)
        self._lanes = plugin.lanes(plan.lanes, spaces=plan.spaces, run=self.oracle.run)
        self._replayed: frozenset[str] = frozenset()
        self._at_a_kill: set[str] = set()
        self._told: set[str] = set()
        self._killed_at: float | None = None

    async def run(self) -> Kills:
        """Do all rounds, drain, judge."""
        for _ in range(self.plan.rounds):
            await self._round()
        await self._drain()
        self._judge()
        return self.result

    async def _round(self) -> None:
        result, rng = self.result, self._rng
        result.rounds += 1
        failpoint = self.plan.failpoint if result.rounds > self.plan.plain_rounds else None
        if self.plan.spoil:
            self._spoil()
        if self.plan.outdated and self._directory.exists():
            downgrade.to_version_1(self._directory)
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(self._plugin(failpoint))
            lanes = self._lanes
            if self.plan.companion:
                half = len(lanes) // 2
                fresh = [_of_round(lane, result.rounds) for lane in lanes[half:]]
                await stack.enter_async_context(self._companion(process, fresh))
                lanes = lanes[:half]
            if self.plan.failpoint is None and rng.random() < self.plan.early:
                await asyncio.sleep(rng.uniform(0.3, 2.0))
                result.while_starting += not process.host.heartbeats
            else:
                await self._load_until_death(process, lanes, failpoint)
            self._kill(process)
            with suppress(HostError):
                await process.host.exited()
            self._note_death(process)

    @asynccontextmanager
    async def _companion(self, first: Plugin, lanes: Sequence[LaneName]) -> AsyncIterator[None]:
        """A second process that comes after *first*, which so finds two journals to take over."""
        with suppress(HostError):
            await first.host.started()
        async with self._plugin(None) as companion:
            await companion.host.started()
            async with self._loaded(companion, lanes):
                yield
                companion.host.kill()
            await companion.host.exited()
            self._note_death(companion)

    async def _load_until_death(
        self, process: Plugin, lanes: Sequence[LaneName], failpoint: str | None
    ) -> None:
        try:
            self.result.starts_s.append(await process.host.started())
        except PluginDied:
            self.result.by_failpoint += 1  # it lies before the first heartbeat
            return
        longest_s = self.plan.longest_s
        if failpoint is None:
            async with self._loaded(process, lanes):
                await asyncio.sleep(self._rng.uniform(0, longest_s))
                self._kill(process)
            return
        async with self._loaded(process, lanes):
            died = await process.died(longest_s)
        # Some points are passed only when there is nothing left to do.
        weather.calm(self._server)
        self.result.by_failpoint += died or await process.died(_CALM_S)
        weather.rough(self._server, self._rng.getrandbits(32))

    def _loaded(
        self, process: Plugin, lanes: Sequence[LaneName]
    ) -> AbstractAsyncContextManager[None]:
        return _noted(self.result, under_load(process, self.oracle, lanes, self._rng))

    def _kill(self, process: Plugin) -> None:
        if self._killed_at is None:
            self._killed_at = time.monotonic()
        process.host.kill()

    def _note_death(self, process: Plugin) -> None:
        at = self._killed_at or time.monotonic()
        self._killed_at = None
        unsettled = self._server.records.unsettled(at, UNSETTLED_S)
        texts = {text for record in unsettled for text in record.contents}
        self.result.bound += len(texts)
        self._at_a_kill |= texts
        self.result.with_request_open += any(
            record.finished_at is None or record.finished_at >= at for record in unsettled
        )
        self.result.with_backlog += bool(self.oracle.missing(self._server.records.arrived))
        self._inspect(process)

    async def _drain(self) -> None:
        self._server.clear()
        async with self._plugin(None) as process:
            await process.host.started()
            keys = sorted({lane.key for lane in self._lanes})
            began = time.monotonic()
            drain = await drained(process, self._server, self.oracle, keys, self.plan.drain_s)
            self._replayed = drain.replayed
            self.result.drain_s = time.monotonic() - began
            self.result.unbalanced = await imbalance(process, keys)
            self._inspect(process)

    def _inspect(self, process: Plugin) -> None:
        self.result.broken_lines += len(process.host.lines_not_json)
        for line in process.logs("batch.delivered"):
            ids = line.fields.get("job_ids")
            if line.fields.get("redelivered") and isinstance(ids, list):
                self._told.update(map(str, ids))
        wanted = self._needles()
        lines = (line.raw for line in process.host.logs)
        self.result.leaks += canary.in_lines(lines, wanted, "log")
        self.result.leaks += canary.in_lines([process.host.stderr_tail.encode()], wanted, "stderr")

    def _judge(self) -> None:
        result, taken = self.result, self._server.records.taken()
        result.leaks += canary.in_directory(self._directory, self._needles())
        result.report = self.oracle.judge(self._server.records.stores(), replayed=self._replayed)
        result.bound += sum(len(r.contents) for r in taken if r.script == "reset_after_body")
        result.told = len(self._told)
        result.untold = sum(
            text not in self._at_a_kill and self.oracle.job_ids.get(text) not in (None, *self._told)
            for text in self.oracle.repeated(taken)
            if not weather.poisoned(text)  # sent again by hand, which tells nothing
        )

    def _spoil(self) -> None:
        """Put a strange file beside the journals, or damage one without making a job unreadable."""
        journals = sorted(self._directory.rglob("*.db"))
        if not journals:
            return
        if self._rng.random() < 0.5:
            spoilt = journals[0].with_name(f"{self._rng.randbytes(16).hex()}.db")
            spoilt.write_bytes(self._rng.randbytes(64 * 1024))
            return
        with suppress(sqlite3.DatabaseError):  # it is the strange file, or damaged already
            damage.overwrite_root(self._rng.choice(journals), self._rng.choice(_INDEXES))

    def _needles(self) -> Mapping[str, bytes]:
        return canary.needles({lane.key for lane in self._lanes}, [f"run {self.oracle.run}"])

    def _plugin(self, failpoint: str | None) -> Plugin:
        return Plugin(
            self._directory, self._server.url, settings=self.plan.settings, failpoint=failpoint
        )


def _of_round(lane: LaneName, number: int) -> LaneName:
    """A lane of the companion's own: two live processes do not order one lane between them."""
    return replace(
        lane,
        name=f"{lane.name}-of-{number}",
        session_id=lane.session_id and f"{lane.session_id}-of-{number}",
        user_id=f"{lane.user_id}-of-{number}",
    )


@asynccontextmanager
async def _noted(result: Kills, loaded: AbstractAsyncContextManager[Load]) -> AsyncIterator[None]:
    """Take what the callers saw into *result* when they have stopped."""
    async with loaded as load:
        yield
    result.answers_s += load.answers_s
    result.refused += len(load.refused)


async def run_kills(plan: Plan, directory: Path) -> Kills:
    """Run *plan* on *directory* against a server of its own in rough weather."""
    async with FaultServer() as server:
        weather.rough(server, plan.seed)
        return await Harness(plan, directory, server).run()
