"""What has happened so far: counted from the plugin's answers and its log events."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from mem9_async.cli.answers import LogLine, ToolAnswer
from mem9_async.cli.percentile import percentile

_SHOWN = frozenset({"batch.delivered", "attempt.failed", "space.parked", "job.dead_lettered"})


class _Counts(BaseModel):
    model_config = ConfigDict(extra="ignore")

    in_flight: int = 0
    dead: int = 0


class _Lane(BaseModel):
    model_config = ConfigDict(extra="ignore")

    session_id: str | None = None
    lane: str
    depth: int
    oldest_age_s: float | None = None


class _Write(BaseModel):
    model_config = ConfigDict(extra="ignore")

    content: str
    age_s: float


class Pending(BaseModel):
    """The writes that a memory_search answer names as still on their way."""

    model_config = ConfigDict(extra="ignore")

    pending: tuple[_Write, ...] = ()


class QueueState(BaseModel):
    """The part of memory_queue's answer that is shown. Jobs; ages in seconds."""

    model_config = ConfigDict(extra="ignore")

    ok: bool
    counts: _Counts = _Counts()
    depth: int = 0
    delivered: int = 0
    redelivered: int = 0
    oldest_age_s: float | None = None
    lanes: tuple[_Lane, ...] = ()


@dataclass
class Progress:
    """Grows while the demonstration runs; only its own methods change it."""

    began_at: float = field(default_factory=time.monotonic)
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    requests: int = 0
    queue: QueueState = field(default_factory=lambda: QueueState(ok=True))
    events: deque[str] = field(default_factory=lambda: deque(maxlen=6))
    early: str | None = None  #: what a search said while its answer was still in the queue
    storing: bool = True

    def begin(self) -> None:
        """Start the clock."""
        self.began_at = time.monotonic()

    def stored(self, content: str, answer: ToolAnswer) -> None:
        """Count one memory_store call that has been answered."""
        self.times_s.append(answer.elapsed_s)
        if answer.error is None and answer.json.get("accepted") is True:
            self.accepted.append(content)
        else:
            self.refused.append(str(answer.error or answer.json.get("error")))

    def searched_early(self, fact: str, answer: ToolAnswer) -> None:
        """Keep what a search said of *fact* while that was still on its way."""
        for write in Pending.model_validate(answer.json).pending:
            if write.content == fact:
                self.early = f"{fact}  (stored {write.age_s:.1f} s ago, still on its way)"

    def seen(self, answer: ToolAnswer) -> None:
        """Take the queue's state from a memory_queue answer."""
        self.queue = QueueState.model_validate(answer.json)

    def logged(self, line: LogLine) -> None:
        """Count a request the plugin sent; remember what is worth showing."""
        if line.event == "attempt.started":
            self.requests += 1
        elif line.event in _SHOWN:
            self.events.append(_sentence(line, time.monotonic() - self.began_at))

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began_at

    def percentile_ms(self, percent: float) -> float:
        """How long memory_store took to answer, in milliseconds."""
        return percentile(self.times_s, percent) * 1000

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what to show, as name and value."""
        oldest = self.queue.oldest_age_s
        yield "stores accepted", str(len(self.accepted))
        yield "store p50", f"{self.percentile_ms(50):.1f} ms"
        yield "store p99", f"{self.percentile_ms(99):.1f} ms"
        yield "waiting", str(self.queue.depth)
        yield "oldest", "-" if oldest is None else f"{oldest:.1f} s"
        yield "delivered", str(self.queue.delivered)
        yield "requests sent", str(self.requests)


def _sentence(line: LogLine, at_s: float) -> str:
    told = line.fields
    what = f"{at_s:5.1f} s  {line.event}  lane {told.get('lane')}, {told.get('jobs')} job(s)"
    if isinstance(duration_s := told.get("duration_s"), int | float):
        what += f", {duration_s * 1000:.0f} ms"
    return what
