"""memory_queue: what one space may see of the queue and do about it."""

from collections.abc import Callable, Mapping

import structlog

from mem9_async.models.job import JobReport, LaneReport, QueueCommand, QueueReport
from mem9_async.models.outcome import ErrorType, Outcome, Trouble
from mem9_async.queue.clock import Clock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.status.delivered import Delivered
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.status.news import News
from mem9_async.runtime.storage.storage import Storage

log = structlog.get_logger()

_ERRORS_SHOWN = 5
PAUSED = (
    "Whoever operates this plugin holds the writes of this space back; they are kept, and sent "
    "when they are let go (python -m mem9_async queue resume)."
)

#: Why a space does not remember, for a person.
SENTENCES: Mapping[str, str] = {
    "no_llm": "This mem9 has no language model: it takes messages and keeps nothing of them. "
    "Memories are sent to it word for word instead.",
    "llm_failing": "The language model of this mem9 fails, so that it keeps nothing of what it "
    "takes. It is all kept here, and sent again once mem9 remembers.",
    "unknown": "mem9 takes memories, but none of the last ones has appeared. Nothing tells why: "
    "look at its log.",
}


class Reporting:
    """Reports on one space at a time; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        storage: Storage,
        lanes: Lanes,
        parking: Parking,
        reports: Reports,
        recovery: Recovery,
        deliverer: Deliverer,
        delivered: Delivered,
        underway: Underway,
        news: News,
        health: Health,
        holds: Holds,
        clock: Clock,
        not_remembering: Callable[[int], str | None],
    ) -> None:
        self._storage = storage
        self._addresses = storage.journal.addresses
        self._lanes = lanes
        self._parking = parking
        self._reports = reports
        self._recovery = recovery
        self._deliverer = deliverer
        self._delivered = delivered
        self._underway = underway
        self._news = news
        self._health = health
        self._holds = holds
        self._clock = clock
        self._not_remembering = not_remembering

    def queue(self, command: QueueCommand) -> QueueReport:
        """Do what *command* asks and report on its space's jobs, and on no other's."""
        now = self._clock.now()
        space_id = self._addresses.find_space(command.space)
        affected: int | None = None
        if space_id is None:
            affected = None if command.action == "status" else 0
        elif command.action == "flush":
            affected = self._lanes.space_depth(space_id)
            self._lanes.flush(space_id, now)
            self._parking.probe_now(space_id, now)
            self._deliverer.wake()
        elif command.action == "retry_dead":
            affected = self.replay(space_id, command.job_id, now)
        return self._report(space_id, command.job_id, affected, now)

    def trouble(self, space_id: int) -> Trouble | None:
        """What still is wrong with the space's writes; None when nothing is."""
        if self._holds.since(space_id) is not None:
            return Trouble(
                state="parked",
                reason=ErrorType.PAUSED,
                outcome=Outcome(error_type=ErrorType.PAUSED, error=PAUSED),
                held=self._lanes.space_depth(space_id),
            )
        trouble = self._news.trouble(
            space_id,
            held=self._lanes.space_depth(space_id),
            dead=lambda: self._reports.dead(space_id),
        )
        forgets = self._not_remembering(space_id)
        if trouble is not None or forgets is None:
            return trouble
        return Trouble(
            state="not_remembering",
            reason=forgets,
            outcome=Outcome(
                error_type=ErrorType.NOT_REMEMBERED,
                error_code=forgets,
                error=SENTENCES[forgets],
            ),
            held=self._lanes.space_depth(space_id),
        )

    def replay(self, space_id: int, job_id: str | None, now: float) -> int:
        """Send the space's dead letters (or one) again, in their old places; return how many."""
        replayed, lane_ids = self._reports.replay(space_id, job_id, now)
        for backlog in self._recovery.backlogs(lane_ids):
            self._lanes.restored(backlog, now)
        self._news.dead(self._reports.dead_spaces())
        if replayed:
            self._underway.reload()
            log.info("job.replayed", jobs=replayed, space=self._parking.fingerprint(space_id))
            self._deliverer.wake()
        return replayed

    def _report(
        self, space_id: int | None, job_id: str | None, affected: int | None, now: float
    ) -> QueueReport:
        # Number 0 is nobody's: a space that never stored anything has an empty report.
        shown = space_id or 0
        park = self._parking.get(shown)
        is_held = self._holds.since(shown) is not None
        parked = is_held or park is not None
        stats = self._reports.stats(shown, parked=parked, now=now, errors=_ERRORS_SHOWN)
        counts = self._delivered.of(shown)
        forgets = self._not_remembering(shown)
        told = (self._health.reason, self._storage.rescues.told, forgets and SENTENCES[forgets])
        healthy = self._health.state == "ok"
        return QueueReport(
            health="not_remembering" if healthy and forgets else self._health.state,
            health_reason="; ".join(each for each in told if each) or None,
            durability=self._storage.durability,
            durability_reason=self._storage.reason or self._storage.weakness,
            counts=stats.counts,
            delivered=counts.delivered,
            redelivered=counts.redelivered,
            remembered=counts.remembered,
            unconfirmed=counts.unconfirmed,
            lost_and_sent_again=counts.lost_and_sent_again,
            depth=self._lanes.space_depth(shown),
            oldest_age_s=None if stats.oldest_at is None else round(now - stats.oldest_at, 3),
            parked_reason=ErrorType.PAUSED if is_held else park.reason if park else None,
            parked_for_s=round(max(0.0, park.until - now), 3) if park and not is_held else None,
            lanes=tuple(self._lane(*lane, now) for lane in stats.lanes),
            last_errors=stats.last_errors,
            trouble=None if space_id is None else self.trouble(space_id),
            job=None if job_id is None else self._job(shown, job_id, now),
            affected=affected,
        )

    def _lane(self, lane_id: int, depth: int, oldest_at: float, now: float) -> LaneReport:
        known = self._addresses.lane(lane_id)
        return LaneReport(
            lane=known.fingerprint,
            session_id=known.lane.session_id if known.lane else None,
            depth=depth,
            oldest_age_s=round(max(0.0, now - oldest_at), 3),
        )

    def _job(self, space_id: int, job_id: str, now: float) -> JobReport:
        parked = self._parking.get(space_id) is not None
        report = self._reports.find(space_id, job_id, parked=parked, now=now)
        if report is not None:
            return report
        ended = self._delivered.state(space_id, job_id)
        return JobReport(job_id=job_id, state=ended or "unknown")
