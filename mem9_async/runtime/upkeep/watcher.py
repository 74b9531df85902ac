"""Watches what mem9 has taken: looks, and does what the watch decides."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from mem9_async.models.evidence import Fact, ModelCalls, Process
from mem9_async.models.space import Space
from mem9_async.queue.clock import Clock
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.journal.takes import Take, Takes
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.records import Frozen
from mem9_async.queue.watch.spaces import SpaceNews
from mem9_async.queue.watch.watch import End, Look, Verdict, Watch
from mem9_async.queue.watch.watched import Schedule, watched

log = structlog.get_logger()

_TICK_S = 1.0
_BETWEEN_LOOKS_S = 0.5
_SERVER_EVERY_S = 5.0


class Evidence(Protocol):
    """What can be asked, free of charge; None where it cannot be had."""

    async def newest_facts(self, space: Space, agent_id: str) -> list[Fact] | None:
        """The newest facts of an agent."""

    async def process(self, base_url: str) -> Process | None:
        """The server's process."""

    async def model_calls(self, base_url: str) -> ModelCalls | None:
        """The counters of its model."""


class Told(Protocol):
    """Who has to know what became of a batch."""

    def watch_ended(self, verdict: Verdict) -> None:
        """A batch is watched no longer."""

    def sent_again(self, lanes: set[int]) -> None:
        """These lanes hold lost batches again, in front."""

    def remembering(self, news: SpaceNews) -> None:
        """A space does not remember, or does again."""


class Watcher:
    """The watch of one journal; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        lanes: Lanes,
        evidence: Evidence,
        may_ask: Callable[[int, str], bool],
        told: Told,
        clock: Clock,
        window_s: float,
        max_jobs: int,
        max_bytes: int,
        wake: Callable[[], None],
    ) -> None:
        """*may_ask* says whether a space at an address may be asked now: not while it is parked."""
        self._schedule = Schedule(window_s)
        self.watch = Watch(self._schedule, max_jobs=max_jobs, max_bytes=max_bytes)
        self._takes = Takes(journal)
        self._addresses = journal.addresses
        self._lanes = lanes
        self._evidence = evidence
        self._may_ask = may_ask
        self._told = told
        self._clock = clock
        self._wake = wake
        self._asking: dict[str, asyncio.Task[None]] = {}

    def load(self) -> None:
        """Watch what the journal holds: after a start, and after an adoption."""
        now = self._clock.now()
        for take in self._takes.all(self._clock.now()):
            self.watch.took(watched(take), now, just_now=False)

    def took(self, frozen: Frozen) -> None:
        """mem9 has just taken *frozen*, and the journal knows; nothing where it is not watched."""
        now = self._clock.now()
        resends = self._takes.resends(frozen.row)
        if resends is not None:
            take = Take(
                frozen.row, frozen.lane_id, frozen.space_id, frozen.batch,
                now, now, resends, frozen.oldest_at,
            )  # fmt: skip
            self.watch.took(watched(take), now)

    async def run(self) -> None:
        """Look and decide until cancelled."""
        tick_s = min(_TICK_S, self._schedule.scale * 2)
        try:
            while True:
                await asyncio.sleep(tick_s)
                try:
                    self._ask()
                    self._decide()
                except JournalError as exc:
                    log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
        finally:
            for task in self._asking.values():
                task.cancel()
            await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _ask(self) -> None:
        """Ask each address for what is due there, one thing at a time."""
        now = self._clock.now()
        looks: dict[str, list[Look]] = {}
        for look in self.watch.due(now):
            if self._may_ask(look.space_id, look.endpoint):
                looks.setdefault(look.endpoint, []).append(look)
        every_s = min(_SERVER_EVERY_S, self._schedule.grace_s / 4)
        for endpoint in self.watch.endpoints | looks.keys():
            running = self._asking.get(endpoint)
            if running is not None and not running.done():
                continue
            stale = now - self.watch.server(endpoint).asked_at >= every_s
            if stale or endpoint in looks:
                self._asking[endpoint] = asyncio.get_running_loop().create_task(
                    self._ask_server(endpoint, looks.get(endpoint, []), stale=stale)
                )

    async def _ask_server(self, endpoint: str, looks: list[Look], *, stale: bool) -> None:
        server = self.watch.server(endpoint)
        if stale:
            server.asked_at = self._clock.now()
            if (process := await self._evidence.process(endpoint)) is not None:
                self.watch.process(endpoint, process, self._clock.now())
            if (calls := await self._evidence.model_calls(endpoint)) is not None:
                self.watch.model(endpoint, calls, self._clock.now())
        for number, look in enumerate(looks):
            if number:
                await asyncio.sleep(min(_BETWEEN_LOOKS_S, self._schedule.scale))
            await self._look(look)

    async def _look(self, look: Look) -> None:
        space = self._addresses.readable_space(look.space_id)
        if space is None:
            return
        facts = await self._evidence.newest_facts(space, look.agent_id)
        if facts is None:
            return
        now = self._clock.now()
        for lane_id in self.watch.facts(look, facts, now):
            self._lanes.go_ahead(lane_id, now)
            self._wake()

    def _decide(self) -> None:
        now = self._clock.now()
        verdicts = self.watch.verdicts(now)
        for end in (End.REMEMBERED, End.UNCONFIRMED):
            self._takes.ended((v.batch.row for v in verdicts if v.end is end), str(end), now)
        lost: dict[str, list[int]] = {}
        for verdict in verdicts:
            if verdict.end is End.LOST:
                lost.setdefault(verdict.reason or "", []).append(verdict.batch.row)
        lanes: set[int] = set()
        for reason, rows in lost.items():
            lanes |= self._takes.lost(rows, reason, now)
        for verdict in verdicts:
            self._told.watch_ended(verdict)
        if lanes:
            self._told.sent_again(lanes)
            for lane_id in lanes:  # what it waited for will not come by itself
                self._lanes.go_ahead(lane_id, now)
            self._wake()
        for news in self.watch.news(now):
            self._told.remembering(news)
