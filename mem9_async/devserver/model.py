"""The language model of the embedded mem9: what it makes of a conversation, and how it fails."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from mem9_async.devserver.requests import RawMessage

Failure = Literal["error", "bad_json", "empty", "reconcile"]
Step = Literal["extraction_and_classification", "reconciliation"]

_NAME = "embedded"
#: Where a model sees the next speaker begin, whoever put the blank line there.
_SPEAKER = re.compile(r"(?:^|\n\n)(\w+): ")


class ModelFailed(Exception):
    """The model gave nothing that mem9 could use."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, with the number and text of the message that it was found in."""

    text: str
    seq: int | None
    turn: str


@dataclass(slots=True)
class Model:
    """Finds facts: each statement of a user's is one. Its settings may change while it runs.

    `seconds` is what an extraction takes, a number or called for each; `failing` how calls fail,
    None not at all; `facts_per_message` how many a message gives (the first is its own text).
    """

    seconds: float | Callable[[], float] = 0.0
    failing: Failure | None = None
    facts_per_message: int = 1
    tags: tuple[str, ...] = ("noted",)
    _calls: Counter[tuple[Step, str]] = field(default_factory=Counter)

    def takes_s(self) -> float:
        """How long the next extraction takes."""
        return self.seconds() if callable(self.seconds) else self.seconds

    def facts(self, messages: tuple[RawMessage, ...]) -> list[Fact]:
        """The facts that users stated, in order; questions are none. Raises ModelFailed."""
        if self.failing in ("error", "bad_json"):
            self._count("extraction_and_classification", ok=False)
            raise ModelFailed
        self._count("extraction_and_classification", ok=True)
        if self.failing == "empty":
            return []
        said = [text for role, text in _speakers(messages) if role.lower() == "user"]
        return [fact for text in said if not is_question(text) for fact in self._of(text, messages)]

    def reconcile(self) -> None:
        """Compare facts with what is known. Raises ModelFailed."""
        self._count("reconciliation", ok=self.failing != "reconcile")
        if self.failing == "reconcile":
            raise ModelFailed

    def begin_again(self) -> None:
        """Count from nothing, as a new process does."""
        self._calls.clear()

    def metrics(self) -> Iterable[str]:
        """Its calls so far, for Prometheus; nothing before the first."""
        name = "mnemo_llm_requests_by_step_total"
        if self._calls:
            yield f"# TYPE {name} counter"
        for (step, status), count in sorted(self._calls.items()):
            yield f'{name}{{model="{_NAME}",status="{status}",step="{step}"}} {count}'

    def _of(self, text: str, messages: tuple[RawMessage, ...]) -> Iterable[Fact]:
        origin = next((each for each in messages if text in each.content), None)
        seq, turn = (origin.seq, origin.content) if origin else (None, text)
        yield Fact(text, seq, turn)
        for number in range(2, self.facts_per_message + 1):
            yield Fact(f"{text} (part {number})", seq, turn)

    def _count(self, step: Step, *, ok: bool) -> None:
        self._calls[step, "success" if ok else "error"] += 1


def is_question(text: str) -> bool:
    """True for text that asks: a model calls that an intent, and mem9 drops it."""
    return text.rstrip().endswith(("?", "？"))


def _speakers(messages: tuple[RawMessage, ...]) -> list[tuple[str, str]]:
    """The conversation as the model reads it, one text, cut into who said what."""
    text = "\n\n".join(f"{item.role}: {item.content}" for item in messages)
    starts = list(_SPEAKER.finditer(text))
    if not starts:
        return [("user", text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    parts = [
        (match[1], text[match.end() : end].strip()) for match, end in zip(starts, ends, strict=True)
    ]
    return [(role, said) for role, said in parts if said]
