"""Recorded cases: what a server said, what was answered to that, and whether ours holds it all."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from tests.host.scripted import Reply

_FOLDER = Path(__file__).parent / "cases"
_LINK = re.compile(r"https?://[^\s)\]>,;]+")
_ABOUT = {
    "saving": re.compile(r"sav|writ|stor", re.IGNORECASE),
    "recall": re.compile(r"recall|search", re.IGNORECASE),
    "connection": re.compile(r"connect|reach|refused", re.IGNORECASE),
    "other": re.compile(r"\w"),
}
#: Fields that carry news for a person: present in the one answer, absent in the other.
_NEWS = frozenset({"message", "quota", "action_url", "user_message"})


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Said(_Model):
    """One answer of mem9: `json`, or `text` as it stands."""

    status: int
    json_: JsonValue = None
    text: str | None = None
    content_type: str = "application/json"
    headers: dict[str, str] = {}

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))

    @property
    def reply(self) -> Reply:
        """The answer in bytes."""
        text = json.dumps(self.json_) if self.text is None else self.text
        return Reply(self.status, text.encode(), self.content_type, self.headers)


class Sent(_Model):
    """The request that is made of it."""

    method: str
    key: str
    body: JsonValue = None
    query: dict[str, str] = {}


class Case(_Model):
    """One call. `mem9` None: it must not be asked; `refused`: nothing listens."""

    name: str
    tool: Literal["memory_store", "memory_search", "validate"]
    parameters: dict[str, JsonValue] = {}
    credentials: dict[str, JsonValue] = {}
    mem9: Said | Literal["refused"] | None
    answer: dict[str, JsonValue]
    request: Sent | None = None

    def __str__(self) -> str:
        return f"{self.tool}: {self.name}"

    def __repr__(self) -> str:
        return f"<{self}>"

    @property
    def ok(self) -> bool:
        """Whether the call did what was asked."""
        return self.answer.get("ok") is True


def cases(name: str, tool: str) -> list[Case]:
    """The cases of one tool in the file *name*."""
    text = (_FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return [case for case in TypeAdapter(list[Case]).validate_json(text) if case.tool == tool]


def differences(wanted: JsonValue, ours: JsonValue, at: str = "answer") -> list[str]:
    """Where *ours* lacks something of *wanted*; empty when it is all there."""
    if isinstance(wanted, dict) and "a sentence about" in wanted:
        return _sentence(wanted, ours, at)
    if isinstance(wanted, dict):
        if not isinstance(ours, dict):
            return [f"{at}: {ours!r} is no object"]
        missing = [f"{at}.{name}: missing" for name in wanted if name not in ours]
        news = [f"{at}.{name}: {ours[name]!r}" for name in _NEWS & ours.keys() - wanted.keys()]
        return (
            missing
            + news
            + [
                found
                for name in wanted.keys() & ours.keys()
                for found in differences(wanted[name], ours[name], f"{at}.{name}")
            ]
        )
    if isinstance(wanted, list):
        if not isinstance(ours, list) or len(ours) != len(wanted):
            return [f"{at}: {ours!r} instead of {len(wanted)} entries"]
        pairs = enumerate(zip(wanted, ours, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, f"{at}[{n}]")]
    same = wanted == ours and isinstance(wanted, bool) == isinstance(ours, bool)
    return [] if same else [f"{at}: {ours!r} instead of {wanted!r}"]


def links(text: str) -> list[str]:
    """Every address in *text*, in order."""
    return [found.rstrip(".") for found in _LINK.findall(text)]


def _sentence(wanted: Mapping[str, JsonValue], ours: JsonValue, at: str) -> list[str]:
    if not isinstance(ours, str) or not ours.strip():
        return [f"{at}: {ours!r} is no sentence"]
    found = []
    about = str(wanted["a sentence about"])
    if not _ABOUT[about].search(ours):
        found.append(f"{at}: {ours!r} does not speak of {about}")
    if links(ours) != wanted["links"]:
        found.append(f"{at}: the links of {ours!r} are not {wanted['links']}")
    return found
