"""mem9's memories in our terms, and their rank."""

from collections.abc import Iterable

from mem9_async.client.wire import MemoryBody
from mem9_async.models.memory import Memory


def memory(body: MemoryBody) -> Memory:
    """One memory, its content exactly as mem9 keeps it."""
    return _memory(body, body.content or "")


def found(body: MemoryBody) -> Memory:
    """One search result: text to read, so without white space around it."""
    return _memory(body, (body.content or "").strip())


def _memory(body: MemoryBody, content: str) -> Memory:
    return Memory(
        id=body.id or None,
        content=content,
        memory_type=body.memory_type,
        tags=body.tags,
        confidence=body.confidence,
        score=body.score,
        relative_age=body.relative_age,
        created_at=body.created_at,
        updated_at=body.updated_at,
        state=body.state,
        version=body.version,
        agent_id=body.agent_id,
        session_id=body.session_id,
        source=body.source,
        metadata=body.metadata,
    )


def ranked[M: (Memory, MemoryBody)](memories: Iterable[M]) -> list[M]:
    """Best first: by confidence, then score, missing last; equals keep mem9's order."""
    return sorted(memories, key=_rank, reverse=True)


def _rank(memory: Memory | MemoryBody) -> tuple[float, float]:
    lowest = float("-inf")
    confidence, score = memory.confidence, memory.score
    return (
        lowest if confidence is None else confidence,
        lowest if score is None else score,
    )
