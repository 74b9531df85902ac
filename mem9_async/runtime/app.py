"""The plugin's asynchronous half: builds and owns journal, queue and client.

Lives on the loop's thread. What it is asked is answered by its parts; here they are put
together, started, restarted and stopped.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import structlog

from mem9_async.models.job import QueueCommand, QueueReport
from mem9_async.models.memory import SearchQuery, SearchResult
from mem9_async.models.outcome import Confirmation, Outcome
from mem9_async.models.space import Space
from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.clock import SteadyClock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Policy
from mem9_async.queue.records import Frozen
from mem9_async.queue.troubles import place_of
from mem9_async.runtime import components
from mem9_async.runtime.desk.desk import Desk
from mem9_async.runtime.desk.live_queue import LiveQueue
from mem9_async.runtime.intake.accepting import Accepting
from mem9_async.runtime.intake.inline_delivery import Direct
from mem9_async.runtime.intake.last_call import LastCall
from mem9_async.runtime.intake.outcome_waiters import Waiting
from mem9_async.runtime.intake.stores import Stores
from mem9_async.runtime.intake.unkept import Unkept
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.recall.recall import Recall
from mem9_async.runtime.recall.usage_notices import Notices
from mem9_async.runtime.status.delivered import Delivered
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.status.news import News
from mem9_async.runtime.status.outcome_observer import OutcomeObserver
from mem9_async.runtime.status.queue_report import Reporting
from mem9_async.runtime.status.remembering import Remembering
from mem9_async.runtime.status.status_source import StatusSource
from mem9_async.runtime.status.tally import Tally
from mem9_async.runtime.storage.storage import Storage
from mem9_async.runtime.upkeep.adopter import Adoption
from mem9_async.runtime.upkeep.delivery_loop import DeliveryLoop
from mem9_async.runtime.upkeep.key_rotation import Rotation
from mem9_async.runtime.upkeep.lane_loader import LaneLoader
from mem9_async.runtime.upkeep.maintainer import Upkeep
from mem9_async.runtime.upkeep.watcher import Watcher
from mem9_async.settings import Settings

log = structlog.get_logger()


class App:
    """Everything that outlives a call. Build and use it on one event loop."""

    def __init__(self, settings: Settings, storage: Storage, *, tally: Tally | None = None) -> None:
        """Make ready what the journal holds. Sends nothing before start().

        *tally* is what an app counted that this one takes the place of.
        """
        self.settings = settings
        self.storage = storage
        self.clock = SteadyClock()
        self.health = Health()
        self.tally = tally or Tally(self.clock.now())
        self._tasks: set[asyncio.Task[None]] = set()
        rng = random.Random()  # noqa: S311  jitter, not secrets
        journal = storage.journal
        limits = components.limits(settings)
        endpoints = self._endpoints = Endpoints(components.endpoint_limits(settings), rng)
        self.client = components.client(settings)
        self.lanes = Lanes(limits, endpoints)
        self.parking = Parking(journal, self.lanes)
        self.holds = Holds(journal, self.lanes)
        self.recovery = Recovery(journal)
        self._delivered = Delivered()
        self._waiting = Waiting()
        self._policy = Policy(components.waits(settings), rng)
        self._news = News(self.clock.now)
        self._notices = Notices(route=self.client, now=self.clock.now, spawn=self._spawn)
        self.underway = Underway(window_s=components.shown_s(settings), now=self.clock.now)
        self._reports = Reports(journal)
        self.deliverer = Deliverer(
            journal=journal,
            lanes=self.lanes,
            endpoints=endpoints,
            policy=self._policy,
            parking=self.parking,
            sink=self.client,
            limits=limits,
            clock=self.clock,
            observer=self,
            make_room=storage.make_room,
            verbatim=lambda url: self._watcher.watch.server(url).has_no_model,
        )
        self._reporting = Reporting(
            storage=storage,
            lanes=self.lanes,
            parking=self.parking,
            reports=self._reports,
            recovery=self.recovery,
            deliverer=self.deliverer,
            delivered=self._delivered,
            underway=self.underway,
            news=self._news,
            health=self.health,
            holds=self.holds,
            clock=self.clock,
            not_remembering=lambda space_id: self._watcher.watch.not_remembering(space_id),
        )
        self._watcher = Watcher(
            journal=journal,
            lanes=self.lanes,
            evidence=self.client.evidence,
            may_ask=self._may_ask,
            told=Remembering(
                delivered=self._delivered,
                underway=self.underway,
                reload_lanes=lambda lanes: self.loader.reload(lanes),
                wake=self.deliverer.wake,
                fingerprint=self.parking.fingerprint,
            ),
            clock=self.clock,
            window_s=settings.remember_window,
            max_jobs=settings.remember_max_jobs,
            max_bytes=settings.journal_max_bytes // 10,  # the rest is for what is not sent yet
            wake=self.deliverer.wake,
        )
        self._rotation = Rotation(
            client=self.client,
            journal=journal,
            lanes=self.lanes,
            parking=self.parking,
            recovery=self.recovery,
            deliverer=self.deliverer,
            news=self._news,
            clock=self.clock,
            underway=self.underway,
            has_served=lambda space_id: self._delivered.of(space_id).delivered > 0,
            spawn=self._spawn,
        )
        self._accepting = Accepting(
            settings=settings,
            storage=storage,
            lanes=self.lanes,
            deliverer=self.deliverer,
            trouble=self._reporting.trouble,
            stored=self._rotation.stored,
            underway=self.underway,
            notices=self._notices,
            health=self.health,
            tally=self.tally,
            clock=self.clock,
        )
        self._last_call = LastCall(
            accept=self._accepting.accept,
            journal=journal,
            reports=self._reports,
            lanes=self.lanes,
            parking=self.parking,
            deliverer=self.deliverer,
            waiting=self._waiting,
            clock=self.clock,
            limit_s=settings.wait_timeout_ms / 1000,
        )
        self._recall = Recall(
            client=self.client,
            journal=journal,
            reports=self._reports,
            parking=self.parking,
            underway=self.underway,
            notices=self._notices,
            clock=self.clock,
            timeout_s=settings.search_timeout_ms / 1000,
        )
        self._direct = Direct(
            self.client,
            reason=storage.reason or "",
            confirmation=Confirmation(settings.confirmation),
            timeout_s=settings.wait_timeout_ms / 1000,
        )
        self._unkept = Unkept(
            direct=self._direct,
            journal=journal,
            lanes=self.lanes,
            deliverer=self.deliverer,
            parking=self.parking,
            has_failed=self._news.has_failed,
            clock=self.clock,
            timeout_s=settings.wait_timeout_ms / 1000,
            at_once=settings.max_in_flight_per_space,
        )
        self.stores = Stores(
            storage=storage,
            accepting=self._accepting,
            direct=self._direct,
            unkept=self._unkept,
            last_call=self._last_call,
            waiting=self._waiting,
            parking=self.parking,
            reports=self._reports,
            reporting=self._reporting,
            notices=self._notices,
            clock=self.clock,
            wait_s=settings.wait_timeout_ms / 1000,
        )
        self._observer = OutcomeObserver(
            news=self._news,
            rotation=self._rotation,
            notices=self._notices,
            delivered=self._delivered,
            watcher=self._watcher,
            underway=self.underway,
            waiting=self._waiting,
            unkept=self._unkept,
            reporting=self._reporting,
            tally=self.tally,
            clock=self.clock,
        )
        self.status = StatusSource(
            settings=settings,
            storage=storage,
            lanes=self.lanes,
            endpoints=endpoints,
            parking=self.parking,
            holds=self.holds,
            watch=self._watcher.watch,
            health=self.health,
            tally=self.tally,
            clock=self.clock,
        )
        journal.addresses.on_key = self._key_came
        self.loader = LaneLoader(
            settings=settings,
            storage=storage,
            recovery=self.recovery,
            reports=self._reports,
            lanes=self.lanes,
            endpoints=endpoints,
            parking=self.parking,
            holds=self.holds,
            policy=self._policy,
            watcher=self._watcher,
            underway=self.underway,
            news=self._news,
            health=self.health,
            clock=self.clock,
        )
        self.desk = Desk(
            journal,
            holds=self.holds,
            queue=LiveQueue(
                lanes=self.lanes,
                loader=self.loader,
                parking=self.parking,
                holds=self.holds,
                underway=self.underway,
                deliverer=self.deliverer,
                clock=self.clock,
            ),
            now=self.clock.now,
        )
        self._adoption = Adoption(self)
        self._loop = DeliveryLoop(
            deliverer=self.deliverer,
            storage=storage,
            health=self.health,
            begins=self._adoption.first_round,
            load_anew=self.loader.load_anew,
        )
        self.loader.load()

    def _may_ask(self, space_id: int, endpoint: str) -> bool:
        """Whether a space may be asked what it has: not while it, or its address, is paused."""
        if self.parking.get(space_id) is not None:
            return False
        return self._endpoints.reopens_in_s(endpoint, self.clock.now()) is None

    def _key_came(self, space_id: int, space: Space) -> None:
        self.lanes.endpoint_known(space_id, space.base_url)
        self.deliverer.wake()

    def forget_spaces(self, space_ids: set[int]) -> None:
        """Drop what is remembered of spaces that the journal has forgotten."""
        self._rotation.forget(space_ids)
        self._delivered.forget(space_ids)

    def start(self, *, after: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin delivering; from here on the network is used.

        *after* ends before anything is adopted, and so before anything is delivered.
        """
        self._adoption.waits_for = after
        self._spawn(self._loop.run())
        self._spawn(self._watcher.run())
        self._spawn(Upkeep(self, self._adoption).run())
        log.info("worker.started", jobs=self.lanes.depth, durability=self.storage.durability)

    async def aclose(self) -> None:
        """Stop without draining: what is undelivered stays in the journal."""
        log.info("shutdown.started", jobs=self.lanes.depth)
        await self.stop()
        self.storage.close()
        log.info("shutdown.completed")

    async def stop(self) -> None:
        """Stop delivering, and close every connection; the journal stays open."""
        await self.halt()
        await self.client.aclose()

    async def halt(self) -> None:
        """Stop delivering; calls that use the client go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def resume(self) -> None:
        """Deliver again after halt(), from what the journal holds."""
        self.loader.load_anew()
        self.start()

    def abandon(self) -> None:
        """Let go of the journal when the loop has ended under us, so that a new one can have it."""
        with suppress(Exception):
            self._adoption.abandon()
        with suppress(Exception):
            self.storage.close()

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("worker.crashed", error_type="worker_crash", reason=place_of(error))

    # What the tools ask

    async def search(
        self, query: SearchQuery, *, include_pending: bool, second: SearchQuery | None
    ) -> SearchResult:
        """Recall, with pending writes of the same scope. Raises RequestFailed."""
        result = await self._recall.search(query, include_pending=include_pending, second=second)
        self._rotation.proven(query.space)
        return result

    async def validate(self, space: Space, caller_agent_id: str) -> None:
        """Make one authenticated request; a key that works sends what was held for it."""
        await self.client.validate(space, caller_agent_id)
        self._rotation.proven(space)

    def queue(self, command: QueueCommand) -> QueueReport:
        """Do what *command* asks and report on its space's jobs, and on no other's."""
        if command.owner is not None and command.action != "status":
            dead = command.action == "retry_dead"
            self._rotation.asked(command.space, command.owner, dead=dead)
        return self._reporting.queue(command)

    # What the deliverer tells

    def cleared(self, space_id: int, job_ids: tuple[str, ...]) -> None:
        """Send these dead letters again: they were refused when everything was."""
        self._observer.cleared(space_id, job_ids)

    def settled(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """One attempt of *frozen* ended in *outcome*, and *decision* was carried out."""
        self._observer.settled(frozen, outcome, decision)
