"""What has to be done now and then: look, adopt, tidy, report."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from mem9_async.queue.clock import SteadyClock
from mem9_async.queue.journal import JournalCorrupt, JournalError
from mem9_async.queue.journal.retention import Retention
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.troubles import place_of
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.storage.storage import Storage
from mem9_async.runtime.upkeep.adopter import Adoption
from mem9_async.runtime.upkeep.lane_loader import LaneLoader
from mem9_async.settings import Settings

log = structlog.get_logger()

_LOOK_EVERY_S, _TIDY_EVERY_S = 1.0, 60.0
_CLOCK_JUMP_S = 30.0
_CHECKPOINT_ABOVE_BYTES = 16 * 1024 * 1024


class Upkeep:
    """The housekeeping of one app; belongs to its loop."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        adoption: Adoption,
        loader: LaneLoader,
        lanes: Lanes,
        parking: Parking,
        health: Health,
        underway: Underway,
        clock: SteadyClock,
        forget_spaces: Callable[[set[int]], None],
    ) -> None:
        """*forget_spaces* is told which spaces the journal has forgotten."""
        self._settings = settings
        self._storage = storage
        self._adoption = adoption
        self._loader = loader
        self._lanes = lanes
        self._parking = parking
        self._health = health
        self._underway = underway
        self._clock = clock
        self._forget_spaces = forget_spaces
        self._retention = Retention(storage.journal)
        self._drift_s = 0.0

    async def run(self) -> None:
        """Keep house until cancelled; the first round at once."""
        settings = self._settings
        duties = [
            _Duty(_LOOK_EVERY_S, self._look),
            _Duty(settings.adopt_interval_ms / 1000, self._adopt),
            # What is past its deadline or its retention does not wait for a long report interval.
            _Duty(min(_TIDY_EVERY_S, settings.stats_interval_ms / 1000), self._tidy, first=False),
            _Duty(settings.stats_interval_ms / 1000, self._report, first=False),
        ]
        while True:
            for duty in duties:
                if time.monotonic() >= duty.due_at:
                    await self._do(duty)
            due_at = min(duty.due_at for duty in duties)
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))

    async def _do(self, duty: "_Duty") -> None:
        try:
            await duty.work()
        except JournalCorrupt as exc:
            self._storage.damaged = str(exc)  # the watch will see to it
        except JournalError as exc:
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
        except Exception as exc:
            # One duty's trouble must not end the others: nobody else adopts, expires or reports.
            log.error("worker.crashed", stage="upkeep", error_type="bug", reason=place_of(exc))
        duty.due_at = time.monotonic() + duty.every_s

    async def _look(self) -> None:
        self._storage.look()
        self._look_after_disk()
        self._underway.expire()

    async def _adopt(self) -> None:
        await self._adoption.adopt()

    async def _report(self) -> None:
        self.report()

    def report(self) -> None:
        """Log how the queue stands."""
        counters = self._storage.journal.counters()
        log.info(
            "stats.reported",
            jobs=self._lanes.depth,
            bytes=self._lanes.waiting_bytes,
            in_flight=self._lanes.in_flight,
            parked=len(self._parking.all()),
            accepted=counters.get("accepted", 0),
            adopted=counters.get("adopted", 0),
            delivered=counters.get("delivered", 0),
            redelivered=counters.get("redelivered", 0),
            deduplicated=counters.get("deduplicated", 0),
            dead=counters.get("dead", 0),
        )

    def _look_after_disk(self) -> None:
        storage = self._storage
        if storage.has_room():
            self._health.over("disk")
            return
        self._health.degraded("disk", "the disk is full: no new job is kept, none is lost")
        log.warning("journal.nearly_full", reason="the disk is full; no new job is kept")

    async def _tidy(self) -> None:
        settings, now = self._settings, self._clock.now()
        drift_s = self._clock.drift_s()
        if abs(drift_s - self._drift_s) > _CLOCK_JUMP_S:
            log.warning("clock.jumped", duration_s=round(drift_s - self._drift_s, 1))
            self._drift_s = drift_s
        file = self._storage.journal.file
        expired, lane_ids = self._retention.expire(now, deadline_s=settings.delivery_deadline)
        if expired:
            self._loader.reload(lane_ids)
            log.error("job.dead_lettered", jobs=expired, error_type="deadline_exceeded")
        aged, crowded = self._retention.forget_dead(
            now,
            retention_s=settings.dead_letter_retention,
            max_bytes=settings.dead_letter_max_bytes,
        )
        if aged:
            log.error("job.expired", jobs=aged, reason="dead_letter_retention")
        if crowded:
            log.error(
                "job.discarded", jobs=crowded, reason="dead_letter_max_bytes", intentional=True
            )
        if file.wal_bytes() > _CHECKPOINT_ABOVE_BYTES or not self._lanes.depth:
            file.checkpoint()
        self._storage.journal.history.trim()
        self._storage.journal.observed.trim(now)
        self._forget_spaces(self._storage.journal.addresses.prune())


class _Duty:
    """Something that is done every *every_s* seconds, for the first time at once or after that."""

    def __init__(
        self, every_s: float, work: Callable[[], Awaitable[None]], *, first: bool = True
    ) -> None:
        self.every_s = every_s
        self.work = work
        self.due_at = time.monotonic() + (0.0 if first else every_s)
