"""Carries out what was decided about a batch: the journal first, then lanes and parks."""

import structlog

from mem9_async.models.history import Attempt
from mem9_async.models.outcome import Outcome
from mem9_async.queue.clock import Clock
from mem9_async.queue.journal import Journal
from mem9_async.queue.lane_state import Limits
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Move
from mem9_async.queue.records import Frozen, FrozenRef

log = structlog.get_logger()

_IDS_MOST = 20  # in one line of the log


class Settlement:
    """Settles the batches of one journal."""

    def __init__(
        self, *, journal: Journal, lanes: Lanes, parking: Parking, limits: Limits, clock: Clock
    ) -> None:
        self._journal = journal
        self._lanes = lanes
        self._parking = parking
        self._limits = limits
        self._clock = clock

    def carry_out(self, frozen: Frozen, outcome: Outcome, decision: Decision, now: float) -> None:
        """Do with *frozen* what *decision* says, for *outcome*.

        Once more is harmless: a branch that broke off in the middle ends the same when repeated.
        Raises JournalError while it cannot be written.
        """
        if decision.move is not Move.DELIVER:
            _log_failure(frozen, outcome, decision)
        attempt = _attempt(frozen, outcome, now)
        match decision.move:
            case Move.DELIVER:
                self._deliver(frozen, outcome, attempt)
            case Move.BURY:
                self._bury(frozen, outcome, decision, attempt)
            case Move.SPLIT:
                due_at = now + decision.after_s
                refs = self._journal.split(
                    frozen.row, due_at=due_at, maybe_sent=outcome.maybe_sent, attempt=attempt
                )
                self._lanes.again(frozen.lane_id, refs, now)
                log.warning("batch.split", error_type=outcome.error_type, **names(frozen))
            case Move.RETRY | Move.PAUSE | Move.PARK:
                self._retry(frozen, outcome, decision, attempt)

    def _deliver(self, frozen: Frozen, outcome: Outcome, attempt: Attempt) -> None:
        now = attempt.at
        batch = frozen.batch
        watched = self._limits.watched and not batch.pinned and batch.may_be_seen
        self._journal.delivered(
            frozen.row,
            redelivered=frozen.maybe_sent,
            taken_at=now if watched else None,
            attempt=attempt,
        )
        in_order = watched and frozen.batch.lane.session_id is not None
        self._lanes.settled(
            frozen.lane_id,
            now,
            size=frozen.size,
            gone=len(frozen.batch.job_ids),
            hold_until=now + self._limits.lane_gap_s if in_order else 0.0,
        )
        log.info(
            "batch.delivered",
            job_ids=frozen.batch.job_ids[:_IDS_MOST],
            outcome=outcome.confirmation,
            attempt=frozen.batch.attempt,
            http_status=outcome.http_status,
            duration_s=round(outcome.duration_s, 4),
            queue_age_s=round(self._clock.now() - frozen.oldest_at, 3),
            redelivered=frozen.maybe_sent,
            **names(frozen),
        )

    def _bury(self, frozen: Frozen, outcome: Outcome, decision: Decision, attempt: Attempt) -> None:
        now = attempt.at
        if decision.after_s:
            self._parking.park(frozen.space_id, outcome, decision, now)
        self._journal.bury(frozen.row, outcome, now=now, attempt=attempt)
        self._lanes.settled(frozen.lane_id, now, size=frozen.size, gone=len(frozen.batch.job_ids))
        log.error(
            "job.dead_lettered",
            job_ids=frozen.batch.job_ids,
            error_type=outcome.error_type,
            http_status=outcome.http_status,
            reason=outcome.error_code or outcome.error,
            **names(frozen),
        )

    def _retry(
        self, frozen: Frozen, outcome: Outcome, decision: Decision, attempt: Attempt
    ) -> None:
        now = attempt.at
        due_at = now + decision.after_s
        if decision.move is Move.PARK:
            self._parking.park(frozen.space_id, outcome, decision, now)
            due_at = now
        elif decision.move is Move.PAUSE:
            self._lanes.pause(frozen.space_id, due_at)
        self._journal.retry(
            frozen.row,
            outcome,
            due_at=due_at,
            costs_attempt=decision.costs_attempt,
            attempt=attempt,
        )
        jobs = len(frozen.batch.job_ids)
        ref = FrozenRef(frozen.row, jobs, frozen.size, frozen.oldest_at, due_at)
        self._lanes.again(frozen.lane_id, (ref,), now)
        log.debug(
            "retry.scheduled",
            outcome=decision.move,
            retry_in_s=round(decision.after_s, 3),
            error_type=outcome.error_type,
            **names(frozen),
        )


def names(frozen: Frozen) -> dict[str, object]:
    """What every event of a batch says of it."""
    return {
        "batch_id": frozen.batch.batch_id,
        "lane": frozen.lane_name,
        "space": frozen.space_name,
        "jobs": len(frozen.batch.job_ids),
        "bytes": frozen.size,
        "references": frozen.references[:_IDS_MOST] or None,
    }


def _attempt(frozen: Frozen, outcome: Outcome, now: float) -> Attempt:
    return Attempt(
        number=frozen.batch.attempt,
        at=now,
        duration_s=round(outcome.duration_s, 4),
        http_status=outcome.http_status,
        error_type=outcome.error_type,
        error_code=outcome.error_code,
    )


def _log_failure(frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
    log.warning(
        "attempt.failed",
        attempt=frozen.batch.attempt,
        stage="sending",
        error_type=outcome.error_type,
        error_code=outcome.error_code,
        http_status=outcome.http_status,
        outcome=decision.move,
        retryable=decision.move is not Move.BURY,
        retry_in_s=round(decision.after_s, 3),
        duration_s=round(outcome.duration_s, 4),
        **names(frozen),
    )
