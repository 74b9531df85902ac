"""Read one value out of Dify's loosely typed parameters, or refuse it with a stable code.

Models write numbers as text, lists as JSON and flags as words; workflow variables arrive
typed. Everything ends up in one form here; what has no clear meaning is refused.
"""

import math
from collections.abc import Mapping

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools.requests import structured

_TRUE = frozenset({"true", "1", "yes", "on"})
_LISTS = ("[", "{", "```", '"[', "\ufeff")  # how a text begins that is not parted by commas
_FALSE = frozenset({"false", "0", "no", "off"})


def text(parameters: Mapping[str, object], name: str) -> str | None:
    """Return the trimmed text, None when it is absent or blank. Numbers become text.

    Raises InvalidRequest (`<name>_not_text`) for flags, lists and objects.
    """
    value = parameters.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return clean(value) or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise InvalidRequest(f"{name} must be text, not {_kind(value)}", code=f"{name}_not_text")


def clean(value: str) -> str:
    """Trim *value* and drop what no server can store: NUL bytes and halves of characters."""
    return _without_unstorable(value).strip()


def _without_unstorable(value: str) -> str:
    if "\x00" in value:
        value = value.replace("\x00", "")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def blank(parameters: Mapping[str, object], name: str) -> bool:
    """Whether there is nothing in it, in any form.

    Models fill in optional parameters they do not mean with `[]`, `{}` or `null`, as text too.
    """
    value = parameters.get(name)
    if isinstance(value, str):
        value = clean(value)
        try:
            value = from_json(value)
        except ValueError:
            return value in ("", "None")  # Python's word, where a variable was not set
    return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)


def flag(parameters: Mapping[str, object], name: str, *, default: bool = False) -> bool:
    """Return the flag; words and numbers that mean yes or no are understood."""
    value = parameters.get(name)
    if isinstance(value, bool):
        return value
    if value is None:
        return default
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if not word:
            return default
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise InvalidRequest(f"{name} must be true or false", code=f"{name}_not_boolean")


def bounded(
    parameters: Mapping[str, object], name: str, *, default: int, low: int, high: int
) -> int:
    """Return a whole number, clamped into low..high; what is no number means *default*."""
    number = _number(parameters.get(name))
    return default if number is None else max(low, min(high, number))


def whole(parameters: Mapping[str, object], name: str) -> int | None:
    """Return a whole number of at least 0, None when absent; refuse anything else."""
    value = parameters.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = _number(value)
    if number is None or number < 0 or _is_fraction(value):
        raise InvalidRequest(f"{name} must be a whole number", code=f"{name}_not_a_number")
    return number


def items(parameters: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    """Return a list of trimmed texts without blanks and repeats; None when absent.

    A list, as text in any form that `structured` reads, or text parted by commas (mem9's own
    filters part tags by comma, so no entry can hold one). An empty list is an empty tuple.
    """
    value = parameters.get(name)
    if isinstance(value, str):
        stripped = value.strip()
        if stripped in ("", "null"):
            return None
        value = structured.value(stripped, name) if stripped.startswith(_LISTS) else [stripped]
    value = structured.unwrapped(value, name)
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise InvalidRequest(
            f"{name} must be a list of texts, not {_kind(value)}. {structured.form(name)}",
            code=f"{name}_invalid",
        )
    found: dict[str, None] = {}
    for entry in value:
        if isinstance(entry, bool) or not isinstance(entry, str | int | float):
            raise InvalidRequest(
                f"{name} must hold texts only, not {_kind(entry)}. {structured.form(name)}",
                code=f"{name}_invalid",
            )
        found.update(dict.fromkeys(clean(part) for part in str(entry).split(",")))
    found.pop("", None)
    return tuple(found)


def json_object(parameters: Mapping[str, object], name: str) -> dict[str, JsonValue] | None:
    """Return a JSON object given as such or as text; None when absent or blank."""
    value = parameters.get(name)
    if isinstance(value, str):
        if not value.strip():
            return None
        value = structured.value(value, name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidRequest(
            f"{name} must be a JSON object, not {_kind(value)}. {structured.form(name)}",
            code=f"{name}_invalid",
        )
    # Round trip: a value that is no JSON (a file object, NaN) must not reach the journal.
    try:
        parsed: dict[str, JsonValue] = from_json(
            to_json(_storable(value), inf_nan_mode="constants"), allow_inf_nan=False
        )
    except ValueError:
        raise InvalidRequest(f"{name} is not valid JSON", code=f"{name}_invalid") from None
    return parsed


def _storable(value: object) -> object:
    """Return *value* with U+0000 and halves of characters out of every key and text in it."""
    if isinstance(value, str):
        return _without_unstorable(value)
    if isinstance(value, Mapping):
        return {_storable(key): _storable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(entry) for entry in value]
    return value


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return int(value)
    return None


def _is_fraction(value: object) -> bool:
    return isinstance(value, str | float) and not float(value).is_integer()


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a flag"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    return "a number" if isinstance(value, int | float) else f"a {type(value).__name__}"
