"""memory_store's answer: the receipt, and what still holds up earlier jobs of the space."""

from typing import ClassVar, Literal

from mem9_async.models.errors import QueueFull
from mem9_async.models.job import NewJob, Receipt
from mem9_async.models.outcome import Confirmation, Outcome, Trouble
from mem9_async.tools.answers import failures
from mem9_async.tools.answers.base import Answer, Failure, Retry
from mem9_async.tools.answers.part import Part

HINT = "Accepted; mem9 needs seconds to minutes to take it in. Do not search for it in this turn."
_HINT_KEPT = (
    "The job is kept in the queue under its job_id; the plugin sends it again where that can help. "
    "Do not store it a second time."
)
_HINT_DEAD = (
    "mem9 refused the job for good, so it was set aside and will not be delivered by itself. Do "
    "not store it again as it is; once the cause is gone, memory_queue with action retry_dead and "
    "this job_id sends it again."
)
_NOT_KEPT = "Nothing can be kept where the plugin runs"
_HINT_LOST = f"{_NOT_KEPT}, so this memory was not taken: store it again later."
_HINT_REFUSED = (
    f"{_NOT_KEPT}, so this memory was not taken. Storing it again as it is will not help: first "
    "mend what the error names."
)
_HINT_UNSURE = (
    f"{_NOT_KEPT}, and whether mem9 has taken this memory is not known: look for it with "
    "memory_search in a few minutes, and store it again only if it is not found."
)
_PINNED_NOTE = "A pinned memory belongs to the whole space: mem9 keeps no session on it."


class Queue(Part):
    """How much waits. Jobs; age in seconds. `capacity` stands in a refusal only."""

    depth: int
    lane_depth: int | None = None
    capacity: int | None = None
    oldest_age_s: float | None = None


class Delivery(Failure):
    """Trouble with earlier jobs of this space: the last failure, and how many wait behind it."""

    state: Literal["retrying", "parked", "dead", "not_remembering"]
    reason: str
    held: int
    dead: int = 0
    retry_in_s: float | None = None
    note: str


class Durability(Part):
    """What the receipt outlives, when that is less than it should be."""

    level: Literal["process", "power", "none"]
    reason: str | None = None


class StoreAnswer(Answer):
    """memory_store's answer."""

    nullable: ClassVar[frozenset[str]] = frozenset({"session_id"})
    variables: ClassVar[tuple[str, ...]] = ("ok", "status", "job_id", "error", "retry")

    status: Literal["accepted", "ok", "queued", "dead"] | None = None
    accepted: bool | None = None
    searchable_now: bool | None = None
    session_id: str | None = None
    hint: str | None = None
    message: str | None = None
    job_id: str | None = None
    memory_id: str | None = None
    deduplicated: bool | None = None
    queue: Queue | None = None
    delivery: Delivery | None = None
    durability: Durability | None = None

    @property
    def fails_node(self) -> bool:
        """False also for a failure whose job is kept: the node's retry would store it twice."""
        return not (self.ok or self.accepted)


def accepted(job: NewJob, receipt: Receipt, *, shared: bool = True) -> StoreAnswer:
    """Return the answer to an accepted *job*: never more than mem9 or the journal promised.

    Not *shared*: earlier jobs of the space may be another person's, see `delivery`.
    """
    outcome = receipt.outcome
    if receipt.waited_out and outcome is None:
        return _untaken(job, receipt, _waited_out(receipt), shared=shared)
    if outcome is not None and not outcome.ok:
        return _untaken(job, receipt, failures.of_outcome(outcome), shared=shared)
    confirmed = outcome is not None and outcome.confirmation is Confirmation.INGESTED
    return StoreAnswer(
        ok=True,
        status="ok" if confirmed else "accepted",
        accepted=True,
        # Of a turn, even a 200 says only that mem9 has worked on it, not that it kept anything.
        searchable_now=confirmed and job.payload.kind == "pinned",
        session_id=job.lane.session_id,
        hint=None if confirmed else HINT,
        message=_message(job, receipt, outcome),
        job_id=receipt.job_id,
        memory_id=outcome.memory_id if outcome else None,
        deduplicated=receipt.deduplicated or None,
        queue=_queue(receipt),
        delivery=delivery(receipt.trouble, shared=shared) if receipt.trouble else None,
        durability=_durability(receipt),
    )


def queue_full(error: QueueFull) -> StoreAnswer:
    """Return the refusal of a job for which the journal has no room."""
    refusal = StoreAnswer.failed(failures.of(error))
    full = Queue(depth=error.depth, capacity=error.capacity, oldest_age_s=error.oldest_age_s)
    return refusal.model_copy(update={"accepted": False, "queue": full})


def delivery(trouble: Trouble, *, shared: bool = True) -> Delivery:
    """Return *trouble* as the failure in full, and how many jobs wait behind it.

    Not *shared*: without mem9's own words, which may quote another person's memory.
    """
    # Without advice to retry: the jobs are the plugin's to send again, not the caller's.
    untold = {"retry": None} if shared else {"retry": None, "detail": None}
    failure = failures.of_outcome(trouble.outcome).model_copy(update=untold)
    return Delivery(
        **dict(failure),
        state=trouble.state,
        reason=trouble.reason,
        held=trouble.held,
        dead=trouble.dead,
        retry_in_s=trouble.retry_in_s,
        note=_note(trouble),
    )


def _note(trouble: Trouble) -> str:
    told = []
    if trouble.held:
        told.append(f"Jobs of this space that wait: {trouble.held} ({trouble.reason}); all kept.")
    if trouble.dead:
        told.append(f"Jobs refused for good and set aside: {trouble.dead}; see memory_queue.")
    return " ".join(told)


def _untaken(job: NewJob, receipt: Receipt, failure: Failure, *, shared: bool) -> StoreAnswer:
    if not receipt.kept:
        lost = {
            "accepted": False,
            "hint": _hint_lost(receipt, failure),
            "durability": _durability(receipt),
        }
        return StoreAnswer.failed(failure).model_copy(update=lost)
    # The plugin itself sends the job again: calling once more would only store it twice.
    retry = failure.retry and failure.retry.model_copy(update={"retryable": False})
    told = StoreAnswer.failed(failure.model_copy(update={"retry": retry}))
    return told.model_copy(
        update={
            "status": "dead" if receipt.dead else "queued",
            "accepted": not receipt.dead,
            "searchable_now": False,
            "session_id": job.lane.session_id,
            "hint": _HINT_DEAD if receipt.dead else _HINT_KEPT,
            "message": _message(job, receipt, receipt.outcome),
            "job_id": receipt.job_id,
            "deduplicated": receipt.deduplicated or None,
            "queue": _queue(receipt),
            "delivery": delivery(receipt.trouble, shared=shared) if receipt.trouble else None,
            "durability": _durability(receipt),
        }
    )


def _hint_lost(receipt: Receipt, failure: Failure) -> str:
    # A request that was still under way when the time was up may have arrived.
    if receipt.outcome is None or receipt.outcome.maybe_sent:
        return _HINT_UNSURE
    return _HINT_LOST if failure.retry and failure.retry.retryable else _HINT_REFUSED


def _waited_out(receipt: Receipt) -> Failure:
    if not receipt.kept:
        return Failure(
            error="mem9 has not taken it within the time to wait.",
            code="timeout",
            retry=Retry(reason="timeout", retryable=True),
        )
    return Failure(
        error="mem9 has not taken it within the time to wait; the job is kept and delivered later.",
        code="timeout",
        retry=Retry(reason="timeout", retryable=False),
    )


def _message(job: NewJob, receipt: Receipt, outcome: Outcome | None) -> str | None:
    told = [outcome.notice if outcome and outcome.notice else receipt.notice]
    if job.payload.kind == "pinned" and job.lane.session_id is not None:
        told.append(_PINNED_NOTE)
    return " ".join(part for part in told if part) or None


def _queue(receipt: Receipt) -> Queue:
    waiting = receipt.queue
    return Queue(
        depth=waiting.depth, lane_depth=waiting.lane_depth, oldest_age_s=waiting.oldest_age_s
    )


def _durability(receipt: Receipt) -> Durability | None:
    if receipt.durability != "none" and receipt.durability_reason is None:
        return None
    return Durability(level=receipt.durability, reason=receipt.durability_reason)
