"""Requests to mem9 as header values, parameters and bytes; equal input gives equal bytes."""

from urllib.parse import quote

from pydantic import JsonValue
from pydantic_core import to_json

from mem9_async.client.recalled_text import strip_messages
from mem9_async.models.batch import Batch
from mem9_async.models.job import Message, Pinned
from mem9_async.models.memory import ListQuery, MemoryChange, SearchQuery
from mem9_async.models.outcome import Confirmation

DELETE_MAX_IDS = 1_000  # batch-delete refuses more (docs/reference/mem9-api.md, 5)
MEMORIES = "insight,pinned"  # every kind but raw turns
RECALL_FACTOR = 3
RECALL_MAX = 100

_CONTROL = {code: " " for code in (*range(32), 127)}


def header_value(text: str) -> str:
    """Make *text* fit for a header: control characters would end it, and are never meant."""
    return text.translate(_CONTROL).strip()


def path_segment(memory_id: str) -> str:
    """Quote an id for use in a path, its slashes too."""
    return quote(memory_id, safe="")


def store_body(batch: Batch) -> bytes | None:
    """Encode the request for *batch*: the same bytes for every attempt.

    None when nothing is left of its messages once recalled memories are taken out.
    """
    payload = batch.payloads[0]
    if isinstance(payload, Pinned):
        return _pinned_body(batch, payload)
    said = [
        message
        for turn in batch.payloads
        if not isinstance(turn, Pinned)
        for message in strip_messages(turn.messages)
    ]
    if not said:
        return None
    if batch.verbatim:
        return _verbatim_body(batch, said)
    # Numbered, mem9 names on each fact the message that it came from.
    numbered = batch.confirmation is Confirmation.REMEMBERED
    messages: list[JsonValue] = [
        {"role": message.role, "content": message.content, **({"seq": seq} if numbered else {})}
        for seq, message in enumerate(said)
    ]
    body: dict[str, JsonValue] = {
        "messages": messages,
        "agent_id": batch.lane.agent_id,
        "mode": "smart",
        **_app(batch),
    }
    if not batch.keeps_raw:
        body["disableSessionSave"] = True
    if batch.lane.session_id:
        body["session_id"] = batch.lane.session_id
    if batch.confirmation is Confirmation.INGESTED:
        body["sync"] = True
    return encode(body)


def _verbatim_body(batch: Batch, said: list[Message]) -> bytes:
    told = [message.content for message in said if message.role == "user"]
    body: dict[str, JsonValue] = {
        "content": "\n".join(told or [message.content for message in said]),
        "agent_id": batch.lane.agent_id,
        **_app(batch),
    }
    if batch.lane.session_id:
        body["session_id"] = batch.lane.session_id
    return encode(body)


def _pinned_body(batch: Batch, pinned: Pinned) -> bytes:
    # No `mode`: mem9 refuses it beside content (docs/reference/mem9-api.md, 3.2), and pinned is
    # always sync.
    body: dict[str, JsonValue] = {"content": pinned.content, "memory_type": "pinned"}
    if pinned.tags:
        body["tags"] = list(pinned.tags)
    if pinned.metadata is not None:
        body["metadata"] = pinned.metadata
    body["agent_id"] = batch.lane.agent_id
    return encode(body | _app(batch))


def _app(batch: Batch) -> dict[str, JsonValue]:
    return {} if batch.lane.app_id is None else {"appId": batch.lane.app_id}


def encode(body: JsonValue) -> bytes:
    """Compact UTF-8 JSON; what JSON has no word for (NaN) becomes null."""
    return to_json(body, inf_nan_mode="null")


def search_params(query: SearchQuery, *, factor: int = RECALL_FACTOR) -> dict[str, str]:
    """The parameters of a recall: *factor* times what is wanted, as the ranking happens here."""
    params = {"q": query.query}
    if query.keyword:
        # mem9's own order, page by page: nothing is left to rank here.
        params |= {"limit": str(query.limit), "search_mode": "keyword"}
        if query.offset:
            params["offset"] = str(query.offset)
    else:
        params["limit"] = str(min(max(1, query.limit) * factor, RECALL_MAX))
    if query.session_id:
        params["session_id"] = query.session_id
    if query.scan_all:
        params["scanAll"] = "true"
    return params | _filters(query.memory_type, query.tags, query.agent_id, query.app_id)


def list_params(query: ListQuery, *, offset: int, limit: int) -> dict[str, str]:
    """The parameters of a plain list, these rows of it: no `q`, so it costs nothing.

    Kinds are always named: a later mem9 lists raw turns among the memories otherwise.
    """
    params = {"limit": str(limit), "offset": str(offset)}
    if query.session_id:
        params["session_id"] = query.session_id
    for name in ("created_after", "created_before", "sort_by", "sort_dir"):
        if (value := getattr(query, name)) is not None:
            params[name] = value
    kinds = query.memory_type or MEMORIES
    return params | _filters(kinds, query.tags, query.agent_id, query.app_id)


def _filters(
    memory_type: str | None, tags: tuple[str, ...], agent_id: str | None, app_id: str | None
) -> dict[str, str]:
    params: dict[str, str] = {}
    if memory_type:
        params["memory_type"] = memory_type
    if tags:
        params["tags"] = ",".join(tags)
    if agent_id:
        params["agent_id"] = agent_id
    if app_id:
        params["appId"] = app_id
    return params


def change_body(change: MemoryChange, content: str) -> bytes:
    """Encode a PUT. *content* always goes along: without it mem9 drops the embedding."""
    body: dict[str, JsonValue] = {"content": content}
    if change.tags is not None:
        body["tags"] = list(change.tags)
    if change.clear_metadata:
        body["metadata"] = None
    elif change.metadata is not None:
        body["metadata"] = change.metadata
    return encode(body)


def ids_body(ids: tuple[str, ...]) -> bytes:
    """Encode a batch-delete of at most DELETE_MAX_IDS ids."""
    return encode({"ids": list(ids)})
