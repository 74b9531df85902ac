"""The parameters of the tools that read and change, parsed once into what the runtime takes."""

import re
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from mem9_async.models.errors import InvalidRequest
from mem9_async.models.job import QueueCommand
from mem9_async.models.memory import ListQuery, MemoryChange, SearchQuery
from mem9_async.text.rephrase import suggest_queries
from mem9_async.tools import access, fields
from mem9_async.tools.access import Access, Isolation
from mem9_async.tools.call import Call
from mem9_async.tools.content import MAX_PINNED_BYTES, checked_size, checked_tags, own_words

SEARCH_DEFAULT = 10
SEARCH_MAX = 20
PAGE_DEFAULT = 20
PAGE_MAX = 200  # above this mem9 answers with its default of 10 instead
MAX_QUERY_CHARS = 4_000  # the query travels in the address line
# Encoded. Gateways and many servers take 8,190 bytes of address line; filters need some of them.
MAX_QUERY_BYTES = 7_000
MAX_IDS = 10_000
MAX_IDS_ISOLATED = 50  # each is looked up before it is deleted
_MEMORY_TYPES = frozenset({"insight", "pinned", "session"})
_ALL_FACTS = "insight,pinned"
# Also keeps "..", "/" and "?" out of the address of a DELETE.
_MEMORY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


class SearchCommand(BaseModel):
    """A recall and how far it may go: `second` is asked when the first finds nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: SearchQuery
    include_pending: bool = True
    second: SearchQuery | None = None


class OneMemory(BaseModel):
    """One memory by its id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access: Access
    memory_id: str


class ChangeCommand(BaseModel):
    """New values for one memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access: Access
    memory_id: str
    change: MemoryChange


class DeleteCommand(BaseModel):
    """Memories to delete, each id once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access: Access
    memory_ids: tuple[str, ...]


class QueueQuestion(BaseModel):
    """What memory_queue asks; `shared` is False where the space's jobs belong to several people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: QueueCommand
    shared: bool


def search(call: Call) -> SearchCommand:
    """Return the recall *call* asks for. Raises InvalidRequest, CredentialsMissing."""
    asker = access.read(call)
    query = fields.text(call.parameters, "query")
    if query is None:
        raise InvalidRequest("query is required", code="query_required")
    if len(query) > MAX_QUERY_CHARS:
        raise InvalidRequest(
            f"query has {len(query)} characters; the limit is {MAX_QUERY_CHARS}. Search with a "
            "short phrase instead.",
            code="query_too_long",
        )
    in_address = len(quote(query, safe=""))
    if in_address > MAX_QUERY_BYTES:
        raise InvalidRequest(
            f"query has {in_address} bytes as it travels in the address, where most characters "
            f"beyond ASCII take nine or six; the limit is {MAX_QUERY_BYTES}. Search with a short "
            "phrase instead.",
            code="query_too_long",
        )
    first = SearchQuery(
        space=asker.space,
        caller_agent_id=asker.agent_id,
        query=query,
        limit=fields.bounded(
            call.parameters, "limit", default=SEARCH_DEFAULT, low=1, high=SEARCH_MAX
        ),
        session_id=asker.session_id,
        scan_all=fields.flag(call.parameters, "scanAll"),
        memory_type=_memory_type(call),
        tags=fields.items(call.parameters, "tags") or (),
        agent_id=_agent_filter(call, asker),
    )
    return SearchCommand(
        query=first,
        include_pending=fields.flag(call.parameters, "include_pending", default=True),
        second=_second(first) if fields.flag(call.parameters, "auto_retry") else None,
    )


def _second(first: SearchQuery) -> SearchQuery | None:
    """The one search to make when *first* finds nothing.

    Asked for both kinds of fact at once, mem9 leaves out its cut-off and searches by meaning
    alone: loose questions and two bare words then find what they mean. Where that was asked for
    already, or no fact is wanted, other words are all there is.
    """
    if first.memory_type in (None, "insight", "pinned"):
        return first.model_copy(update={"memory_type": _ALL_FACTS, "limit": SEARCH_MAX})
    suggested = next(iter(suggest_queries(first.query)), None)
    return None if suggested is None else first.model_copy(update={"query": suggested})


def page(call: Call) -> ListQuery:
    """Return the page *call* asks for. Raises InvalidRequest, CredentialsMissing."""
    asker = access.read(call)
    memory_type = _memory_type(call)
    if memory_type is not None and "session" in memory_type:
        raise InvalidRequest(
            "mem9 lists no raw turns of a session (memory_type session): find them with "
            "memory_search",
            code="memory_type_not_listed",
        )
    return ListQuery(
        space=asker.space,
        caller_agent_id=asker.agent_id,
        limit=fields.bounded(call.parameters, "limit", default=PAGE_DEFAULT, low=1, high=PAGE_MAX),
        offset=fields.whole(call.parameters, "offset") or 0,
        session_id=asker.session_id,
        memory_type=memory_type,
        tags=fields.items(call.parameters, "tags") or (),
        agent_id=_agent_filter(call, asker),
    )


def one_memory(call: Call) -> OneMemory:
    """Return the memory *call* names. Raises InvalidRequest, CredentialsMissing."""
    asker = access.read(call)
    return OneMemory(access=asker, memory_id=_memory_id(fields.text(call.parameters, "memory_id")))


def change(call: Call, *, max_bytes: int) -> ChangeCommand:
    """Return the change *call* asks for. Raises InvalidRequest, CredentialsMissing.

    Blank content, tags or metadata keep what is there; `[]` clears tags, `null` metadata.
    """
    named = one_memory(call)
    content = fields.text(call.parameters, "content")
    if content is not None:
        content = own_words(content)
        checked_size("content", len(content.encode()), min(max_bytes, MAX_PINNED_BYTES))
    tags = checked_tags(fields.items(call.parameters, "tags"))
    clear_metadata = _is_null(call.parameters.get("metadata"))
    metadata = None if clear_metadata else fields.json_object(call.parameters, "metadata")
    if content is None and tags is None and metadata is None and not clear_metadata:
        raise InvalidRequest(
            "nothing to change: give content, tags or metadata", code="change_required"
        )
    return ChangeCommand(
        access=named.access,
        memory_id=named.memory_id,
        change=MemoryChange(
            content=content,
            tags=tags,
            metadata=metadata,
            clear_metadata=clear_metadata,
            version=fields.whole(call.parameters, "version"),
        ),
    )


def deletion(call: Call) -> DeleteCommand:
    """Return the memories *call* wants deleted. Raises InvalidRequest, CredentialsMissing."""
    asker = access.read(call)
    ids = tuple(_memory_id(entry) for entry in fields.items(call.parameters, "memory_ids") or ())
    if not ids:
        raise InvalidRequest("memory_ids is required", code="memory_ids_required")
    most = MAX_IDS_ISOLATED if asker.isolated else MAX_IDS
    if len(ids) > most:
        raise InvalidRequest(
            f"{len(ids)} ids given; one call deletes at most {most}", code="memory_ids_too_many"
        )
    return DeleteCommand(access=asker, memory_ids=ids)


def queue(call: Call) -> QueueQuestion:
    """Return what *call* asks of the write queue. Raises InvalidRequest, CredentialsMissing."""
    command = QueueCommand(
        space=access.space(call),
        action=_action(call),
        job_id=access.identifier("job_id", fields.text(call.parameters, "job_id")),
        owner=access.owner(call),
    )
    shared = access.isolation(call) is Isolation.SHARED
    if not shared and command.action == "retry_dead" and command.job_id is None:
        raise InvalidRequest(
            "retry_dead needs a job_id while isolation keeps callers apart: without one it would "
            "send other people's memories. An operator can send all of them again from the "
            "command line.",
            code="job_id_required",
        )
    return QueueQuestion(command=command, shared=shared)


def _action(call: Call) -> Literal["status", "flush", "retry_dead"]:
    match fields.text(call.parameters, "action"):
        case None | "status":
            return "status"
        case "flush":
            return "flush"
        case "retry_dead":
            return "retry_dead"
    raise InvalidRequest("action must be status, flush or retry_dead", code="action_invalid")


def _memory_type(call: Call) -> str | None:
    given = fields.items(call.parameters, "memory_type")
    if given and not _MEMORY_TYPES.issuperset(given):
        raise InvalidRequest(
            "memory_type must be insight, pinned or session", code="memory_type_invalid"
        )
    return ",".join(given) if given else None


def _agent_filter(call: Call, asker: Access) -> str | None:
    wanted = access.identifier("agent_id", fields.text(call.parameters, "agent_id"))
    if asker.own_agent_id is None:
        return wanted
    if wanted not in (None, asker.own_agent_id):
        raise InvalidRequest(
            "agent_id cannot be chosen while isolation keeps callers apart: leave it empty",
            code="agent_id_not_allowed",
        )
    return asker.own_agent_id


def _memory_id(given: str | None) -> str:
    if given is None:
        raise InvalidRequest("memory_id is required", code="memory_id_required")
    if not _MEMORY_ID.fullmatch(given):
        raise InvalidRequest(
            "a memory id holds up to 100 letters, digits, dots, colons, dashes and underscores; "
            "take it from memory_search or memory_list",
            code="memory_id_invalid",
        )
    return given


def _is_null(value: object) -> bool:
    return isinstance(value, str) and value.strip() == "null"
