"""Stores for a host that ends the plugin at the answer, as Dify's one-shot runner does.

Nothing happens in the background after such an answer. So mem9 has to take the job before it,
and what earlier runs left in its lane before that; for what it does not take, the next run is
there.
"""

import asyncio
from collections.abc import Callable

import structlog

from mem9_async.models.errors import Mem9AsyncError
from mem9_async.models.job import JobState, NewJob, Receipt
from mem9_async.models.outcome import Outcome
from mem9_async.queue.clock import Clock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.runtime.intake.outcome_waiters import Waiting

log = structlog.get_logger()

LIMIT_S = 8.0  # at most: a person waits for the whole run, and its start takes seconds already
_LOOK_AGAIN_S = 0.5
_REFUSALS = 3
REASON = (
    "the host ends the plugin with this answer: mem9 has not taken the job yet, it is kept on disk "
    "and goes first in the next run"
)


class LastCall:
    """Delivers before it answers, as far as a bounded time allows; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        accept: Callable[[list[NewJob]], list[Receipt | Mem9AsyncError]],
        journal: Journal,
        reports: Reports,
        lanes: Lanes,
        parking: Parking,
        deliverer: Deliverer,
        waiting: Waiting,
        clock: Clock,
        limit_s: float,
    ) -> None:
        self._accept = accept
        self._journal = journal
        self._reports = reports
        self._lanes = lanes
        self._parking = parking
        self._deliverer = deliverer
        self._waiting = waiting
        self._clock = clock
        self._limit_s = min(limit_s, LIMIT_S)

    async def store(self, job: NewJob) -> Receipt:
        """Commit *job* and have mem9 take what its lane holds; say so where it has not.

        Waits at most *limit_s* of the constructor, and LIMIT_S. Raises QueueFull.
        """
        ends_at = asyncio.get_running_loop().time() + self._limit_s
        (receipt,) = self._accept([job.model_copy(update={"wait": True})])
        if isinstance(receipt, Mem9AsyncError):
            raise receipt
        space_id = self._journal.addresses.know_space(job.lane.space)
        outcome = await self._delivered(space_id, receipt.job_id, ends_at)
        state = self._state(space_id, receipt.job_id)
        if state is None:
            return receipt.model_copy(update={"outcome": outcome if _ok(outcome) else None})
        if state is JobState.DEAD:
            return receipt.model_copy(update={"outcome": outcome, "dead": True})
        self._part()
        told = {"durability_reason": REASON}
        if job.wait:
            return receipt.model_copy(
                update={**told, "outcome": outcome, "waited_out": outcome is None}
            )
        return receipt.model_copy(update=told)

    async def _delivered(self, space_id: int, job_id: str, ends_at: float) -> Outcome | None:
        """Try until the job is on its way no more, or there is no point; the last outcome."""
        clock = asyncio.get_running_loop().time
        outcome: Outcome | None = None
        refusals = 0
        while refusals < _REFUSALS and (left_s := ends_at - clock()) > 0:
            now = self._clock.now()
            self._lanes.flush(space_id, now)
            self._parking.probe_now(space_id, now)
            self._deliverer.wake()
            last = await self._waiting.outcome(job_id, timeout_s=min(left_s, _LOOK_AGAIN_S))
            if last is not None:
                outcome = last
                refusals += not last.ok
            if self._state(space_id, job_id) in (None, JobState.DEAD):
                break
        return outcome

    def _state(self, space_id: int, job_id: str) -> JobState | None:
        """Where the job is; None when mem9 has taken it."""
        report = self._reports.find(space_id, job_id, parked=False, now=self._clock.now())
        if report is None or report.state is JobState.TAKEN:
            return None
        return JobState(report.state)

    def _part(self) -> None:
        """See to it that the end, which is the host's doing, speaks against no job in flight."""
        try:
            self._journal.forgive()
        except JournalError as exc:
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))


def _ok(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.ok
