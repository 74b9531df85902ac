"""memory_list, memory_get, memory_update and memory_delete: which memories, and what of them."""

import re

from pydantic import BaseModel, ConfigDict

from mem9_async.models.capability import RAW_TURNS
from mem9_async.models.errors import InvalidRequest
from mem9_async.models.memory import ListQuery, MemoryChange
from mem9_async.tools import caller
from mem9_async.tools.call import Call
from mem9_async.tools.caller import Access
from mem9_async.tools.requests import fields, filters, window
from mem9_async.tools.requests.content import (
    MAX_PINNED_BYTES,
    checked_size,
    checked_tags,
    own_words,
)

PAGE_DEFAULT = 20
PAGE_MAX = 200  # above this mem9 answers with its default of 10 instead
MAX_IDS = 10_000
MAX_IDS_ISOLATED = 50  # each is looked up before it is deleted
# Also keeps "..", "/" and "?" out of the address of a DELETE.
_MEMORY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


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


def page(call: Call) -> ListQuery:
    """Return the page *call* asks for. Raises InvalidRequest, CredentialsMissing."""
    asker = caller.read(call)
    wanted = window.wanted(call)
    memory_type = filters.memory_type(call)
    if wanted.is_open and memory_type is None:
        memory_type = RAW_TURNS
    if wanted.is_open and memory_type != RAW_TURNS:
        raise InvalidRequest(
            "mem9 knows created_after and created_before for raw turns only: set memory_type to "
            "session, or leave it empty",
            code="window_needs_session",
        )
    sort_by, sort_dir = window.order(call)
    return ListQuery(
        space=asker.space,
        caller_agent_id=asker.agent_id,
        limit=fields.bounded(call.parameters, "limit", default=PAGE_DEFAULT, low=1, high=PAGE_MAX),
        offset=fields.whole(call.parameters, "offset") or 0,
        session_id=asker.session_id,
        memory_type=memory_type,
        tags=fields.items(call.parameters, "tags") or (),
        agent_id=filters.agent(call, asker),
        app_id=filters.app(call, asker),
        created_after=wanted.after,
        created_before=wanted.before,
        sort_by=sort_by,
        sort_dir=sort_dir,
    )


def one_memory(call: Call) -> OneMemory:
    """Return the memory *call* names. Raises InvalidRequest, CredentialsMissing."""
    asker = caller.read(call)
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
    asker = caller.read(call)
    ids = tuple(_memory_id(entry) for entry in fields.items(call.parameters, "memory_ids") or ())
    if not ids:
        raise InvalidRequest("memory_ids is required", code="memory_ids_required")
    most = MAX_IDS_ISOLATED if asker.kept_apart else MAX_IDS
    if len(ids) > most:
        raise InvalidRequest(
            f"{len(ids)} ids given; one call deletes at most {most}", code="memory_ids_too_many"
        )
    return DeleteCommand(access=asker, memory_ids=ids)


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
