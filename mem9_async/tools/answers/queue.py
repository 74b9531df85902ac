"""memory_queue's answer: the write queue as one space may see it. Never a content or a key."""

from typing import ClassVar, Literal

from mem9_async.models.job import JobReport, JobState, LaneReport, QueueReport
from mem9_async.tools.answers.base import Answer
from mem9_async.tools.answers.part import Part
from mem9_async.tools.answers.store import Delivery, delivery
from mem9_async.tools.requests.queue import QueueQuestion

_AT_REST = frozenset({JobState.DEAD, "delivered", "remembered", "unconfirmed", "unknown"})


class Lane(Part):
    """One ordered stream of jobs, named by a fingerprint. Age in seconds."""

    lane: str
    session_id: str | None = None
    depth: int
    oldest_age_s: float | None = None


class Job(Part):
    """One job: where it is and what went wrong last. Times in seconds."""

    declared: ClassVar[tuple[str, ...] | None] = ("job_id", "state", "age_s", "attempts", "error")

    job_id: str
    state: JobState | Literal["delivered", "remembered", "unconfirmed", "unknown"]
    age_s: float | None = None
    attempts: int | None = None
    next_attempt_in_s: float | None = None
    error_type: str | None = None
    error: str | None = None
    reference: str | None = None


class QueueAnswer(Answer):
    """memory_queue's answer. Jobs, and ages in seconds."""

    variables: ClassVar[tuple[str, ...]] = ("ok", "health", "depth", "counts", "job", "error")

    action: str | None = None
    affected: int | None = None
    health: Literal["ok", "degraded", "failed", "not_remembering"] | None = None
    health_reason: str | None = None
    durability: Literal["process", "power", "none"] | None = None
    durability_reason: str | None = None
    counts: dict[JobState, int] | None = None
    depth: int | None = None
    oldest_age_s: float | None = None
    delivered: int | None = None
    redelivered: int | None = None
    remembered: int | None = None
    unconfirmed: int | None = None
    lost_and_sent_again: int | None = None
    parked_reason: str | None = None
    parked_for_s: float | None = None
    lanes: tuple[Lane, ...] | None = None
    last_errors: tuple[Job, ...] | None = None
    delivery: Delivery | None = None
    job: Job | None = None


def reported(question: QueueQuestion, report: QueueReport) -> QueueAnswer:
    """Return *report*.

    Where callers are kept apart, only what is the whole space's is told: the counts, the holds,
    and of a job its state. Session ids, the last errors and mem9's own words may be another
    person's, and are left out.
    """
    shared = question.shared
    return QueueAnswer(
        ok=True,
        action=question.command.action,
        affected=report.affected,
        health=report.health,
        health_reason=report.health_reason,
        durability=report.durability,
        durability_reason=report.durability_reason,
        counts={state: report.counts.get(state, 0) for state in JobState},
        depth=report.depth,
        oldest_age_s=report.oldest_age_s,
        delivered=report.delivered,
        redelivered=report.redelivered,
        remembered=report.remembered,
        unconfirmed=report.unconfirmed,
        lost_and_sent_again=report.lost_and_sent_again,
        parked_reason=report.parked_reason,
        parked_for_s=report.parked_for_s,
        lanes=tuple(_lane(lane, show_session=shared) for lane in report.lanes),
        last_errors=tuple(_job(job) for job in report.last_errors) if shared else None,
        delivery=delivery(report.trouble, shared=shared) if report.trouble else None,
        job=_job(report.job, show_error=shared) if report.job else None,
    )


def _lane(lane: LaneReport, *, show_session: bool) -> Lane:
    return Lane(
        lane=lane.lane,
        session_id=lane.session_id if show_session else None,
        depth=lane.depth,
        oldest_age_s=lane.oldest_age_s,
    )


def _job(job: JobReport, *, show_error: bool = True) -> Job:
    return Job(
        job_id=job.job_id,
        state=job.state,
        age_s=job.age_s,
        # The journal does not keep them for a job that is on its way no more.
        attempts=job.attempts or None if job.state in _AT_REST else job.attempts,
        next_attempt_in_s=job.next_attempt_in_s,
        error_type=job.error_type,
        error=job.error if show_error else None,
        reference=job.reference if show_error else None,
    )
