"""mem9's memories in our terms, and their rank."""

from collections.abc import Iterable

from mem9_async.client.wire import ChainSourceBody, MemoryBody
from mem9_async.models.memory import ChainSource, Memory

_SOURCE_TURNS = "\n[source-turns]\n"


def memory(body: MemoryBody) -> Memory:
    """One memory, its content exactly as mem9 keeps it."""
    return _memory(body, body.content or "")


def found(body: MemoryBody) -> Memory:
    """One search result: text to read, so without white space around it.

    A search over several types puts the messages that a fact came from below its text: they are
    no part of it, and stand in its metadata as well.
    """
    content = body.content or ""
    metadata = body.metadata if isinstance(body.metadata, dict) else {}
    if body.memory_type == "insight" and "source_turns" in metadata:
        content = content.partition(_SOURCE_TURNS)[0]
    return _memory(body, content.strip())


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
        chain_source=_chain_source(body.chain_source),
        source=body.source,
        app_id=body.app_id,
        metadata=body.metadata,
    )


def _chain_source(body: ChainSourceBody | None) -> ChainSource | None:
    if body is None or (body.node_position is None and body.external_space_id is None):
        return None
    return ChainSource(node_position=body.node_position, external_space_id=body.external_space_id)


def of_app[B: MemoryBody](memories: Iterable[B], app_id: str | None) -> list[B]:
    """Those of the app *app_id*, all of them for None. One without an app is of the default one."""
    return [each for each in memories if app_id is None or (each.app_id or "") == app_id]


def ranked[M: (Memory, MemoryBody)](memories: Iterable[M]) -> list[M]:
    """Best first by confidence, then score; what has no confidence follows in mem9's order.

    Without a confidence a score is not of one scale (one row's is a rank, the next one's a
    distance): to compare two of them would put the best last.
    """
    return sorted(memories, key=_rank, reverse=True)


def _rank(memory: Memory | MemoryBody) -> tuple[float, float]:
    lowest = float("-inf")
    confidence, score = memory.confidence, memory.score
    if confidence is None:
        return lowest, lowest
    return confidence, lowest if score is None else score
