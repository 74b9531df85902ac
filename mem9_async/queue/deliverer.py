"""Runs what lanes decides: freeze, send, settle; one event per step of a batch.

Nothing here decides about outcomes (policy), order (lanes) or bytes (the sink). Every change
is in the journal before anything else acts on it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import anyio
import structlog

from mem9_async.models.key_check import explained
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.queue import failpoints
from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.clock import Clock
from mem9_async.queue.journal import Journal, JournalCorrupt, JournalError, JournalFull
from mem9_async.queue.lane_state import Limits, Ready
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Health, Move, Policy, Situation
from mem9_async.queue.records import Frozen
from mem9_async.queue.refusals import Refusals
from mem9_async.queue.settlement import Settlement, names
from mem9_async.queue.sink import Sink
from mem9_async.queue.troubles import place_of

log = structlog.get_logger()

_TAKEN_IN_A_TURN = 16
_TWO = 2
_UNWRITABLE_WAIT_S = 2.0  # what cannot be written is tried again soon: space may return any time


class Observer(Protocol):
    """Who wants to know how batches end. Called after the journal has committed it."""

    def settled(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """One attempt of *frozen* ended in *outcome*, and *decision* was carried out."""

    def cleared(self, space_id: int, job_ids: tuple[str, ...]) -> None:
        """These dead letters were refused when everything was: they wait in line again."""


class Deliverer:
    """The delivery loop of one journal."""

    def __init__(
        self,
        *,
        journal: Journal,
        lanes: Lanes,
        endpoints: Endpoints,
        policy: Policy,
        parking: Parking,
        sink: Sink,
        limits: Limits,
        clock: Clock,
        observer: Observer,
        make_room: Callable[[], bool],
        verbatim: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """*make_room* frees disk space for recording outcomes; False when there is none to free.

        *verbatim* says of an address that its mem9 keeps only what it is told word for word.
        """
        self._journal = journal
        self._lanes = lanes
        self._endpoints = endpoints
        self._policy = policy
        self._parking = parking
        self._sink = sink
        self._limits = limits
        self._clock = clock
        self._observer = observer
        self._make_room = make_room
        self._verbatim = verbatim
        self._settlement = Settlement(
            journal=journal, lanes=lanes, parking=parking, limits=limits, clock=clock
        )
        self._refusals = Refusals()
        self._invalid: Counter[int] = Counter()  # answers in a row that no mem9 would give
        self._woken = asyncio.Event()
        self._sleeps_until = float("-inf")

    def wake(self, at: float | None = None) -> None:
        """Look again for something to send: now, or no later than *at* (epoch seconds).

        Costs nothing when the loop would wake up before *at* anyway.
        """
        if at is None or at < self._sleeps_until:
            self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled. Cancelled: what is in flight stays so until recover()."""
        async with anyio.create_task_group() as attempts:
            while True:
                now = self._clock.now()
                self._woken.clear()
                taken = 0
                while (ready := self._lanes.next(now)) is not None:
                    frozen = self._take(ready, now)
                    if frozen is not None:
                        attempts.start_soon(self._attempt, ready, frozen)
                    taken += 1
                    if taken % _TAKEN_IN_A_TURN == 0:  # stores and searches have theirs too
                        await asyncio.sleep(0)
                await self._sleep(self._lanes.wakeup_at(now), now)

    async def _sleep(self, until: float | None, now: float) -> None:
        self._sleeps_until = float("inf") if until is None else until
        if until is None:
            await self._woken.wait()
            return
        handle = asyncio.get_running_loop().call_later(max(0.0, until - now), self._woken.set)
        try:
            await self._woken.wait()
        finally:
            handle.cancel()

    def _take(self, ready: Ready, now: float) -> Frozen | None:
        try:
            if self._taken_apart(ready, now):
                return None
            frozen = self._started(ready, now)
        except JournalCorrupt:
            raise
        except JournalError as exc:
            if isinstance(exc, JournalFull):
                self._make_room()
            self._endpoints.cancelled(ready.endpoint, now)
            self._lanes.postpone(ready, now + _UNWRITABLE_WAIT_S, now)
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
            return None
        if frozen is None:
            self._endpoints.cancelled(ready.endpoint, now)
            self._lanes.vanished(ready, now)
            return None
        if ready.frozen is None:
            self._lanes.frozen(
                ready.lane_id,
                jobs=len(frozen.batch.job_ids) + frozen.lost,
                size=frozen.size + frozen.lost_size,
                oldest_at=frozen.oldest_at,
                next_at=frozen.next_at,
            )
            log.debug("batch.frozen", job_ids=frozen.batch.job_ids, **names(frozen))
        if frozen.lost:
            self._lanes.lost(ready.lane_id, jobs=frozen.lost, size=frozen.lost_size)
        log.debug("attempt.started", attempt=frozen.batch.attempt, **names(frozen))
        return frozen

    def _started(self, ready: Ready, now: float) -> Frozen | None:
        verbatim = self._verbatim(ready.endpoint)
        if ready.frozen is not None:
            frozen = self._journal.restart(ready.frozen.row, now)
        else:
            frozen = self._journal.freeze(
                ready.lane_id,
                max_jobs=1 if verbatim else self._limits.batch_max_jobs,
                max_bytes=self._limits.batch_max_bytes,
                max_facts=self._limits.batch_max_facts,
                now=now,
            )
        if frozen is None or not verbatim or frozen.batch.pinned:
            return frozen
        return replace(frozen, batch=frozen.batch.model_copy(update={"verbatim": True}))

    def _taken_apart(self, ready: Ready, now: float) -> bool:
        """Whether *ready*'s batch was split, as word for word each job goes by itself."""
        frozen = ready.frozen
        if frozen is None or frozen.jobs < _TWO or not self._verbatim(ready.endpoint):
            return False
        parts = self._journal.split(frozen.row, due_at=now)
        self._endpoints.cancelled(ready.endpoint, now)
        self._lanes.again(ready.lane_id, parts, now)
        return True

    async def _attempt(self, ready: Ready, frozen: Frozen) -> None:
        failpoints.hit("send.before")
        outcome = await self._send(frozen)
        failpoints.hit("send.after")
        key_state = await self._key_state(frozen, outcome)
        decision = self._decide(ready, frozen, outcome, key_state)
        outcome = explained(outcome, key_state)
        # What mem9 has said is known here only: it must not be lost because a disk is full.
        while not self._recorded(frozen, outcome, decision):  # noqa: ASYNC110
            await asyncio.sleep(_UNWRITABLE_WAIT_S)
        self._tell(ready, frozen, outcome, decision)
        self._woken.set()

    async def _send(self, frozen: Frozen) -> Outcome:
        try:
            # mem9 has no idempotency for pinned memories: look before storing one a second time.
            doubtful = frozen.batch.pinned and frozen.maybe_sent
            if doubtful and await self._sink.holds_pinned(frozen.batch):
                return Outcome(confirmation=Confirmation.INGESTED)
            return await self._sink.send(frozen.batch)
        except Exception as exc:
            # The top of the delivery loop: whatever our own code does wrong must not end it.
            log.error("worker.crashed", stage="sending", error_type="bug", reason=place_of(exc))
            return Outcome(
                error_type=ErrorType.BUG, error="sending failed inside the plugin", maybe_sent=True
            )

    async def _key_state(self, frozen: Frozen, outcome: Outcome) -> KeyState | None:
        doubtful = outcome.error_type is ErrorType.AUTH and outcome.http_status in (400, 404)
        if not doubtful:
            return None
        if self._parking.is_parked_beyond(frozen.space_id, self._clock.now()):
            # Asked already, for the request that parked it.
            park = self._parking.get(frozen.space_id)
            looked_up = park is None or park.reason != ErrorType.UNAVAILABLE
            return None if looked_up else KeyState.UNAVAILABLE
        with suppress(Exception):
            return await self._sink.key_state(frozen.batch.lane.space)
        return KeyState.UNDECIDED

    def _decide(
        self, ready: Ready, frozen: Frozen, outcome: Outcome, key_state: KeyState | None
    ) -> Decision:
        now = self._clock.now()
        if outcome.error_type is ErrorType.INVALID_RESPONSE:
            self._invalid[frozen.row] += 1
        blocked_jobs = 0
        if outcome.error_type is ErrorType.BLOCKED and len(frozen.batch.job_ids) == 1:
            blocked_jobs = self._refusals.refused(frozen.space_id, frozen.batch.job_ids[0])
        served_at = self._endpoints.served_at(ready.endpoint, frozen.space_id)
        decision = self._policy.decide(
            outcome,
            Situation(
                jobs=len(frozen.batch.job_ids),
                attempt=frozen.batch.attempt,
                from_split=frozen.from_split,
                served_others=served_at >= frozen.first_attempt_at,
                age_s=now - frozen.first_attempt_at,
                park_step=self._parking.next_step(frozen.space_id),
                invalid_responses=self._invalid[frozen.row],
                blocked_jobs=blocked_jobs,
                key_state=key_state,
            ),
        )
        if decision.move not in (Move.RETRY, Move.PAUSE) or not self._invalid[frozen.row]:
            del self._invalid[frozen.row]
        return decision

    def _recorded(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> bool:
        """Carry *decision* out, in the journal first; False while that cannot be written."""
        try:
            self._settlement.carry_out(frozen, outcome, decision, self._clock.now())
        except JournalCorrupt:
            raise
        except JournalError as exc:
            if isinstance(exc, JournalFull) and self._make_room():
                return self._recorded(frozen, outcome, decision)
            log.error(
                "journal.write_failed",
                stage="recording",
                error_type="journal_error",
                reason=str(exc),
                **names(frozen),
            )
            return False
        return True

    def _tell(self, ready: Ready, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        now = self._clock.now()
        self._tell_endpoint(ready, frozen, decision, now)
        try:
            if outcome.ok:
                self._parking.resume(frozen.space_id, now)
            self._observer.settled(frozen, outcome, decision)
            self._judge(frozen, outcome, decision)
        except JournalError as exc:
            # The next success ends the park; what the observer missed is in the journal.
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
        except Exception as exc:
            # The batch is settled: nothing that is done about it may end the others.
            log.error("worker.crashed", stage="telling", error_type="bug", reason=place_of(exc))

    def _judge(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """Learn from what became of the batch about what else of its space is refused."""
        space_id = frozen.space_id
        cleared: tuple[str, ...] = ()
        if outcome.ok:
            cleared = self._refusals.taken(space_id)
        elif outcome.error_type is ErrorType.BLOCKED and decision.move is Move.PARK:
            self._refusals.parked(space_id)
        elif outcome.error_type is ErrorType.BLOCKED and decision.move is Move.BURY:
            self._refusals.dead_lettered(space_id, frozen.batch.job_ids[0])
            if not self._lanes.space_depth(space_id):
                cleared = self._refusals.round_again(space_id)
        if cleared:
            self._observer.cleared(space_id, cleared)

    def _tell_endpoint(self, ready: Ready, frozen: Frozen, decision: Decision, now: float) -> None:
        url, space_id, retry = ready.endpoint, frozen.space_id, ready.frozen is not None
        closed = opened = False
        match decision.health:
            case Health.SERVED:
                closed = self._endpoints.succeeded(url, space_id, now, retry=retry)
            case Health.ALIVE:
                closed = self._endpoints.answered(url, now)
            case Health.SLOWED:
                closed = self._endpoints.slowed(url, now)
            case Health.UNKNOWN:
                self._endpoints.cancelled(url, now)
            case Health.FAILED | Health.UNREACHABLE:
                opened = self._endpoints.failed(
                    url, space_id, now, unreachable=decision.health is Health.UNREACHABLE
                )
        if closed:
            log.info("circuit.closed", space=self._parking.fingerprint(space_id))
        if opened:
            log.warning(
                "circuit.opened",
                reason=decision.reason,
                retry_in_s=round(self._endpoints.reopens_in_s(url, now) or 0.0, 3),
                space=self._parking.fingerprint(space_id),
            )
