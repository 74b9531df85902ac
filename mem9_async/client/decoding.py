"""mem9's JSON, decoded so that one bad value costs that value and not the answer.

Servers and what stands before them send NaN, numbers beyond a float, halves of characters and
bytes that are no UTF-8. Whoever asked is better served with the memory without the figure.
"""

import json
import math
import re
from codecs import BOM_UTF8

from pydantic import JsonValue
from pydantic_core import from_json

_NUL = b"\\u0000"
_BROKEN = re.compile("[\ud800-\udfff]")
_DIGITS_MAX = 308  # more have no float
_INT_MAX: int = 10**_DIGITS_MAX


def json_object(body: bytes) -> dict[str, JsonValue]:
    """Decode a JSON object; what JSON or a text cannot hold becomes null, U+FFFD or nothing.

    NaN and infinity become null, halves of characters and bad bytes U+FFFD; U+0000 is taken out.
    A number beyond a float may stay: the fields of wire.py drop it. Raises ValueError for what is
    no JSON object even so.
    """
    body = body.removeprefix(BOM_UTF8)
    try:
        decoded = from_json(body, allow_inf_nan=False)
    except ValueError:
        decoded = _mended(_lenient(body))
    else:
        if _NUL in body:
            decoded = _mended(decoded)
    if not isinstance(decoded, dict):
        raise ValueError("not a JSON object")
    return decoded


def is_finite(value: object) -> bool:
    """Whether every number in *value*, at any depth, fits a float."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -_INT_MAX < value < _INT_MAX
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return True


def finite(value: JsonValue) -> JsonValue:
    """Return *value* with null for each number that does not fit a float."""
    return value if is_finite(value) else _mended(value)


def _lenient(body: bytes) -> JsonValue:
    try:
        decoded: JsonValue = json.loads(
            body.decode("utf-8", "replace"),
            strict=False,
            parse_constant=lambda _: None,
            parse_int=lambda digits: int(digits) if len(digits) <= _DIGITS_MAX else None,
        )
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    return decoded


def _mended(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _BROKEN.sub("\ufffd", value.replace("\x00", ""))
    if isinstance(value, dict):
        return {_key(key): _mended(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_mended(entry) for entry in value]
    return value if is_finite(value) else None


def _key(key: str) -> str:
    return _BROKEN.sub("\ufffd", key.replace("\x00", ""))
