"""Events of an agent's run in words that mem9's model can use.

Facts come from the role `user` alone; what the agent said and did stands beside them as context.
"""

from collections.abc import Mapping

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from mem9_async.client.recalled_text import strip_recalled
from mem9_async.models.job import Message
from mem9_async.tools.requests import fields

USER_PROMPT, MODEL_RESPONSE = "user_prompt", "model_response"
TOOL_CALL, TOOL_RESULT = "tool_call", "tool_result"
KINDS = (USER_PROMPT, MODEL_RESPONSE, TOOL_CALL, TOOL_RESULT)
_ROLES = {USER_PROMPT: "user", TOOL_RESULT: "tool"}
_CUT = "… [cut]"

_Payload = Mapping[str, JsonValue]


def told(event: str, payload: _Payload, *, max_bytes: int) -> Message | None:
    """Return *event* as a message of at most *max_bytes*; None when there is nothing to keep."""
    excerpt = payload.get("excerpt")
    cut = payload.get("truncated") is True and isinstance(excerpt, str)
    if cut:
        payload = _read_excerpt(str(excerpt))
    words = strip_recalled(fields.clean(_words(event, payload))).strip()
    if not words:
        return None
    if cut:
        words = f"{words} {_CUT}"
    if len(words.encode()) > max_bytes:
        room = max(0, max_bytes - len(_CUT.encode()) - 1)
        words = f"{words.encode()[:room].decode(errors='ignore')} {_CUT}"
    return Message(role=_ROLES.get(event, "assistant"), content=words)


def _read_excerpt(excerpt: str) -> _Payload:
    """Return what can be read of a payload of which only the beginning has come.

    It is the JSON of the whole, cut somewhere.
    """
    try:
        read = from_json(excerpt, allow_partial="trailing-strings")
    except ValueError:
        read = None
    return read if isinstance(read, dict) and read else {"text": excerpt}


def _words(event: str, payload: _Payload) -> str:
    if event == TOOL_CALL:
        return f"Called the tool {_name(payload)} with {_text(payload.get('arguments'))}."
    if event == TOOL_RESULT:
        if payload.get("status") == "failed":
            return f"The tool {_name(payload)} failed. {_text(payload.get('result'))}"
        return f"The tool {_name(payload)} answered: {_text(payload.get('result'))}"
    for name in ("text", "result"):
        if name in payload:
            return _text(payload[name])
    return _text(dict(payload)) if payload else ""


def _name(payload: _Payload) -> str:
    return _text(payload.get("tool")) or "without a name"


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else to_json(value).decode()
