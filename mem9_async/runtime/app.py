"""The plugin's asynchronous half: owns journal, queue and client. Lives on the loop's thread."""

import asyncio
import random
import time
from pathlib import Path
from typing import Literal

import structlog

from mem9_async.client.client import Mem9Client
from mem9_async.models.errors import Mem9AsyncError, RequestFailed
from mem9_async.models.job import (
    JobReport,
    LaneReport,
    NewJob,
    PendingWrite,
    QueueCommand,
    QueueReport,
    Receipt,
)
from mem9_async.models.memory import SearchQuery, SearchResult
from mem9_async.models.outcome import Outcome
from mem9_async.models.space import Lane, Space
from mem9_async.queue.clock import SteadyClock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.endpoints import EndpointLimits, Endpoints
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lanes import Lanes, Limits
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Move, Policy, Waits
from mem9_async.queue.records import Frozen
from mem9_async.runtime.accepting import Accepting
from mem9_async.runtime.matching import Matcher
from mem9_async.runtime.news import News
from mem9_async.runtime.recent import Recent
from mem9_async.runtime.storage import open_storage
from mem9_async.runtime.upkeep import Upkeep
from mem9_async.settings import Settings

log = structlog.get_logger()

_PENDING_LOOKED_AT = 500  # newest undelivered jobs of a scope that a search compares
_PENDING_SHOWN = 20
_NOTICE_EVERY_S = 15 * 60.0
_RESTART_AFTER_S = 1.0
_CRASHES, _CRASH_WINDOW_S = 3, 300.0


class App:
    """Everything that outlives a call. Build, open and use it on one event loop."""

    def __init__(self, settings: Settings, working_directory: Path) -> None:
        self.settings = settings
        self._working_directory = working_directory
        self._health: Literal["starting", "ok", "degraded", "failed"] = "starting"
        self._health_reason: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: dict[str, list[asyncio.Future[Outcome]]] = {}
        self._asked_state_at: dict[int, float] = {}

    def open(self) -> None:
        """Open the journal and make ready what was left in it. Sends nothing yet."""
        settings = self.settings
        self.clock = SteadyClock()
        rng = random.Random()  # noqa: S311  jitter, not secrets
        self.storage = open_storage(settings, self._working_directory)
        journal, sealer = self.storage.journal, self.storage.sealer
        limits = Limits(
            linger_s=settings.linger_ms / 1000,
            linger_max_s=settings.linger_max_ms / 1000,
            batch_max_jobs=settings.batch_max_jobs,
            batch_max_bytes=settings.batch_max_bytes,
            max_in_flight=settings.max_in_flight,
            max_in_flight_per_space=settings.max_in_flight_per_space,
        )
        endpoints = Endpoints(
            EndpointLimits(
                max_in_flight=settings.max_in_flight,
                failure_threshold=settings.circuit_failure_threshold,
                max_open_s=settings.circuit_max_open_ms / 1000,
                budget_ratio=settings.retry_budget_ratio,
                budget_tokens=settings.retry_budget_tokens,
            ),
            rng,
        )
        self.client = Mem9Client(
            connect_timeout_s=settings.connect_timeout_ms / 1000,
            attempt_timeout_s=settings.attempt_timeout_effective_ms / 1000,
            search_timeout_s=settings.search_timeout_ms / 1000,
            keepalive_idle_s=settings.keepalive_idle_ms / 1000,
            max_in_flight=settings.max_in_flight,
            retry_after_max_s=settings.retry_after_max,
        )
        self.lanes = Lanes(limits, endpoints)
        self.parking = Parking(journal, self.lanes)
        self.reports = Reports(journal, sealer)
        self.recovery = Recovery(journal, sealer)
        self.news = News(self.clock.now)
        self.recent = Recent(window_s=settings.recent_window_ms / 1000, now=self.clock.now)
        self.deliverer = Deliverer(
            journal=journal,
            lanes=self.lanes,
            endpoints=endpoints,
            policy=Policy(_waits(settings), rng),
            parking=self.parking,
            sink=self.client,
            limits=limits,
            clock=self.clock,
            observer=self,
        )
        self._accepting = Accepting(
            settings=settings,
            storage=self.storage,
            lanes=self.lanes,
            deliverer=self.deliverer,
            reports=self.reports,
            news=self.news,
            clock=self.clock,
        )
        self.upkeep = Upkeep(self)
        self._make_ready()

    def _make_ready(self) -> None:
        now = self.clock.now()
        settings = self.settings
        longest_s = max(settings.retry_max_backoff_ms / 1000, settings.retry_after_max)
        caught = self.recovery.recover(now, max_due_in_s=longest_s)
        for backlog in self.recovery.backlogs():
            self.lanes.restored(backlog, now)
        self.restore_parks()
        if self.lanes.depth:
            log.info("journal.recovered", jobs=self.lanes.depth, in_flight=caught)
        if self.storage.reason:
            self._health, self._health_reason = "degraded", self.storage.reason
        else:
            self._health = "ok"

    def restore_parks(self) -> None:
        """Hold what an adopted journal had parked."""
        settings = self.settings
        longest_s = max(settings.park_auth_max, settings.park_quota_max, 3600.0)
        self.parking.restore(self.clock.now(), max_s=longest_s)
        for park in self.parking.all():
            self.news.parked(park.space_id, park.outcome, park.reason, park.until)

    def start(self) -> None:
        """Begin delivering; from here on the network is used."""
        self._spawn(self._deliver())
        self._spawn(self.upkeep.run())
        log.info("worker.started", jobs=self.lanes.depth, durability=self.storage.durability)

    async def aclose(self) -> None:
        """Stop without draining: what is undelivered stays in the journal."""
        log.info("shutdown.started", jobs=self.lanes.depth)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()
        self.storage.journal.close()
        if self.storage.claim is not None:
            self.storage.claim.release()
        log.info("shutdown.completed")

    async def _deliver(self) -> None:
        crashes: list[float] = []
        while True:
            try:
                await self.deliverer.run()
            except Exception as exc:
                now = time.monotonic()
                crashes = [at for at in crashes if now - at < _CRASH_WINDOW_S] + [now]
                log.error("worker.crashed", error_type="worker_crash", reason=repr(exc)[:300])
                if len(crashes) >= _CRASHES:
                    self._health = "failed"
                    self._health_reason = "delivery stopped after repeated crashes"
                    log.error("worker.failed", reason=self._health_reason)
                    return
            await asyncio.sleep(_RESTART_AFTER_S)
            self._reload()
            log.warning("worker.restarted", reason="crash")

    def _reload(self) -> None:
        now = self.clock.now()
        self.recovery.recover(now, max_due_in_s=self.settings.retry_after_max)
        self.lanes.clear()
        for backlog in self.recovery.backlogs():
            self.lanes.restored(backlog, now)
        self.restore_parks()

    def _spawn(self, coroutine: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What the tools ask

    def accept(self, jobs: list[NewJob]) -> list[Receipt | Mem9AsyncError]:
        """Commit *jobs* together; give each its receipt, or the reason why it was not taken."""
        return self._accepting.accept(jobs)

    async def store_and_wait(self, job: NewJob) -> Receipt:
        """Commit *job*, then wait for the end of its first attempt, at most `wait_timeout_ms`.

        Cancelled: the job stays accepted. Raises QueueFull.
        """
        (receipt,) = self.accept([job])
        if isinstance(receipt, Mem9AsyncError):
            raise receipt
        space_id = self.storage.journal.addresses.know_space(job.lane.space)
        park = self.parking.get(space_id)
        if park is not None and park.until > self.clock.now():
            return receipt.model_copy(update={"outcome": park.outcome})
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(receipt.job_id, []).append(future)
        try:
            async with asyncio.timeout(self.settings.wait_timeout_ms / 1000):
                outcome = await future
        except TimeoutError:
            return receipt.model_copy(update={"waited_out": True})
        finally:
            self._waiters.pop(receipt.job_id, None)
        trouble = self.news.trouble(
            space_id,
            held=self.lanes.space_depth(space_id),
            dead=lambda: self.reports.dead(space_id),
        )
        notice = self.news.take_notice(space_id) or receipt.notice
        return receipt.model_copy(update={"outcome": outcome, "trouble": trouble, "notice": notice})

    async def search(
        self, query: SearchQuery, *, include_pending: bool, retry_query: str | None
    ) -> SearchResult:
        """Recall, once more with *retry_query* if nothing was found, and add pending writes.

        Raises RequestFailed: an empty result always means that mem9 found nothing.
        """
        started = time.monotonic()
        budget_s = self.settings.search_timeout_ms / 1000
        result = await self.client.search(query, timeout_s=budget_s)
        left_s = budget_s - (time.monotonic() - started)
        if not result.memories and retry_query and left_s > 1.0:
            again = query.model_copy(update={"query": retry_query})
            try:
                second = await self.client.search(again, timeout_s=left_s)
            except RequestFailed:
                log.debug("search.retry_failed")
            else:
                result = second.model_copy(
                    update={
                        "attempts": result.attempts + second.attempts,
                        "notice": second.notice or result.notice,
                    }
                )
        pending = self.pending(query, result) if include_pending else ()
        self._ask_state_soon(query.space, query.caller_agent_id)
        return result.model_copy(
            update={
                "pending": pending,
                "notice": self._notice(query.space, result.notice),
                "elapsed_s": time.monotonic() - started,
            }
        )

    def pending(self, query: SearchQuery, result: SearchResult) -> tuple[PendingWrite, ...]:
        """Writes of the query's scope that match it and that mem9 may not show yet, newest first."""
        matcher = Matcher(query.query)
        now = self.clock.now()
        found: list[PendingWrite] = []
        space_id = self.storage.journal.addresses.find_space(query.space)
        if space_id is not None:
            for job in self.reports.waiting(
                space_id,
                session_id=query.session_id,
                agent_id=query.agent_id,
                parked=self.parking.get(space_id) is not None,
                limit=_PENDING_LOOKED_AT,
            ):
                if matcher.matches(job.payload.text):
                    found.append(
                        PendingWrite(
                            job_id=job.job_id,
                            content=job.payload.text,
                            state=job.state,
                            age_s=round(max(0.0, now - job.accepted_at), 3),
                        )
                    )

        def in_scope(lane: Lane) -> bool:
            return (
                lane.space == query.space
                and query.session_id in (None, lane.session_id)
                and query.agent_id in (None, lane.agent_id)
            )

        contents = (memory.content for memory in result.memories)
        found += self.recent.find(in_scope, matcher, contents)
        return tuple(found[:_PENDING_SHOWN])

    def queue(self, command: QueueCommand) -> QueueReport:
        """Do what *command* asks and report on its space's jobs, and on no other's."""
        now = self.clock.now()
        journal = self.storage.journal
        space_id = journal.addresses.find_space(command.space)
        affected: int | None = None
        if space_id is None:
            return self._report(None, command, None, now)
        if command.action == "flush":
            affected = self.lanes.flush(space_id, now)
            self.parking.probe_now(space_id, now)
            self.deliverer.wake()
        elif command.action == "retry_dead":
            affected, lane_ids = self.reports.replay(space_id, command.job_id)
            for backlog in self.recovery.backlogs(lane_ids):
                self.lanes.restored(backlog, now)
            log.info("job.replayed", jobs=affected, space=self.parking.fingerprint(space_id))
            self.deliverer.wake()
        return self._report(space_id, command, affected, now)

    def _report(
        self, space_id: int | None, command: QueueCommand, affected: int | None, now: float
    ) -> QueueReport:
        park = None if space_id is None else self.parking.get(space_id)
        stats = self.reports.stats(space_id or 0, parked=park is not None, now=now, errors=5)
        depth = 0 if space_id is None else self.lanes.space_depth(space_id)
        delivered, redelivered = self.upkeep.delivered(space_id)
        job: JobReport | None = None
        if command.job_id is not None:
            job = self._job(space_id, command.job_id, parked=park is not None, now=now)
        return QueueReport(
            health=self._health,
            health_reason=self._health_reason,
            durability=self.storage.durability,
            durability_reason=self.storage.reason,
            counts=stats.counts,
            delivered=delivered,
            redelivered=redelivered,
            depth=depth,
            oldest_age_s=None if stats.oldest_at is None else round(now - stats.oldest_at, 3),
            parked_reason=park.reason if park else None,
            parked_for_s=round(max(0.0, park.until - now), 3) if park else None,
            lanes=tuple(
                LaneReport(
                    lane=known.fingerprint,
                    session_id=known.lane.session_id if known.lane else None,
                    depth=lane_depth,
                    oldest_age_s=round(now - oldest_at, 3),
                )
                for lane_id, lane_depth, oldest_at in stats.lanes
                for known in [self.storage.journal.addresses.lane(lane_id)]
            ),
            last_errors=stats.last_errors,
            trouble=None
            if space_id is None
            else self.news.trouble(
                space_id, held=depth, dead=lambda: self.reports.dead(space_id or 0)
            ),
            job=job,
            affected=affected,
        )

    def _job(self, space_id: int | None, job_id: str, *, parked: bool, now: float) -> JobReport:
        report = None
        if space_id is not None:
            report = self.reports.find(space_id, job_id, parked=parked, now=now)
        if report is not None:
            return report
        return JobReport(
            job_id=job_id, state="delivered" if self.recent.holds(job_id) else "unknown"
        )

    def trouble_of(self, space: Space) -> QueueReport:
        """The report on *space*, for answers of tools other than memory_queue."""
        return self.queue(QueueCommand(space=space))

    def _notice(self, space: Space, fresh: str | None) -> str | None:
        space_id = self.storage.journal.addresses.find_space(space)
        if space_id is None:
            return fresh
        kept = self.news.take_notice(space_id)
        if fresh is not None:
            self.news.shown(space_id, fresh)
        return fresh or kept

    def _ask_state_soon(self, space: Space, agent_id: str) -> None:
        space_id = self.storage.journal.addresses.find_space(space)
        now = time.monotonic()
        if space_id is None:
            return
        asked_at = self._asked_state_at.get(space_id)
        if asked_at is not None and now - asked_at < _NOTICE_EVERY_S:
            return
        self._asked_state_at[space_id] = now

        async def ask() -> None:
            text = await self.client.runtime_notice(space, agent_id)
            if text:
                self.news.notice(space_id, text)

        self._spawn(ask())

    # What the deliverer tells

    def settled(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """Tell whoever waits, and keep what the next answer for the space must say."""
        if decision.move is Move.DELIVER:
            self.news.succeeded(frozen.space_id, outcome.notice)
            self.upkeep.count_delivered(
                frozen.space_id, len(frozen.batch.job_ids), redelivered=frozen.maybe_sent
            )
            for job_id, payload in zip(frozen.batch.job_ids, frozen.batch.payloads, strict=True):
                self.recent.add(job_id, frozen.batch.lane, payload, frozen.oldest_at)
        else:
            self.news.failed(frozen.space_id, outcome, decision)
        for job_id in frozen.batch.job_ids:
            for future in self._waiters.get(job_id, ()):
                if not future.done():
                    future.set_result(outcome)


def _waits(settings: Settings) -> Waits:
    return Waits(
        initial_backoff_s=settings.retry_initial_backoff_ms / 1000,
        max_backoff_s=settings.retry_max_backoff_ms / 1000,
        multiplier=settings.retry_multiplier,
        full_jitter=settings.retry_jitter == "full",
        park_auth_initial_s=settings.park_auth_initial,
        park_auth_max_s=settings.park_auth_max,
        park_quota_initial_s=settings.park_quota_initial,
        park_quota_max_s=settings.park_quota_max,
        max_attempts=settings.max_attempts,
    )
