"""What a request asks for, parsed once and checked in mem9's order, with its texts."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from multidict import MultiMapping
from pydantic import JsonValue

from mem9_async.devserver.answers import InvalidField
from mem9_async.devserver.jsonbody import decode

CONTENT_BYTES_MAX = 50_000
TAGS_MAX = 20
ID_LENGTH_MAX = 100  # characters a column holds; longer ids fail on insert
IDS_MAX = 1_000
SESSIONS_MAX = 100
PER_SESSION_MAX = 500
LIMIT_DEFAULT, LIMIT_MAX = 10, 200
APP_ID_BYTES_MAX = 100
_SORTS = ("content", "memory_type", "tags", "updated_at")
_OFFSET_MAX = 2**63 - 1
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message as it came; `seq` only when the caller numbered it."""

    role: str
    content: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A POST of memories. `kind` says which of mem9's three paths it takes."""

    kind: Literal["messages", "content", "pinned"]
    content: str
    messages: tuple[RawMessage, ...]
    agent_id: str
    session_id: str
    tags: tuple[str, ...]
    metadata: JsonValue
    echoes_null: bool  #: `"metadata": null` was sent: a 201 shows it
    sync: bool
    app_id: str = ""
    keeps_raw: bool = True
    mode: str = ""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A PUT of one memory; None keeps what is there."""

    content: str | None
    tags: tuple[str, ...] | None
    replaces_metadata: bool
    metadata: JsonValue


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A GET of memories; with a query it is a recall."""

    query: str
    limit: int
    offset: int
    tags: tuple[str, ...]
    state: str  # empty: any
    types: tuple[str, ...]
    agent_id: str
    session_id: str
    source: str
    scan_all: bool
    app_id: str | None = None  #: None: of every app
    keyword: bool = False
    sort_by: str = "updated_at"
    ascending: bool = False
    created_after: float | None = None
    created_before: float | None = None


def parse_store(raw: bytes, header_agent: str, *, newer: bool) -> StoreRequest:
    """Read and check a store. Raises Refusal; sizes are checked later, by `check_sizes`.

    Without *newer*, apps and whether raw messages are kept are passed over, as any unknown name.
    """
    fields = decode(raw, "createMemoryRequest")
    app_id = _app_id(fields.text("appId") or fields.text("app_id")) if newer else ""
    messages = tuple(
        RawMessage(item.text("role"), item.text("content"), item.integer("seq"))
        for item in fields.objects("messages", "IngestMessage") or ()
    )
    content, memory_type = fields.text("content"), fields.text("memory_type").strip()
    mode, tags = fields.text("mode"), fields.texts("tags") or ()
    has_content = bool(content.strip())
    if has_content and messages:
        raise InvalidField("body", "provide either content or messages, not both")
    if messages and memory_type:
        raise InvalidField("memory_type", "memory_type is only allowed with content, not messages")
    if not messages and not has_content:
        raise InvalidField("content", "content or messages required")
    if has_content and mode:
        raise InvalidField("body", "content mode does not accept mode")
    if memory_type not in ("", "pinned"):
        raise InvalidField(
            "memory_type",
            f'unsupported value "{memory_type}"; only "pinned" is supported'
            " on the explicit content path",
        )
    return StoreRequest(
        kind="messages" if messages else "pinned" if memory_type else "content",
        content=content,
        messages=messages,
        agent_id=fields.text("agent_id") or header_agent,
        session_id=fields.text("session_id"),
        tags=tags,
        metadata=fields.value("metadata"),
        echoes_null=fields.has("metadata") and fields.value("metadata") is None,
        sync=fields.flag("sync"),
        app_id=app_id,
        keeps_raw=not (newer and fields.flag("disableSessionSave")),
        mode=mode,
    )


def _app_id(given: str) -> str:
    app_id = given.strip()
    if len(app_id.encode()) > APP_ID_BYTES_MAX:
        raise InvalidField("appId", f"too long (max {APP_ID_BYTES_MAX})")
    return app_id


def check_sizes(content: str, tags: tuple[str, ...], prefix: str = "") -> None:
    """Refuse content over 50,000 bytes and more than 20 tags. Raises InvalidField."""
    if len(content.encode()) > CONTENT_BYTES_MAX:
        raise InvalidField(f"{prefix}content", f"too long (max {CONTENT_BYTES_MAX})")
    if len(tags) > TAGS_MAX:
        raise InvalidField(f"{prefix}tags", f"too many (max {TAGS_MAX})")


def parse_change(raw: bytes) -> ChangeRequest:
    """Read a PUT. Raises Refusal; sizes are checked later, by `check_sizes`."""
    fields = decode(raw, "updateMemoryRequest")
    return ChangeRequest(
        content=fields.text("content") or None,
        tags=fields.texts("tags"),
        replaces_metadata=fields.has("metadata"),
        metadata=fields.value("metadata"),
    )


def parse_ids(raw: bytes) -> tuple[str, ...]:
    """The distinct ids of a batch-delete, in order and as they came. Raises Refusal."""
    given = decode(raw, "batchDeleteRequest").texts("ids") or ()
    if len(given) > IDS_MAX:
        raise InvalidField("ids", f"too many (max {IDS_MAX})")
    ids = tuple(dict.fromkeys(item for item in given if item))
    if not ids:
        raise InvalidField("ids", "required")
    return ids


def parse_list(params: MultiMapping[str], *, newer: bool) -> ListRequest:
    """Read a list or recall; odd numbers become the defaults.

    Raises Refusal for what a newer mem9 refuses: an app's name too long, a window that is none.
    """
    asked = _parse_list(params)
    if not newer:
        return asked
    after, before = _window(params, asked.types)
    mode = (params.get("search_mode") or params.get("searchMode") or "").lower()
    sort_by = params.get("sort_by", "")
    return replace(
        asked,
        app_id=app_filter(params),
        keyword=mode in ("keyword", "content_keyword") and bool(asked.query),
        sort_by=sort_by if sort_by in _SORTS else "updated_at",
        ascending=params.get("sort_dir", "") == "asc",
        created_after=after,
        created_before=before,
    )


def app_filter(params: MultiMapping[str]) -> str | None:
    """The app asked for: the last value counts; None for every app."""
    values = params.getall("appId", []) or params.getall("app_id", [])
    if not values:
        return None
    app_id = _app_id(values[-1])
    return "" if app_id.lower() == "null" else app_id


def _window(params: MultiMapping[str], types: tuple[str, ...]) -> tuple[float | None, float | None]:
    after, before = (_time(params, name) for name in ("created_after", "created_before"))
    if (after, before) == (None, None):
        return None, None
    if types != ("session",):
        raise InvalidField("created_after", "time-range filter requires memory_type=session")
    if after is not None and before is not None and after > before:
        raise InvalidField("created_after", "must not be after created_before")
    return after, before


def _time(params: MultiMapping[str], name: str) -> float | None:
    text = params.get(name, "")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise InvalidField(name, "must be an RFC3339 timestamp")
    return at.timestamp()


def _parse_list(params: MultiMapping[str]) -> ListRequest:
    limit = _integer(params.get("limit", ""))
    tags = params.get("tags", "")
    types = params.get("memory_type", "")
    state = params.get("state", "") or "active"
    return ListRequest(
        query=params.get("q", "").strip(),
        limit=limit if limit is not None and 0 < limit <= LIMIT_MAX else LIMIT_DEFAULT,
        offset=min(max(0, _number(params.get("offset", ""))), _OFFSET_MAX),
        tags=tuple(tags.split(",")) if tags else (),
        state="" if state == "all" else state,
        types=_types(types),
        agent_id=params.get("agent_id", ""),
        session_id=params.get("session_id", ""),
        source=params.get("source", ""),
        scan_all=params.get("scanAll", "").lower() in ("1", "true"),
    )


def _types(given: str) -> tuple[str, ...]:
    """A list of types is trimmed, a single one is taken as it is."""
    if "," not in given:
        return (given,) if given else ()
    return tuple(part for item in given.split(",") if (part := item.strip()))


def _number(text: str) -> int:
    """An integer of any length; 0 for what is none."""
    return int(text[:40]) if _INTEGER.fullmatch(text) else 0


def parse_session_messages(params: MultiMapping[str]) -> tuple[tuple[str, ...], int]:
    """The distinct sessions and how many messages of each (at most 500). Raises InvalidField."""
    given = (item.strip() for item in params.getall("session_id", []))
    sessions = tuple(dict.fromkeys(item for item in given if item))
    if not sessions:
        raise InvalidField("session_id", "at least one session_id required")
    if len(sessions) > SESSIONS_MAX:
        raise InvalidField("session_id", f"too many session_ids: maximum is {SESSIONS_MAX}")
    text = params.get("limit_per_session", "")
    limit = _integer(text) if text else PER_SESSION_MAX
    if limit is None or limit <= 0:
        raise InvalidField("limit_per_session", "must be a positive integer")
    return sessions, min(limit, PER_SESSION_MAX)


def parse_if_match(header: str | None) -> int | None:
    """The version asked for; None when absent or not a bare integer."""
    return _integer(header) if header is not None else None


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) and len(text) < 20 else None
