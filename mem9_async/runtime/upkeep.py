"""What has to be done now and then: adopt, tidy, count, report."""

import asyncio
from typing import TYPE_CHECKING

import structlog

from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.retention import Retention
from mem9_async.queue.journal.takeover import Takeover
from mem9_async.queue.ownership import Claim, claim_orphans
from mem9_async.runtime.storage import open_claimed

if TYPE_CHECKING:
    from mem9_async.runtime.app import App

log = structlog.get_logger()

_CLOCK_JUMP_S = 30.0
_CHECKPOINT_ABOVE_BYTES = 16 * 1024 * 1024


class Upkeep:
    """The housekeeping of one app; belongs to its loop."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._retention = Retention(app.storage.journal)
        self._drift_s = 0.0

    async def run(self) -> None:
        """Keep house until cancelled."""
        settings = self._app.settings
        stats_every = max(1, settings.stats_interval_ms // settings.adopt_interval_ms)
        rounds = 0
        while True:
            await self.adopt()
            self._look_after_disk()
            self._app.underway.expire()
            rounds += 1
            if rounds % stats_every == 0:
                self.report()
                self._tidy()
            await asyncio.sleep(settings.adopt_interval_ms / 1000)

    def report(self) -> None:
        """Log how the queue stands."""
        app = self._app
        counters = app.storage.journal.counters()
        log.info(
            "stats.reported",
            jobs=app.lanes.depth,
            bytes=app.lanes.waiting_bytes,
            in_flight=app.lanes.in_flight,
            parked=len(app.parking.all()),
            accepted=counters.get("accepted", 0),
            adopted=counters.get("adopted", 0),
            delivered=counters.get("delivered", 0),
            redelivered=counters.get("redelivered", 0),
            deduplicated=counters.get("deduplicated", 0),
            dead=counters.get("dead", 0),
        )

    def _look_after_disk(self) -> None:
        storage = self._app.storage
        if storage.has_room():
            self._app.health.over("disk")
            return
        self._app.health.degraded("disk", "the disk is full: no new job is taken, none is lost")
        log.warning("journal.nearly_full", reason="the disk is full; no new job is taken")

    def _tidy(self) -> None:
        app = self._app
        settings, now = app.settings, app.clock.now()
        drift_s = app.clock.drift_s()
        if abs(drift_s - self._drift_s) > _CLOCK_JUMP_S:
            log.warning("clock.jumped", duration_s=round(drift_s - self._drift_s, 1))
            self._drift_s = drift_s
        file = app.storage.journal.file
        try:
            expired, lane_ids = self._retention.expire(now, deadline_s=settings.delivery_deadline)
            if expired:
                app.reload_lanes(lane_ids)
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
            if file.wal_bytes() > _CHECKPOINT_ABOVE_BYTES or not self._app.lanes.depth:
                file.checkpoint()
            app.forget_spaces(app.storage.journal.addresses.prune())
        except JournalError as exc:
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))

    async def adopt(self) -> int:
        """Take over every journal whose owner is gone; return how many jobs came with them.

        Yields to the loop between chunks, so that answers do not wait for it.
        """
        directory = self._app.storage.directory
        if directory is None:
            return 0
        adopted = 0
        try:
            for claim in claim_orphans(directory):
                adopted += await self._adopt(claim)
        except OSError as exc:
            log.error("journal.write_failed", error_type="disk_readonly", reason=str(exc))
        return adopted

    async def _adopt(self, claim: Claim) -> int:
        app = self._app
        orphan = open_claimed(claim, app.storage.sealer, app.settings)
        if orphan is None:
            return 0
        adopted = 0
        try:
            now = app.clock.now()
            longest_s = app.settings.retry_after_max
            Recovery(orphan).recover(now, max_due_in_s=longest_s)
            for jobs, lane_ids in Takeover(app.storage.journal, orphan).chunks():
                if not adopted:
                    app.restore_parks()  # before the first of their jobs can go
                adopted += jobs
                now = app.clock.now()
                for backlog in app.recovery.backlogs(lane_ids):
                    app.lanes.restored(backlog, now)
                app.deliverer.wake()
                await asyncio.sleep(0)
        except JournalError as exc:
            # Half of it may be ours already; the rest stays where it is and is tried again.
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
            orphan.close()
            claim.release()
            return adopted
        orphan.close()
        claim.remove()
        if adopted:
            app.adopted()
            log.info("journal.adopted", journal_id=orphan.file.journal_id, jobs=adopted)
        return adopted
