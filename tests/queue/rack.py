"""The whole queue around a scripted mem9, in virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mem9_async.models.batch import Batch
from mem9_async.models.job import NewJob
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Confirmation, Outcome
from mem9_async.models.space import Space
from mem9_async.queue.circuit import EndpointLimits, Endpoints
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.lane_state import Limits
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Move, Policy, Waits
from mem9_async.queue.records import Appended, Frozen
from tests.queue.builders import ENDPOINT_LIMITS, LIMITS, START, WAITS
from tests.queue.desk import Desk

TAKEN = Outcome(confirmation=Confirmation.ACCEPTED, http_status=202)
Answer = Callable[[Batch], Awaitable[Outcome]]


@dataclass(frozen=True)
class Request:
    """One request as the scripted mem9 saw it. Seconds of the virtual clock."""

    at: float
    until: float
    batch: Batch
    outcome: Outcome | None  #: None when the sink raised

    @property
    def texts(self) -> list[str]:
        """What it said, job by job."""
        return [payload.text for payload in self.batch.payloads]


@dataclass(frozen=True)
class End:
    """One attempt as the observer was told of it."""

    at: float
    frozen: Frozen
    outcome: Outcome
    decision: Decision


class LoopClock:
    """UTC epoch seconds that follow the running loop's own time."""

    def now(self) -> float:
        """Seconds since the loop was made, after START."""
        return START + asyncio.get_running_loop().time()


class ScriptedSink:
    """A mem9 that does what the test says."""

    def __init__(self, answer: Answer, clock: LoopClock) -> None:
        self.answer = answer
        self.clock = clock
        self.requests: list[Request] = []
        self.flying = 0
        self.key_states: list[str] = []
        self.key_answer: KeyState | Exception = KeyState.UNDECIDED
        self.looked_up: list[str] = []
        self.holds: bool | None = None

    async def send(self, batch: Batch) -> Outcome:
        """Record the request, then answer as scripted."""
        at, outcome = self.clock.now(), None
        self.flying += 1
        try:
            outcome = await self.answer(batch)
        finally:
            self.flying -= 1
            self.requests.append(Request(at, self.clock.now(), batch, outcome))
        return outcome

    async def key_state(self, space: Space) -> KeyState:
        """Record the question, then answer as scripted."""
        self.key_states.append(space.key)
        if isinstance(self.key_answer, Exception):
            raise self.key_answer
        return self.key_answer

    async def holds_pinned(self, batch: Batch) -> bool | None:
        """Record the question, then answer as scripted."""
        self.looked_up.append(batch.batch_id)
        return self.holds

    def taken(self) -> list[Request]:
        """The requests that were taken, in their order."""
        return [each for each in self.requests if each.outcome is not None and each.outcome.ok]


class Rack:
    """Journal, lanes, policy, endpoints and deliverer, put together as the plugin does."""

    def __init__(
        self,
        answer: Answer,
        *,
        path: Path | None = None,
        seed: int = 0,
        limits: Limits = LIMITS,
        endpoint_limits: EndpointLimits = ENDPOINT_LIMITS,
        waits: Waits = WAITS,
    ) -> None:
        self.clock = LoopClock()
        self.sink = ScriptedSink(answer, self.clock)
        self.desk = Desk(path)
        rng = random.Random(seed)
        self.endpoints = Endpoints(endpoint_limits, rng)
        self.lanes = Lanes(limits, self.endpoints)
        self.parking = Parking(self.desk.journal, self.lanes)
        self.policy = Policy(waits, rng)
        self.ends: list[End] = []
        self.room = True
        self.deliverer = Deliverer(
            journal=self.desk.journal,
            lanes=self.lanes,
            endpoints=self.endpoints,
            policy=self.policy,
            parking=self.parking,
            sink=self.sink,
            limits=limits,
            clock=self.clock,
            observer=self,
            make_room=lambda: self.room,
        )

    def settled(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """Keep what the observer is told."""
        self.ends.append(End(self.clock.now(), frozen, outcome, decision))

    def cleared(self, space_id: int, job_ids: tuple[str, ...]) -> None:
        """Send them again, as the plugin does."""
        for job_id in job_ids:
            _, lane_ids = self.desk.reports.replay(space_id, job_id, self.clock.now())
            for backlog in self.desk.recovery.backlogs(lane_ids):
                self.lanes.restored(backlog, self.clock.now())

    def load(self) -> None:
        """Make ready what the journal holds, as at the start."""
        now = self.clock.now()
        self.desk.recovery.recover(now, max_due_in_s=3_600.0)
        for backlog in self.desk.recovery.backlogs():
            self.lanes.restored(backlog, now)
        self.parking.restore(
            now,
            longest_s=lambda park: self.policy.longest_park_s(park.reason, park.outcome, park.step),
        )

    def accept(self, *jobs: NewJob, wait: bool = False) -> list[Appended]:
        """Commit *jobs* and tell the lanes, as the plugin does."""
        now = self.clock.now()
        appended = self.desk.journal.append(jobs, now)
        for job, each in zip(jobs, appended, strict=True):
            if each.deduplicated:
                continue
            at = self.lanes.appended(
                each.lane_id,
                each.space_id,
                job.lane.space.base_url,
                each.size,
                now,
                close_now=wait,
            )
            if at is not None:
                self.deliverer.wake(at)
        return appended

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver inside the block. What the loop of delivery raises is raised at its end."""
        task = asyncio.create_task(self.deliverer.run())
        try:
            yield
        finally:
            if not task.done():
                task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def drained(self, within_s: float, *, every_s: float = 0.05) -> float:
        """Wait until nothing is left; the seconds it took. Fails after *within_s*."""
        began = self.clock.now()
        while self.lanes.depth:
            if self.clock.now() - began > within_s:
                raise AssertionError(f"{self.lanes!r} after {within_s} s")
            await asyncio.sleep(every_s)
        return self.clock.now() - began

    def moves(self) -> list[Move]:
        """How the attempts ended, one after the other."""
        return [end.decision.move for end in self.ends]


def always(outcome: Outcome, *, after_s: float = 0.0) -> Answer:
    """The same answer to everything."""

    async def answer(_: Batch) -> Outcome:
        await asyncio.sleep(after_s)
        return outcome

    return answer


def first(*outcomes: Outcome, then: Outcome = TAKEN) -> Answer:
    """*outcomes* one after the other, then always the same."""
    left = list(outcomes)

    async def answer(_: Batch) -> Outcome:
        return left.pop(0) if left else then

    return answer


def refusing(bad: str, outcome: Outcome) -> Answer:
    """*outcome* for every request that contains *bad*, success for the others."""

    async def answer(batch: Batch) -> Outcome:
        return outcome if any(bad in each.text for each in batch.payloads) else TAKEN

    return answer
