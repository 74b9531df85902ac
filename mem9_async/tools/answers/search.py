"""memory_search's answer: what was found, what is on its way, and how to try again."""

from typing import ClassVar, Literal, Self

from pydantic import JsonValue

from mem9_async.models.job import JobState
from mem9_async.models.memory import ChainSource, Memory, SearchQuery, SearchResult
from mem9_async.text.rephrase import suggest_queries
from mem9_async.tools.answers.base import Answer, Failure, Retry
from mem9_async.tools.answers.part import Part
from mem9_async.tools.answers.prompt_context import prompt_context
from mem9_async.tools.answers.retry_hint import retry_sentence
from mem9_async.tools.answers.withheld import withheld

LOW_SCORE = 0.3
PARTIAL = (
    "mem9 looked through a part of the memories only: what is missing here may be remembered all "
    "the same."
)
PARTIAL_EMPTY = (
    "mem9 looked through a part of the memories only, which does not mean that nothing is "
    "remembered; try again once with a shorter phrase, or go on without it."
)
_PENDING_AFTER_S = 30.0  # mem9 takes seconds to minutes; nothing shorter is worth a metered recall


class FoundMemory(Part):
    """One memory, as far as mem9 described it. In the JSON `created_at` stands in for an age."""

    declared: ClassVar[tuple[str, ...] | None] = (
        *("id", "content", "memory_type", "relative_age", "tags"),
        *("confidence", "score", "session_id"),
    )

    id: str | None = None
    content: str
    confidence: int | float | None = None
    score: float | None = None
    memory_type: str | None = None
    relative_age: str | None = None
    tags: tuple[str, ...] | None = None
    created_at: str | None = None
    session_id: str | None = None
    app_id: str | None = None
    chain_source: ChainSource | None = None


class Pending(Part):
    """A write of the same scope that matches the query and that mem9 may not show yet."""

    content: str
    age_s: float
    job_id: str
    state: Literal["delivered"] | JobState


class SearchAnswer(Answer):
    """memory_search's answer. `context` is ready to stand in a prompt."""

    nullable: ClassVar[frozenset[str]] = frozenset({"session_id"})
    variables: ClassVar[tuple[str, ...]] = (
        *("ok", "context", "memories", "result_count", "retry_hint", "retry", "error"),
    )
    variables_only: ClassVar[frozenset[str]] = frozenset({"context"})

    effective_query: str | None = None
    session_scoped: bool | None = None
    session_id: str | None = None
    available_result_count: int | None = None
    memories: tuple[FoundMemory, ...] = ()
    result_count: int | None = None
    total: int = 0
    message: str | None = None
    retry_hint: str | None = None
    pending: tuple[Pending, ...] | None = None
    context: str | None = None
    attempts: int | None = None
    next_offset: int | None = None
    partial: bool | None = None
    warnings: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, JsonValue]:
        """Return the JSON object; a memory's session is worth its length only to who asked for one.

        The variable `memories` has it always.
        """
        dumped = super().as_json()
        memories = dumped.get("memories")
        if self.session_id is None and isinstance(memories, list):
            for memory in memories:
                if isinstance(memory, dict):
                    memory.pop("session_id", None)
        return dumped

    @classmethod
    def failed(cls, failure: Failure) -> Self:
        """Return the answer that tells *failure*: an empty list that says it is no finding."""
        advice = failure.retry
        told = dict(failure)
        if advice is not None:
            told["retry"] = advice.model_copy(update={"suggested_queries": ()})
            # A refusal of our own says itself what to do; mem9's answer, or none, needs the
            # sentence.
            if failure.status_code is not None or advice.retryable:
                told["retry_hint"] = retry_sentence(
                    advice.reason,
                    (),
                    advice.after_s,
                    retryable=advice.retryable,
                    user_message=failure.user_message is not None,
                    status=failure.status_code,
                )
        return cls(**told)


def found(query: SearchQuery, result: SearchResult) -> SearchAnswer:
    """Return the answer to a recall that mem9 carried out, whether or not it found anything."""
    retry = _retry(query, result)
    count = len(result.memories)
    return SearchAnswer(
        ok=True,
        effective_query=result.effective_query,
        session_scoped=_is_scoped(query, result),
        session_id=query.session_id,
        available_result_count=result.available,
        memories=tuple(_found(memory) for memory in result.memories),
        result_count=count or None,
        total=count,
        message=_message(result),
        retry_hint=_sentence(retry, result) if retry else _done(result),
        retry=retry,
        pending=tuple(
            Pending(
                content=write.content,
                age_s=round(write.age_s, 1),
                job_id=write.job_id,
                state=write.state,
            )
            for write in result.pending
        )
        or None,
        context=prompt_context(result.memories),
        attempts=result.attempts if result.attempts > 1 else None,
        next_offset=_next_offset(query, result),
        partial=result.partial or None,
        warnings=result.warnings or None,
    )


def _found(memory: Memory) -> FoundMemory:
    return FoundMemory(
        id=memory.id,
        content=memory.content,
        confidence=memory.confidence,
        score=memory.score,
        memory_type=memory.memory_type,
        relative_age=memory.relative_age,
        tags=memory.tags or None,
        created_at=None if memory.relative_age else memory.created_at,
        session_id=memory.session_id,
        app_id=memory.app_id or None,
        chain_source=memory.chain_source,
    )


def _retry(query: SearchQuery, result: SearchResult) -> Retry | None:
    if result.memories and not _are_weak(result.memories):
        return None
    suggested = tuple(
        suggestion
        for suggestion in suggest_queries(query.query)
        if suggestion != result.effective_query
    )
    if _is_unsaid(result):
        return Retry(reason="timeout", retryable=True, suggested_queries=suggested)
    if result.pending:
        moving = any(write.state is not JobState.PARKED for write in result.pending)
        return Retry(
            reason="pending_writes",
            retryable=moving,
            after_s=_PENDING_AFTER_S if moving else None,
            suggested_queries=suggested,
        )
    return Retry(
        reason="low_confidence" if result.memories else "no_match",
        # One search in other words is worth its unit; a second is not.
        retryable=result.second is None,
        suggested_queries=suggested,
    )


def _message(result: SearchResult) -> str | None:
    partial = result.partial and not _is_unsaid(result)
    told = (result.notice, PARTIAL if partial else None, withheld(result.withheld))
    return " ".join(part for part in told if part) or None


def _next_offset(query: SearchQuery, result: SearchResult) -> int | None:
    """Where the next page begins; None after the last one, and for a recall, which has none."""
    came = result.available + result.withheld
    return query.offset + came if query.keyword and came >= query.limit else None


def _is_unsaid(result: SearchResult) -> bool:
    """Whether there is nothing to show, and mem9 has not said that there is nothing."""
    return result.partial and not (result.memories or result.pending)


def _sentence(retry: Retry, result: SearchResult) -> str:
    if _is_unsaid(result):
        return PARTIAL_EMPTY
    if not retry.retryable and retry.reason != "pending_writes":
        how = "by a wider search" if result.second == "widened" else "in other words"
        return f"Nothing better was found {how} either; do not search again, go on without."
    return retry_sentence(
        retry.reason, retry.suggested_queries or (), retry.after_s, retryable=retry.retryable
    )


def _is_scoped(query: SearchQuery, result: SearchResult) -> bool:
    """Whether all that is shown is of the session asked for: mem9 narrows raw turns only."""
    return query.session_id is not None and all(
        memory.session_id == query.session_id for memory in result.memories
    )


def _are_weak(memories: tuple[Memory, ...]) -> bool:
    # Without a confidence a score is a rank in one row and a distance in the next.
    scores = [
        memory.score
        for memory in memories
        if memory.confidence is not None and memory.score is not None
    ]
    return bool(scores) and max(scores) < LOW_SCORE


def _done(result: SearchResult) -> str | None:
    if result.second != "widened" or not result.memories:
        return None
    return "Found by a second search that also shows what mem9 holds for a weak match: check them."
