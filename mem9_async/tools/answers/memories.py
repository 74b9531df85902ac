"""The answers of memory_list, memory_get, memory_update and memory_delete."""

from typing import ClassVar

from pydantic import JsonValue

from mem9_async.models.errors import PartlyDeleted, VersionConflict
from mem9_async.models.memory import ChainSource, Deletion, Memory, MemoryPage
from mem9_async.tools.answers import failures
from mem9_async.tools.answers.base import Answer
from mem9_async.tools.answers.part import Part
from mem9_async.tools.answers.withheld import withheld


class FullMemory(Part):
    """One memory with everything mem9 tells about it."""

    declared: ClassVar[tuple[str, ...] | None] = (
        *("id", "content", "memory_type", "tags", "state", "version"),
        *("session_id", "created_at", "updated_at"),
    )

    id: str | None = None
    content: str
    memory_type: str | None = None
    tags: tuple[str, ...] = ()
    metadata: JsonValue = None
    state: str | None = None
    version: int | None = None
    agent_id: str | None = None
    app_id: str | None = None
    session_id: str | None = None
    chain_source: ChainSource | None = None
    source: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    relative_age: str | None = None


class ListAnswer(Answer):
    """memory_list's answer. `total` counts the whole list; `next_offset` is absent at its end."""

    variables: ClassVar[tuple[str, ...]] = (
        *("ok", "memories", "result_count", "next_offset", "error", "code"),
    )

    memories: tuple[FullMemory, ...] | None = None
    result_count: int | None = None
    total: int | None = None
    limit: int | None = None
    offset: int | None = None
    next_offset: int | None = None
    message: str | None = None
    partial: bool | None = None
    warnings: tuple[str, ...] | None = None


class GetAnswer(Answer):
    """memory_get's answer."""

    variables: ClassVar[tuple[str, ...]] = ("ok", "memory", "error", "code")

    memory: FullMemory | None = None


class UpdateAnswer(Answer):
    """memory_update's answer: the memory as it is now, or the version that stood in the way."""

    variables: ClassVar[tuple[str, ...]] = ("ok", "memory", "actual_version", "error", "code")

    memory: FullMemory | None = None
    actual_version: int | None = None


class DeleteAnswer(Answer):
    """memory_delete's answer. An id that mem9 does not know counts as requested, not deleted."""

    variables: ClassVar[tuple[str, ...]] = ("ok", "requested", "deleted", "error", "code")

    requested: int | None = None
    deleted: int | None = None
    message: str | None = None


def listed(page: MemoryPage) -> ListAnswer:
    """Return one page."""
    count = len(page.memories)
    seen = page.offset + count + page.withheld
    return ListAnswer(
        ok=True,
        memories=tuple(_full(memory) for memory in page.memories),
        result_count=count,
        total=page.total,
        limit=page.limit,
        offset=page.offset,
        next_offset=seen if seen > page.offset and seen < page.total else None,
        message=_message(page),
        partial=True if page.warnings else None,
        warnings=page.warnings or None,
    )


def _message(page: MemoryPage) -> str | None:
    told = (page.notice, withheld(page.withheld))
    return " ".join(part for part in told if part) or None


def got(memory: Memory) -> GetAnswer:
    """Return one memory."""
    return GetAnswer(ok=True, memory=_full(memory))


def updated(memory: Memory) -> UpdateAnswer:
    """Return the memory after its change."""
    return UpdateAnswer(ok=True, memory=_full(memory))


def conflict(error: VersionConflict) -> UpdateAnswer:
    """Return the refusal of a change to a memory that is no longer the one that was read."""
    refusal = UpdateAnswer.failed(failures.of(error))
    return refusal.model_copy(update={"actual_version": error.actual})


def deleted(deletion: Deletion) -> DeleteAnswer:
    """Return how many memories are gone; ids that named none are told, not hidden."""
    missing = deletion.requested - deletion.deleted
    return DeleteAnswer(
        ok=True,
        requested=deletion.requested,
        deleted=deletion.deleted,
        message=f"{missing} of the ids named no active memory." if missing > 0 else None,
    )


def partly_deleted(error: PartlyDeleted, *, requested: int) -> DeleteAnswer:
    """Return the failure of a deletion that had got somewhere: what is gone stays gone."""
    told = DeleteAnswer.failed(failures.of(error))
    gone = f"at least {error.deleted} of {requested} memories were deleted before that"
    return told.model_copy(
        update={
            "error": f"{(told.error or failures.REQUEST_FAILED).rstrip('.')}; {gone}",
            "requested": requested,
            "deleted": error.deleted,
            "message": (
                f"The deletion failed on its way; {gone}. Calling again with the same ids is "
                "safe: those that are gone are passed over."
            ),
        }
    )


def _full(memory: Memory) -> FullMemory:
    return FullMemory(
        id=memory.id,
        content=memory.content,
        memory_type=memory.memory_type,
        tags=memory.tags,
        metadata=memory.metadata,
        state=memory.state,
        version=memory.version,
        agent_id=memory.agent_id,
        app_id=memory.app_id or None,
        session_id=memory.session_id,
        chain_source=memory.chain_source,
        source=memory.source,
        created_at=memory.created_at,
        updated_at=memory.updated_at,
        relative_age=memory.relative_age,
    )
