"""Takes jobs in: room for them, the commit, and the receipt that is promised."""

import time
from collections.abc import Callable
from itertools import repeat

import structlog

from mem9_async.client.capabilities.known import Known
from mem9_async.models.capability import needed_by_job
from mem9_async.models.errors import Mem9AsyncError, QueueFull, Unwritable
from mem9_async.models.job import NewJob, QueueDepth, Receipt
from mem9_async.models.outcome import Trouble
from mem9_async.models.reference import trace_id
from mem9_async.queue import failpoints
from mem9_async.queue.clock import Clock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.journal import JournalCorrupt, JournalError, JournalFull
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.records import Appended
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.recall.usage_notices import Notices
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.status.tally import Tally
from mem9_async.runtime.storage.storage import Storage
from mem9_async.settings import Settings

log = structlog.get_logger()

_LOOK_FOR_ROOM_EVERY_S = 1.0
_UNWRITTEN = (
    "the journal could not be written ({why}); this memory was not taken. Free some "
    "space or mend the data directory, then try again"
)
_ROOM_AGAIN = 0.9  # once full, jobs are taken again below this share: no flapping at the brim


class Accepting:
    """The front of the queue; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        lanes: Lanes,
        deliverer: Deliverer,
        known: Known,
        trouble: Callable[[int], Trouble | None],
        stored: Callable[[NewJob, int], None],
        underway: Underway,
        notices: Notices,
        health: Health,
        tally: Tally,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._lanes = lanes
        self._deliverer = deliverer
        self._known = known
        self._trouble = trouble
        self._stored = stored
        self._underway = underway
        self._notices = notices
        self._health = health
        self._tally = tally
        self._clock = clock
        self._room_looked_at = float("-inf")
        self._full = False

    def accept(self, jobs: list[NewJob]) -> list[Receipt | Mem9AsyncError]:
        """Commit *jobs* together; give each its receipt, or the reason why it was not taken."""
        now = self._clock.now()
        refusals = [self._refusal(job, now) for job in jobs]
        for refusal in refusals:
            if refusal is not None:
                self._tally.refused(refusal.code)
        taken = [job for job, refusal in zip(jobs, refusals, strict=True) if refusal is None]
        began_at = time.perf_counter()
        try:
            appended = self._storage.journal.append(taken, now) if taken else []
        except JournalError as exc:
            self._storage.met(exc)
            reason = "disk_full" if isinstance(exc, JournalFull) else "journal_error"
            log.error("journal.write_failed", error_type=reason, reason=str(exc), jobs=len(taken))
            damaged = isinstance(exc, JournalCorrupt)  # it is mended in a moment
            failed = self._damaged(str(exc)) if damaged else self._not_written(str(exc), reason)
            for _ in taken:
                self._tally.refused(failed.code)
            return [refusal or failed for refusal in refusals]
        if appended:
            new = sum(not each.deduplicated for each in appended)
            self._tally.accepted(new, time.perf_counter() - began_at)
        # All of them are committed: each has to be in its line, whatever becomes of one receipt.
        for job, each in zip(taken, appended, strict=True):
            self._line_up(job, each, now)
        failpoints.hit("answer.before")
        receipts = map(self._receipt, taken, appended, repeat(now))
        return [refusal or next(receipts) for refusal in refusals]

    def _line_up(self, job: NewJob, each: Appended, now: float) -> None:
        """Put an accepted job in its lane's line."""
        lanes = self._lanes
        if each.deduplicated:
            if job.wait:
                lanes.flush(each.space_id, now)
                self._deliverer.wake()
            return
        wants_at = lanes.appended(
            each.lane_id,
            each.space_id,
            job.lane.space.base_url,
            each.size,
            now,
            close_now=job.wait,
        )
        if wants_at is not None:
            self._deliverer.wake(wants_at)
        self._underway.accepted(each.job_id, job.lane, job.payload, now)

    def _receipt(self, job: NewJob, each: Appended, now: float) -> Receipt:
        space_id = each.space_id
        trouble: Trouble | None = None
        try:
            log.info(
                "job.accepted",
                job_id=each.job_id,
                lane=each.lane_name,
                space=self._storage.journal.addresses.space_name(space_id),
                bytes=each.size,
                deduplicated=each.deduplicated or None,
                reference=job.reference,
                trace_id=trace_id(job.reference),
            )
            self._stored(job, space_id)
            trouble = self._trouble(space_id)
        except JournalError as exc:
            # The job itself is committed: what cannot be read besides must not deny it.
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
        oldest_at = self._lanes.oldest_at(space_id)
        return Receipt(
            job_id=each.job_id,
            deduplicated=each.deduplicated,
            queue=QueueDepth(
                depth=self._lanes.space_depth(space_id),
                lane_depth=self._lanes.lane_depth(each.lane_id),
                oldest_age_s=None if oldest_at is None else round(max(0.0, now - oldest_at), 3),
            ),
            durability=self._storage.durability,
            durability_reason=self._storage.reason or self._health.reason,
            trouble=trouble,
            notice=self._notices.take(job.lane.space),
            outcome=None,
            waited_out=False,
            kept=True,
        )

    def _refusal(self, job: NewJob, now: float) -> Mem9AsyncError | None:
        if job.event_id is not None and self._is_known(job):
            return None  # it needs no room
        needed = needed_by_job(job.lane, job.payload)
        if needed and (missing := self._known.refused(job.lane.space, needed)) is not None:
            return missing
        if not self._has_room(now):
            return self._not_written("the disk is full", "disk_full")
        settings, lanes = self._settings, self._lanes
        jobs_most, bytes_most = settings.journal_max_jobs, settings.journal_max_bytes
        if self._full:
            jobs_most, bytes_most = int(jobs_most * _ROOM_AGAIN), int(bytes_most * _ROOM_AGAIN)
        size = job.payload.size_bytes
        was_full = self._full
        self._full = lanes.depth >= jobs_most or lanes.waiting_bytes + size > bytes_most
        if self._full:
            if not was_full:
                log.warning("journal.full", jobs=lanes.depth, bytes=lanes.waiting_bytes)
            return self._queue_full("the queue is full", lanes.depth, jobs_most, job, now)
        share = settings.journal_space_share
        space_id = self._storage.journal.addresses.find_space(job.lane.space)
        if space_id is None or share >= 1.0:
            return None
        depth, most = lanes.space_depth(space_id), max(1, int(settings.journal_max_jobs * share))
        space_bytes = lanes.space_bytes(space_id)
        if depth >= most or space_bytes + size > settings.journal_max_bytes * share:
            return self._queue_full(
                "this space's share of the queue is full", depth, most, job, now
            )
        return None

    def _is_known(self, job: NewJob) -> bool:
        try:
            return self._storage.journal.observed.knows(job)
        except JournalError:
            return False  # what is wrong shows when it is written

    def _queue_full(
        self, what: str, depth: int, capacity: int, job: NewJob, now: float
    ) -> QueueFull:
        space_id = self._storage.journal.addresses.find_space(job.lane.space)
        oldest_at = None if space_id is None else self._lanes.oldest_at(space_id)
        age_s = None if oldest_at is None else round(max(0.0, now - oldest_at), 3)
        log.warning("job.rejected", error_type="journal_full", jobs=depth, reason=what)
        return QueueFull(
            f"{what}: {depth} of {capacity} jobs wait for mem9. This memory was not taken; "
            "try again in a few seconds, and look at memory_queue for what holds the others up",
            depth=depth,
            capacity=capacity,
            oldest_age_s=age_s,
            after_s=5.0,
        )

    def _has_room(self, now: float) -> bool:
        reserve = self._storage.reserve
        if reserve is None or reserve.held:
            return True
        if now - self._room_looked_at < _LOOK_FOR_ROOM_EVERY_S:
            return False
        self._room_looked_at = now
        return self._storage.has_room()

    def _not_written(self, why: str, code: str) -> Unwritable:
        return Unwritable(
            _UNWRITTEN.format(why=why),
            reason=why,
            depth=self._lanes.depth,
            capacity=self._settings.journal_max_jobs,
            code=code,
        )

    def _damaged(self, why: str) -> QueueFull:
        return QueueFull(
            _UNWRITTEN.format(why=why),
            depth=self._lanes.depth,
            capacity=self._settings.journal_max_jobs,
            oldest_age_s=None,
            after_s=30.0,
            code="journal_error",
        )
