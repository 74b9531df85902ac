"""Memories and the questions asked about them."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from mem9_async.models.job import PendingWrite
from mem9_async.models.space import Space


class ChainSource(BaseModel):
    """Which space of a chain a memory came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_position: int | None = None
    external_space_id: str | None = None


class Memory(BaseModel):
    """One memory as mem9 shows it. `confidence` 0-100; `score` has no common scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None = None
    content: str
    memory_type: str | None = None
    tags: tuple[str, ...] = ()
    confidence: int | float | None = None
    score: float | None = None
    relative_age: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    state: str | None = None
    version: int | None = None
    agent_id: str | None = None
    session_id: str | None = None
    chain_source: ChainSource | None = None
    source: str | None = None
    app_id: str | None = None
    metadata: JsonValue = None


class SearchQuery(BaseModel):
    """One recall. `limit` is what the caller wants back; the client asks mem9 for three times it.

    `agent_id` and `app_id` filter (None: all of them); `caller_agent_id` goes into the header only.
    With `keyword` it is no recall: memories that hold the query as it is, `limit` of them from
    `offset` on, newest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: Space
    caller_agent_id: str
    query: str
    limit: int = 10
    session_id: str | None = None
    scan_all: bool = False
    memory_type: str | None = None
    tags: tuple[str, ...] = ()
    agent_id: str | None = None
    app_id: str | None = None
    keyword: bool = False
    offset: int = 0


class SearchResult(BaseModel):
    """The best memories, best first: by confidence, what has none in mem9's order.

    `available` counts what mem9 returned before the cut. `attempts` counts recalls made
    (each one is metered); `effective_query` is the one whose result this is. `notice` are
    mem9's words, `usage_notice` ours about the usage it told. `second` says how a second search
    was made that the caller had allowed: in other words, or past mem9's cut-off. `warnings` are
    mem9's codes for what it cut short; not empty, what is missing here may be there all the same.
    `total` counts all that hold the words, in a search for words. `withheld` counts memories of
    other apps, which mem9 should not have sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    effective_query: str
    memories: tuple[Memory, ...]
    available: int
    notice: str | None = None
    usage_notice: str | None = None
    attempts: int = 1
    elapsed_s: float = 0.0
    pending: tuple[PendingWrite, ...] = ()
    second: Literal["reworded", "widened"] | None = None
    warnings: tuple[str, ...] = ()
    total: int | None = None
    withheld: int = 0

    @property
    def partial(self) -> bool:
        """Whether mem9 looked through a part only."""
        return bool(self.warnings)


class ListQuery(BaseModel):
    """One page of a space's memories, newest first or by `sort_by`. Free of charge.

    `created_after` and `created_before` are RFC 3339, and for raw turns only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: Space
    caller_agent_id: str
    limit: int = 20
    offset: int = 0
    session_id: str | None = None
    memory_type: str | None = None
    tags: tuple[str, ...] = ()
    agent_id: str | None = None
    app_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    sort_by: Literal["content", "memory_type", "tags", "updated_at"] | None = None
    sort_dir: Literal["asc", "desc"] | None = None


class MemoryPage(BaseModel):
    """One page; `total` counts the whole list. `warnings` and `withheld` as in a SearchResult."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memories: tuple[Memory, ...]
    total: int
    limit: int
    offset: int
    notice: str | None = None
    warnings: tuple[str, ...] = ()
    withheld: int = 0


class MemoryChange(BaseModel):
    """New values for one memory; None keeps what is there.

    `version` is checked before writing: mem9 itself only logs a mismatch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: JsonValue = None
    clear_metadata: bool = False
    version: int | None = None


class KeyState(StrEnum):
    """What mem9's status route says of a key."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"  #: mem9 does not know this key
    UNAVAILABLE = "unavailable"  #: mem9 cannot look keys up now
    UNDECIDED = "undecided"  #: the route failed or is not there: no evidence either way


class Deletion(BaseModel):
    """What a delete came to. mem9 does not say which unknown ids a list held."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requested: int
    deleted: int
