"""The plugin's asynchronous half: builds and owns journal, queue and client.

Lives on the loop's thread. What it is asked is answered by its parts; here they are put
together, started, restarted and stopped.
"""

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import suppress

import structlog

from mem9_async.models.errors import Mem9AsyncError, Unwritable
from mem9_async.models.job import JobState, NewJob, QueueCommand, QueueReport, Receipt
from mem9_async.models.memory import SearchQuery, SearchResult
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.models.space import Space
from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.clock import SteadyClock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Move, Policy
from mem9_async.queue.records import Frozen
from mem9_async.queue.troubles import place_of
from mem9_async.runtime import components
from mem9_async.runtime.intake.accepting import Accepting
from mem9_async.runtime.intake.inline_delivery import Direct
from mem9_async.runtime.intake.last_call import LastCall
from mem9_async.runtime.intake.outcome_waiters import Waiting
from mem9_async.runtime.intake.unkept import Unkept
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.recall.recall import Recall
from mem9_async.runtime.recall.usage_notices import Notices
from mem9_async.runtime.status.delivered import Delivered
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.status.news import News
from mem9_async.runtime.status.queue_report import Reporting
from mem9_async.runtime.status.remembering import Remembering
from mem9_async.runtime.storage.storage import Storage
from mem9_async.runtime.upkeep.adopter import Adoption
from mem9_async.runtime.upkeep.key_rotation import Rotation
from mem9_async.runtime.upkeep.maintainer import Upkeep
from mem9_async.runtime.upkeep.watcher import Watcher
from mem9_async.settings import Settings

log = structlog.get_logger()

_RESTART_AFTER_S = 1.0
_CRASHES, _CRASH_WINDOW_S = 3, 300.0
_FAILED_PAUSE_S = 60.0


class App:
    """Everything that outlives a call. Build and use it on one event loop."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        """Make ready what the journal holds. Sends nothing before start()."""
        self.settings = settings
        self.storage = storage
        self.clock = SteadyClock()
        self.health = Health()
        self._tasks: set[asyncio.Task[None]] = set()
        rng = random.Random()  # noqa: S311  jitter, not secrets
        journal = storage.journal
        limits = components.limits(settings)
        endpoints = self._endpoints = Endpoints(components.endpoint_limits(settings), rng)
        self.client = components.client(settings)
        self.lanes = Lanes(limits, endpoints)
        self.parking = Parking(journal, self.lanes)
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
                reload_lanes=self.reload_lanes,
                wake=self.deliverer.wake,
                fingerprint=self.parking.fingerprint,
            ),
            clock=self.clock,
            window_s=settings.remember_window,
            max_jobs=settings.remember_max_jobs,
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
        journal.addresses.on_key = self._key_came
        self._adoption = Adoption(self)
        self._load()

    def _load(self, *, deaths: bool = True) -> None:
        now = self.clock.now()
        settings = self.settings
        longest_s = max(settings.retry_max_backoff_ms / 1000, settings.retry_after_max)
        self.storage.journal.addresses.settle_keys()
        caught = self.recovery.recover(now, max_due_in_s=longest_s, deaths=deaths)
        for backlog in self.recovery.backlogs():
            self.lanes.restored(backlog, now)
        self.restore_parks()
        self._watcher.load()
        self._news.dead(self._reports.dead_spaces())
        if self.lanes.depth:
            log.info("journal.recovered", jobs=self.lanes.depth, in_flight=caught)
        if self.storage.reason:
            self.health.degraded("storage", self.storage.reason)

    def reload_lanes(self, lane_ids: set[int]) -> None:
        """Read again what the journal holds for these lanes: it has changed under them."""
        now = self.clock.now()
        found = {backlog.lane_id: backlog for backlog in self.recovery.backlogs(lane_ids)}
        for lane_id in lane_ids:
            self.lanes.reloaded(lane_id, found.get(lane_id), now)
        self._news.dead(self._reports.dead_spaces())

    def adopted(self) -> None:
        """The journal has taken over another's jobs and parks."""
        self.restore_parks()
        self._watcher.load()
        self._news.dead(self._reports.dead_spaces())
        self.underway.reload()

    def restore_parks(self) -> None:
        """Hold the spaces that the journal has parked; again after an adoption."""
        self.parking.restore(
            self.clock.now(),
            longest_s=lambda park: self._policy.longest_park_s(
                park.reason, park.outcome, park.step
            ),
        )
        for park in self.parking.all():
            self._news.parked(park.space_id, park.outcome, park.reason, park.until)

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

    def start(self) -> None:
        """Begin delivering; from here on the network is used."""
        self._spawn(self._deliver())
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
        self._reloaded()
        self.start()

    def abandon(self) -> None:
        """Let go of the journal when the loop has ended under us, so that a new one can have it."""
        with suppress(Exception):
            self._adoption.abandon()
        with suppress(Exception):
            self.storage.close()

    async def _deliver(self) -> None:
        # What earlier processes left is older than what we hold: it goes first.
        await self._adoption.first_round.wait()
        crashes: list[float] = []
        while True:
            try:
                await self.deliverer.run()
            except Exception as exc:
                pause_s = self._crashed(exc, crashes)
                await asyncio.sleep(pause_s)
            # A disk tells nobody when it can be written again.
            while not self._reloaded():  # noqa: ASYNC110
                await asyncio.sleep(_RESTART_AFTER_S)
            self.health.over("delivery")
            log.warning("worker.restarted", reason="crash")

    def _reloaded(self) -> bool:
        if self.storage.damaged:
            return False  # the watch begins anew, on what can be read of it
        self._endpoints.abandon_all()
        self.lanes.clear()
        try:
            # It was we who gave up what was in flight: that says nothing against the jobs.
            self._load(deaths=False)
        except JournalError as exc:
            self.storage.met(exc)
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
            return False
        except Exception as exc:
            log.error("worker.crashed", error_type="worker_crash", reason=place_of(exc))
            return False
        return True

    def _crashed(self, exc: Exception, crashes: list[float]) -> float:
        """Note why delivery stopped; return after how many seconds it may begin again."""
        log.error("worker.crashed", error_type="worker_crash", reason=place_of(exc))
        causes = exc.exceptions if isinstance(exc, ExceptionGroup) else (exc,)
        for cause in causes:
            if isinstance(cause, JournalError):
                self.storage.met(cause)
        if all(isinstance(cause, JournalError) for cause in causes):
            return _RESTART_AFTER_S  # the disk's trouble, not ours: look again soon
        now = time.monotonic()
        crashes[:] = [*(at for at in crashes if now - at < _CRASH_WINDOW_S), now]
        if len(crashes) < _CRASHES:
            return _RESTART_AFTER_S
        self.health.failed(
            "delivery", "delivery has crashed repeatedly and pauses; jobs are taken and kept"
        )
        log.error("worker.failed", reason=self.health.reason)
        return _FAILED_PAUSE_S

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("worker.crashed", error_type="worker_crash", reason=place_of(error))

    # What the tools ask

    @property
    def delivers_first(self) -> bool:
        """Whether a store has to be delivered before it is answered, as nothing can be kept."""
        return self.storage.durability == "none"

    def accept(self, jobs: list[NewJob]) -> list[Receipt | Mem9AsyncError]:
        """Commit *jobs* together; give each its receipt, or the reason why it was not taken."""
        return self._accepting.accept(jobs)

    async def store_and_wait(self, job: NewJob) -> Receipt:
        """Commit *job*, then wait for the end of its first attempt, at most `wait_timeout_ms`.

        Where nothing can be kept, now or ever, deliver it instead. Cancelled: an accepted job
        stays accepted. Raises QueueFull.
        """
        if self.delivers_first:
            return await self._direct.store(job)
        (receipt,) = self.accept([job])
        if isinstance(receipt, Unwritable):
            return await self.store_unkept(job, receipt)
        if isinstance(receipt, Mem9AsyncError):
            raise receipt
        space_id = self.storage.journal.addresses.know_space(job.lane.space)
        if self.parking.is_parked_beyond(space_id, self.clock.now()):
            park = self.parking.get(space_id)
            return receipt.model_copy(update={"outcome": park.outcome if park else None})
        outcome = await self._waiting.outcome(
            receipt.job_id, timeout_s=self.settings.wait_timeout_ms / 1000
        )
        return receipt.model_copy(
            update={
                "outcome": outcome,
                "waited_out": outcome is None,
                "dead": self._is_dead(space_id, receipt.job_id),
                "trouble": self._reporting.trouble(space_id),
                "notice": self._notices.take(job.lane.space) or receipt.notice,
            }
        )

    async def store_before_the_end(self, job: NewJob) -> Receipt:
        """Have mem9 take *job* before the answer, at which the host ends us. Raises QueueFull."""
        if self.delivers_first:
            return await self._direct.store(job)
        return await self._last_call.store(job)

    async def store_unkept(self, job: NewJob, refusal: Unwritable) -> Receipt:
        """Deliver *job*, which the journal could not take. Raises *refusal* where that cannot be.

        Waits for mem9, and for what is before it in its lane.
        """
        return await self._unkept.store(job, refusal)

    def _is_dead(self, space_id: int, job_id: str) -> bool:
        # Of this job: what the space's trouble says may be another's.
        report = self._reports.find(space_id, job_id, parked=False, now=self.clock.now())
        return report is not None and report.state is JobState.DEAD

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
        for job_id in job_ids:
            self._reporting.replay(space_id, job_id, self.clock.now())

    def settled(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """Tell whoever waits, and keep what the next answer for the space must say."""
        batch = frozen.batch
        if decision.move is Move.DELIVER:
            self._news.succeeded(frozen.space_id)
            self._rotation.delivered(frozen.space_id)
            if outcome.notice:
                self._notices.keep(batch.lane.space, outcome.notice)
            self._notices.ask(batch.lane.space, batch.lane.agent_id)
            self._delivered.add(frozen.space_id, batch.job_ids, redelivered=frozen.maybe_sent)
            self._watcher.took(frozen)
            for job_id, payload in zip(batch.job_ids, batch.payloads, strict=True):
                self.underway.delivered(job_id, batch.lane, payload, frozen.oldest_at)
        else:
            if decision.move is Move.BURY:
                self.underway.gone(batch.job_ids)
            self._news.failed(frozen.space_id, outcome, decision)
            self._rotation.failed(
                frozen.space_id,
                batch.lane.agent_id,
                refused=outcome.error_type is ErrorType.AUTH,
            )
        self._waiting.settled(batch.job_ids, outcome)
        self._unkept.settled()
