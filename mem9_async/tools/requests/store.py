"""memory_store's parameters: what may go together, and how large it may be."""

from pydantic import JsonValue

from mem9_async.client.recalled_text import strip_recalled
from mem9_async.models.errors import InvalidRequest
from mem9_async.models.job import Message, NewJob, Pinned, Turn
from mem9_async.models.space import Lane
from mem9_async.tools import caller
from mem9_async.tools.call import Call
from mem9_async.tools.requests import fields, filters, structured
from mem9_async.tools.requests.content import (
    MAX_PINNED_BYTES,
    checked_size,
    checked_tags,
    own_words,
)

MAX_ROLE_CHARS = 20  # VARCHAR(20) in mem9
MAX_REFERENCE_CHARS = 200
_SPEAKER = "user"


def new_job(call: Call, *, max_bytes: int) -> NewJob:
    """Return the job *call* asks for; content of more than *max_bytes* (UTF-8) is refused.

    Raises InvalidRequest or CredentialsMissing, each with a stable code.
    """
    asker = caller.read(call)
    pinned = fields.flag(call.parameters, "pinned")
    payload = _pinned(call, isolated=asker.isolated) if pinned else _turn(call)
    _check_size(payload, max_bytes)
    return NewJob(
        lane=Lane(
            space=asker.space,
            agent_id=asker.agent_id,
            session_id=asker.session_id,
            user_id=call.user_id or None,
            conversation_id=call.conversation_id or None,
            app_id=filters.app(call, asker),
        ),
        payload=payload,
        wait=fields.flag(call.parameters, "wait"),
        owner=caller.owner(call),
        reference=_reference(call),
    )


def _reference(call: Call) -> str | None:
    reference = fields.text(call.parameters, "reference")
    if reference is not None and len(reference) > MAX_REFERENCE_CHARS:
        raise InvalidRequest(
            f"reference has {len(reference)} characters; at most {MAX_REFERENCE_CHARS} are kept. "
            "Bind it to sys.workflow_run_id, or shorten it.",
            code="reference_too_long",
        )
    return reference


def _check_size(payload: Turn | Pinned, max_bytes: int) -> None:
    """Refuse what the queue or mem9 would not take, and say what is too large."""
    if isinstance(payload, Turn):
        checked_size("content", payload.size_bytes, max_bytes)
        return
    max_bytes = min(max_bytes, MAX_PINNED_BYTES)
    parts = payload.parts_bytes
    checked_size("content", parts["content"], max_bytes)
    if payload.size_bytes > max_bytes:
        largest = max(parts, key=lambda name: parts[name])
        told = ", ".join(f"{name} {size}" for name, size in parts.items())
        raise InvalidRequest(
            f"content, tags and metadata have {payload.size_bytes} bytes together ({told}); the "
            f"limit is {max_bytes}. Shorten {largest}.",
            code=f"{largest}_too_large",
        )


def _pinned(call: Call, *, isolated: bool) -> Pinned:
    if not fields.blank(call.parameters, "messages"):
        raise InvalidRequest(
            "messages cannot be pinned: mem9 pins one text. Give content, or leave pinned off.",
            code="pinned_messages",
        )
    if isolated:
        # mem9 keeps no owner on a pinned memory (docs/reference/mem9-api.md, 3.3): everyone
        # would see it, and its own user would not.
        raise InvalidRequest(
            "pinned memories belong to the whole space in mem9 and cannot be kept apart by user "
            "or conversation. Store without pinned, or set isolation to shared.",
            code="pinned_not_isolated",
        )
    content = fields.text(call.parameters, "content")
    if content is None:
        raise _content_required()
    return Pinned(
        content=own_words(content),
        tags=checked_tags(_tags(call)) or (),
        metadata=_metadata(call),
    )


def _turn(call: Call) -> Turn:
    for name, value in (("tags", _tags(call)), ("metadata", _metadata(call))):
        if value:
            raise InvalidRequest(
                f"{name} can be kept only with a pinned memory: mem9 drops them from text it "
                "extracts facts from. Set pinned, or leave them out.",
                code="pinned_required",
            )
    keep_raw = fields.flag(call.parameters, "keep_raw", default=True)
    content = fields.text(call.parameters, "content")
    if fields.blank(call.parameters, "messages"):
        if content is None:
            raise _content_required()
        said = Message(role=_SPEAKER, content=own_words(content))
        return Turn(messages=(said,), keep_raw=keep_raw)
    if content is not None:
        raise InvalidRequest("give content or messages, not both", code="content_and_messages")
    return Turn(messages=_messages(call.parameters["messages"]), keep_raw=keep_raw)


def _tags(call: Call) -> tuple[str, ...] | None:
    blank = fields.blank(call.parameters, "tags")
    return None if blank else fields.items(call.parameters, "tags")


def _metadata(call: Call) -> dict[str, JsonValue] | None:
    blank = fields.blank(call.parameters, "metadata")
    return None if blank else fields.json_object(call.parameters, "metadata")


def _messages(given: object) -> tuple[Message, ...]:
    if isinstance(given, str):
        given = structured.value(given, "messages")
    given = structured.unwrapped(given, "messages")
    if not isinstance(given, list | tuple):
        raise _messages_invalid("it must be a list of objects with role and content")
    messages = tuple(
        message for place, entry in enumerate(given) if (message := _message(place, entry))
    )
    if not messages:
        raise _content_required()
    if not any(message.role == _SPEAKER for message in messages):
        raise _messages_invalid(
            "at least one message must have role user, because mem9 takes facts from no other"
        )
    return messages


def _message(place: int, entry: object) -> Message | None:
    if not isinstance(entry, dict):
        raise _messages_invalid(f"entry {place} is not an object")
    role = entry.get("role")
    content = entry.get("content")
    if not isinstance(role, str) or not 0 < len(role.strip()) <= MAX_ROLE_CHARS:
        raise _messages_invalid(
            f"entry {place} needs a role of 1 to {MAX_ROLE_CHARS} characters, such as user"
        )
    if content is not None and not isinstance(content, str):
        raise _messages_invalid(f"the content of entry {place} is not text")
    kept = strip_recalled(fields.clean(content or "")).strip()
    return Message(role=fields.clean(role).lower(), content=kept) if kept else None


def _content_required() -> InvalidRequest:
    return InvalidRequest("content is required", code="content_required")


def _messages_invalid(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"messages cannot be read: {why}. {structured.form('messages')}", code="messages_invalid"
    )
