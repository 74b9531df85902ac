"""Where two servers answered otherwise, and which of that is known and left so."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from tests.comparison.answers import Answer

#: Differences that stay, by the name of the exchange, with the reason.
KNOWN: Mapping[str, str] = {}


@dataclass(frozen=True)
class Difference:
    """One exchange that was answered otherwise. `why` is set where that is known."""

    name: str
    what: str
    real: str
    embedded: str
    why: str | None


def between(real: Mapping[str, Answer], embedded: Mapping[str, Answer]) -> Iterator[Difference]:
    """Compare status, content type and body: the fields, their values, the order of memories."""
    for name, theirs in real.items():
        ours = embedded.get(name)
        if ours is None:
            yield Difference(name, "asked", "yes", "no", KNOWN.get(name))
            continue
        for what in ("status", "kind", "body"):
            one, other = getattr(theirs, what), getattr(ours, what)
            if one != other:
                shown = _apart(one, other) if what == "body" else (str(one), str(other))
                yield Difference(name, what, *shown, KNOWN.get(name))
                break


def _apart(one: JsonValue, other: JsonValue, path: str = "") -> tuple[str, str]:
    """The first place in which the two differ, with what stands there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key) or (key in one) != (key in other):
                here = f"{path}.{key}"
                if key in one and key in other:
                    return _apart(one[key], other[key], here)
                return tuple(_shown(here, side.get(key), key in side) for side in (one, other))  # type: ignore[return-value]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right:
                return _apart(left, right, f"{path}[{number}]")
    if isinstance(one, list) and isinstance(other, list):
        return f"{path}: {len(one)} of them", f"{path}: {len(other)} of them"
    return _shown(path, one, True), _shown(path, other, True)


def _shown(path: str, value: JsonValue, present: bool) -> str:
    return f"{path} = {json.dumps(value, ensure_ascii=False)[:160]}" if present else f"no {path}"
