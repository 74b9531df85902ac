"""Read a list or an object out of text, in the forms in which workflows and models write them.

Dify turns an array that is bound to a text field into Python's own notation, models put JSON
into code fences, and template nodes encode it twice.
"""

import ast
import json
import math
import re

from pydantic import JsonValue
from pydantic_core import from_json

from mem9_async.models.errors import InvalidRequest

#: What is asked for, as the refusals show it; other names show a list of texts.
FORMS = {
    "messages": '[{"role": "user", "content": "I like tea"}]',
    "metadata": '{"source": "crm"}',
    "memory_context": '{"app_id": "a", "subject_kind": "user", "subject_id": "u"}',
    "request": '{"query": "tea"}',
    "payload": '{"text": "I like tea"}',
}
_LIST_FORM = '["one", "two"]'
_LITERAL_MAX = 512 * 1024  # characters: reading Python's notation keeps the hub busy meanwhile
_ENCODED_MOST = 3  # times that JSON stands inside a JSON text
_FENCE = re.compile(r"\A```[A-Za-z0-9_-]*\s*\n?(.*?)\s*```\Z", re.DOTALL)


def value(source: str, name: str) -> JsonValue:
    """Return the value written in *source*: JSON or a Python literal, fenced or encoded again.

    Raises InvalidRequest (`<name>_invalid`) with the form wanted for anything else, numbers
    that JSON does not have included.
    """
    for _ in range(_ENCODED_MOST):
        source = source.strip().removeprefix("\ufeff").strip()
        if fenced := _FENCE.match(source):
            source = fenced[1].strip()
        read = _read(source, name)
        if not isinstance(read, str):
            return read
        source = read
    raise refused(name)


def unwrapped(read: object, name: str) -> object:
    """Return the list in `{"<name>": [...]}`; anything else as it is."""
    if isinstance(read, dict) and list(read) == [name]:
        return read[name]
    return read


def form(name: str) -> str:
    """A sentence that shows how the parameter *name* is written."""
    return f"Write it as JSON, such as {FORMS.get(name, _LIST_FORM)}."


def refused(name: str) -> InvalidRequest:
    """The refusal of a text that is no value at all."""
    return InvalidRequest(
        f"{name} is neither valid JSON nor a Python literal. {form(name)}", code=f"{name}_invalid"
    )


def _read(source: str, name: str) -> JsonValue:
    try:
        parsed = _json(source)
    except (ValueError, RecursionError):
        return _literal(source, name)
    try:
        return _as_json(parsed)  # the parser lets 1e999 pass, as infinity
    except ValueError:
        raise refused(name) from None


def _json(source: str) -> JsonValue:
    try:
        parsed: JsonValue = from_json(source, allow_inf_nan=False)
    except ValueError:
        # The standard library also reads halves of characters, which are mended later.
        parsed = json.loads(source, strict=False, parse_constant=_no_number)
    return parsed


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON's")


def _literal(source: str, name: str) -> JsonValue:
    if len(source) > _LITERAL_MAX or not source.startswith(("[", "{", "(", "'", '"')):
        raise refused(name)
    try:
        return _as_json(ast.literal_eval(source))
    # Nested beyond what the parser takes, or no literal: data all the same, never run.
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise refused(name) from None


def _as_json(read: object) -> JsonValue:
    """Return *read* in JSON's types. Raises ValueError for what JSON does not have."""
    if read is None or isinstance(read, bool | str | int):
        return read
    if isinstance(read, float) and math.isfinite(read):
        return read
    if isinstance(read, list | tuple):
        return [_as_json(entry) for entry in read]
    if isinstance(read, dict) and all(isinstance(key, str) for key in read):
        return {key: _as_json(entry) for key, entry in read.items()}
    raise ValueError("no JSON value")
