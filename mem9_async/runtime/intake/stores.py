"""The ways of a store: accepted, waited for, or delivered before it is answered."""

from mem9_async.models.errors import Mem9AsyncError, Unwritable
from mem9_async.models.job import JobState, NewJob, Receipt
from mem9_async.queue.clock import Clock
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.parking import Parking
from mem9_async.runtime.intake.accepting import Accepting
from mem9_async.runtime.intake.inline_delivery import Direct
from mem9_async.runtime.intake.last_call import LastCall
from mem9_async.runtime.intake.outcome_waiters import Waiting
from mem9_async.runtime.intake.unkept import Unkept
from mem9_async.runtime.recall.usage_notices import Notices
from mem9_async.runtime.status.queue_report import Reporting
from mem9_async.runtime.storage.storage import Storage


class Stores:
    """What a store comes to; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        storage: Storage,
        accepting: Accepting,
        direct: Direct,
        unkept: Unkept,
        last_call: LastCall,
        waiting: Waiting,
        parking: Parking,
        reports: Reports,
        reporting: Reporting,
        notices: Notices,
        clock: Clock,
        wait_s: float,
    ) -> None:
        self._storage = storage
        self._accepting = accepting
        self._direct = direct
        self._unkept = unkept
        self._last_call = last_call
        self._waiting = waiting
        self._parking = parking
        self._reports = reports
        self._reporting = reporting
        self._notices = notices
        self._clock = clock
        self._wait_s = wait_s

    @property
    def delivers_first(self) -> bool:
        """Whether a store has to be delivered before it is answered, as nothing can be kept."""
        return self._storage.durability == "none"

    def accept(self, jobs: list[NewJob]) -> list[Receipt | Mem9AsyncError]:
        """Commit *jobs* together; give each its receipt, or the reason why it was not taken."""
        return self._accepting.accept(jobs)

    async def and_wait(self, job: NewJob) -> Receipt:
        """Commit *job*, then wait for the end of its first attempt, at most the wait's time.

        Where nothing can be kept, now or ever, deliver it instead. Cancelled: an accepted job
        stays accepted. Raises QueueFull.
        """
        if self.delivers_first:
            return await self._direct.store(job)
        (receipt,) = self.accept([job])
        if isinstance(receipt, Unwritable):
            return await self.unkept(job, receipt)
        if isinstance(receipt, Mem9AsyncError):
            raise receipt
        space_id = self._storage.journal.addresses.know_space(job.lane.space)
        if self._parking.is_parked_beyond(space_id, self._clock.now()):
            park = self._parking.get(space_id)
            return receipt.model_copy(update={"outcome": park.outcome if park else None})
        outcome = await self._waiting.outcome(receipt.job_id, timeout_s=self._wait_s)
        return receipt.model_copy(
            update={
                "outcome": outcome,
                "waited_out": outcome is None,
                "dead": self._is_dead(space_id, receipt.job_id),
                "trouble": self._reporting.trouble(space_id),
                "notice": self._notices.take(job.lane.space) or receipt.notice,
            }
        )

    async def before_the_end(self, job: NewJob) -> Receipt:
        """Have mem9 take *job* before the answer, at which the host ends us. Raises QueueFull."""
        if self.delivers_first:
            return await self._direct.store(job)
        return await self._last_call.store(job)

    async def unkept(self, job: NewJob, refusal: Unwritable) -> Receipt:
        """Deliver *job*, which the journal could not take. Raises *refusal* where that cannot be.

        Waits for mem9, and for what is before it in its lane.
        """
        return await self._unkept.store(job, refusal)

    def _is_dead(self, space_id: int, job_id: str) -> bool:
        # Of this job: what the space's trouble says may be another's.
        report = self._reports.find(space_id, job_id, parked=False, now=self._clock.now())
        return report is not None and report.state is JobState.DEAD
