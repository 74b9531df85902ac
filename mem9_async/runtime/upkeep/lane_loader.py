"""From the journal to the lanes: the one way, at a start, after an adoption, after a crash."""

import structlog

from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.clock import Clock
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Policy
from mem9_async.queue.troubles import place_of
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.status.news import News
from mem9_async.runtime.storage.storage import Storage
from mem9_async.runtime.upkeep.watcher import Watcher
from mem9_async.settings import Settings

log = structlog.get_logger()


class LaneLoader:
    """Makes lanes, parks and the watch what the journal says; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        recovery: Recovery,
        reports: Reports,
        lanes: Lanes,
        endpoints: Endpoints,
        parking: Parking,
        holds: Holds,
        policy: Policy,
        watcher: Watcher,
        underway: Underway,
        news: News,
        health: Health,
        clock: Clock,
    ) -> None:
        self._longest_s = max(settings.retry_max_backoff_ms / 1000, settings.retry_after_max)
        self._storage = storage
        self._recovery = recovery
        self._reports = reports
        self._lanes = lanes
        self._endpoints = endpoints
        self._parking = parking
        self._holds = holds
        self._policy = policy
        self._watcher = watcher
        self._underway = underway
        self._news = news
        self._health = health
        self._clock = clock

    def load(self, *, deaths: bool = True) -> None:
        """Make everything ready; without *deaths* it was we who began anew, not a new process."""
        now = self._clock.now()
        self._storage.journal.addresses.settle_keys()
        caught = self._recovery.recover(now, max_due_in_s=self._longest_s, deaths=deaths)
        for backlog in self._recovery.backlogs():
            self._lanes.restored(backlog, now)
        self.restore_parks()
        self._watcher.load()
        self._news.dead(self._reports.dead_spaces())
        if self._lanes.depth:
            log.info("journal.recovered", jobs=self._lanes.depth, in_flight=caught)
        if self._storage.reason:
            self._health.degraded("storage", self._storage.reason)

    def load_anew(self) -> bool:
        """Forget the lanes and load them again after a crash; False where that cannot be yet."""
        if self._storage.damaged:
            return False  # the plugin begins anew, on what can be read of it
        self._endpoints.abandon_all()
        self._lanes.clear()
        try:
            # It was we who gave up what was in flight: that says nothing against the jobs.
            self.load(deaths=False)
        except JournalError as exc:
            self._storage.met(exc)
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
            return False
        except Exception as exc:
            log.error("worker.crashed", error_type="worker_crash", reason=place_of(exc))
            return False
        return True

    def reload(self, lane_ids: set[int]) -> None:
        """Read again what the journal holds for these lanes: it has changed under them."""
        self.reload_lanes(lane_ids)
        self.recount()

    def recount(self) -> None:
        """Look again whose dead letters there are; costs as much as there are."""
        self._news.dead(self._reports.dead_spaces())

    def reload_lanes(self, lane_ids: set[int]) -> None:
        """Read the lanes again, and nothing else."""
        now = self._clock.now()
        found = {backlog.lane_id: backlog for backlog in self._recovery.backlogs(lane_ids)}
        for lane_id in lane_ids:
            self._lanes.reloaded(lane_id, found.get(lane_id), now)

    def adopting(self, lane_ids: set[int]) -> None:
        """A part of another's jobs has come: hold what was parked, line up the rest."""
        self.restore_parks()  # before the first of their jobs can go
        now = self._clock.now()
        for backlog in self._recovery.backlogs(lane_ids):
            self._lanes.restored(backlog, now)

    def adopted(self) -> None:
        """The journal has taken over another's jobs and parks."""
        self.restore_parks()
        self._watcher.load()
        self._news.dead(self._reports.dead_spaces())
        self._underway.reload()

    def restore_parks(self) -> None:
        """Hold the spaces that are parked or held in the journal; again after an adoption."""
        self._holds.restore()
        self._parking.restore(
            self._clock.now(),
            longest_s=lambda park: self._policy.longest_park_s(
                park.reason, park.outcome, park.step
            ),
        )
        for park in self._parking.all():
            self._news.parked(park.space_id, park.outcome, park.reason, park.until)
