"""What an agent's runtime asks of a memory: to prepare a run, and to observe what happens in it."""

from dataclasses import dataclass

from mem9_async.models.job import NewJob, PendingWrite
from mem9_async.models.memory import Memory, SearchQuery
from mem9_async.models.space import Lane


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a run should know before its model is first asked.

    `timeout_s` is for all of it, `max_bytes` (UTF-8) for what is told.
    """

    query: SearchQuery
    max_bytes: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of the query's agent: memories, best first, and its own pending writes.

    `failure` is the kind of error that kept mem9 from being asked; then there are no memories.
    """

    memories: tuple[Memory, ...] = ()
    pending: tuple[PendingWrite, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One event of the run that has *lane*. Without a job it is only counted.

    `sequence` rises by 1 in a run, from 1 on; None where the caller does not count.
    """

    lane: Lane
    sequence: int | None
    job: NewJob | None
