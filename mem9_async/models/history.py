"""What happened to a job, step by step. Times in UTC epoch seconds."""

from dataclasses import dataclass
from enum import StrEnum


class StepKind(StrEnum):
    """One thing that happens to a job."""

    ACCEPTED = "accepted"
    RETRY = "retry"  #: an attempt failed; another follows
    SPLIT = "split"  #: an attempt failed; its jobs go on in smaller batches
    INTERRUPTED = "interrupted"  #: the process ended during an attempt
    DELIVERED = "delivered"  #: mem9 took it
    REMEMBERED = "remembered"  #: mem9 was seen to have it
    UNCONFIRMED = "unconfirmed"  #: mem9 took it, and nothing more was seen
    LOST = "lost"  #: mem9 took it and lost it; it goes again
    DEAD = "dead"  #: became a dead letter
    REPLAYED = "replayed"  #: a person, or a success, put it back in line
    DISCARDED = "discarded"  #: a person took it out


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that carried the job; `at` is when it had ended. Seconds."""

    number: int
    at: float
    duration_s: float
    http_status: int | None = None
    error_type: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `next_at` is when the next attempt is due."""

    kind: StepKind
    at: float
    batch_id: str | None = None
    attempt: Attempt | None = None
    next_at: float | None = None
    reason: str | None = None
