"""Request bodies read as mem9's decoder reads them: lenient about keys, strict about types."""

import json
import re
from typing import Final

from pydantic import JsonValue

from mem9_async.devserver.answers import Refusal


def _no_constant(name: str) -> float:
    raise _Constant(name)


class _Constant(Exception):
    """NaN or Infinity, which Python reads and Go does not."""


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = " \t\r\n"
_VALUE: Final = "looking for beginning of value"
_WHERE: Final = {
    "Expecting property name": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Expecting ':'": "after object key",
    "Expecting ','": "after object key:value pair",
}
_GO_TYPES: Final = {"IngestMessage": "service.IngestMessage"}
_KINDS: Final = {str: "string", bool: "bool", dict: "object", list: "array"}


class InvalidJSON(Refusal):
    """The body is not JSON of the expected shape."""

    def __init__(self, problem: str) -> None:
        super().__init__(400, f"invalid JSON: {problem}")


class Fields:
    """One JSON object. Keys match in any case, the last of equal keys wins, null is absent."""

    def __init__(self, values: dict[str, JsonValue], within: str) -> None:
        self._values = {key.lower(): value for key, value in values.items()}
        self._within = within

    def has(self, name: str) -> bool:
        """True when the key is there, a null included."""
        return name.lower() in self._values

    def value(self, name: str) -> JsonValue:
        """Any JSON; None when absent or null."""
        return self._values.get(name.lower())

    def text(self, name: str) -> str:
        """A string; empty when absent. Raises InvalidJSON for another type."""
        value = self._values.get(name.lower())
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._mismatch(value, name, "string")
        return _replaced(value)

    def flag(self, name: str) -> bool:
        """A bool; False when absent. Raises InvalidJSON for another type."""
        value = self._values.get(name.lower())
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self._mismatch(value, name, "bool")
        return value

    def integer(self, name: str) -> int | None:
        """A whole number; None when absent. Raises InvalidJSON for another type."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._mismatch(value, name, "int")
        if not -(2**63) <= value < 2**63:
            raise InvalidJSON(
                f"json: cannot unmarshal number {value} into Go struct field"
                f" {self._within}.{name} of type int"
            )
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Strings (null inside is empty); None when absent. Raises InvalidJSON otherwise."""
        items = self._items(name, "[]string")
        if items is None:
            return None
        for item in items:
            if item is not None and not isinstance(item, str):
                raise self._mismatch(item, name, "string")
        return tuple(_replaced(item) if isinstance(item, str) else "" for item in items)

    def objects(self, name: str, within: str) -> tuple["Fields", ...] | None:
        """Objects (null inside is empty); None when absent. Raises InvalidJSON otherwise."""
        items = self._items(name, f"[]{_GO_TYPES.get(within, within)}")
        if items is None:
            return None
        for item in items:
            if item is not None and not isinstance(item, dict):
                raise self._mismatch(item, name, _GO_TYPES.get(within, within))
        inside = f"{within}.{name}"
        return tuple(Fields(item if isinstance(item, dict) else {}, inside) for item in items)

    def _items(self, name: str, expected: str) -> list[JsonValue] | None:
        value = self._values.get(name.lower())
        if value is not None and not isinstance(value, list):
            raise self._mismatch(value, name, expected)
        return value

    def _mismatch(self, value: JsonValue, name: str, expected: str) -> InvalidJSON:
        kind = _kind(value)
        if expected == "int" and isinstance(value, float):
            kind = f"number {value}"
        return InvalidJSON(
            f"json: cannot unmarshal {kind} into Go struct field"
            f" {self._within}.{name} of type {expected}"
        )


def decode(raw: bytes, within: str) -> Fields:
    """Read the first JSON value of *raw*; what follows it is ignored.

    `within` is the name the type carries in mem9's messages. Raises InvalidJSON.
    """
    text = raw.decode("utf-8", "replace").lstrip(_SPACE)
    if not text:
        raise InvalidJSON("EOF")
    try:
        value, _ = _DECODER.raw_decode(text)
    except _Constant as exc:
        first = str(exc).lstrip("-")[0]
        where = "in numeric literal" if str(exc).startswith("-") else _VALUE
        raise InvalidJSON(f"invalid character '{first}' {where}") from exc
    except json.JSONDecodeError as exc:
        rest = text[exc.pos :].lstrip(_SPACE)
        if not rest or exc.msg.startswith("Unterminated"):
            raise InvalidJSON("unexpected EOF") from exc
        raise _unreadable(rest, exc.msg) from exc
    except RecursionError as exc:
        raise InvalidJSON("exceeded max depth") from exc
    except ValueError as exc:  # a number of thousands of digits
        raise InvalidJSON("number out of range") from exc
    if value is None:
        return Fields({}, within)
    if not isinstance(value, dict):
        raise InvalidJSON(
            f"json: cannot unmarshal {_kind(value)} into Go value of type handler.{within}"
        )
    return Fields(value, within)


def _unreadable(rest: str, problem: str) -> InvalidJSON:
    """Go reads letter by letter: it blames the first that no longer fits."""
    for literal in ("null", "true", "false"):
        if rest[0] == literal[0]:
            at = next((i for i in range(len(literal)) if rest[i : i + 1] != literal[i]), None)
            if at is not None and at < len(rest):
                where = f"in literal {literal} (expecting '{literal[at]}')"
                return InvalidJSON(f"invalid character '{rest[at]}' {where}")
    where = next((said for start, said in _WHERE.items() if problem.startswith(start)), _VALUE)
    return InvalidJSON(f"invalid character '{rest[0]}' {where}")


def _kind(value: JsonValue) -> str:
    return _KINDS.get(type(value), "number")


def _replaced(text: str) -> str:
    """Half a surrogate pair cannot be stored; mem9's decoder puts U+FFFD there, so do we."""
    return _SURROGATE.sub("\ufffd", text) if _SURROGATE.search(text) else text
