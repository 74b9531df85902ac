"""Structured logs: one JSON object a line, written on the hub's thread only.

stdout is Dify's protocol. A line written from another thread lands inside a message and
breaks it (docs/reference/dify-plugin.md, 3), so background code hands its records to a relay, and
a greenlet of the hub writes them. Never content, never a key: events carry keyed hashes and counts.
"""

import logging
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from pydantic_core import to_json
from structlog.typing import Processor

from mem9_async.boot import BOOT_ID

_MAX_LINE_BYTES = 4096
_MAX_RELAYED = 20_000
_REPEAT_WINDOW_S = 10.0
_SAMPLE_FIRST = 100  # a second, of each event
_SAMPLE_THEN = 100
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]


class Writer(Protocol):
    """Where finished records go: a level name and a JSON text."""

    def __call__(self, level: str, message: str) -> None:
        """Write one record; called on the thread that owns the output."""


class Relay:
    """Carries records from any thread to the one that may write them.

    `send` never waits: when nobody takes the records, the newest are counted and dropped.
    """

    def __init__(self) -> None:
        self._records: deque[tuple[str, str]] = deque()
        self._dropped = 0
        self._wake: Callable[[], None] = lambda: None

    def attach(self, wake: Callable[[], None]) -> None:
        """Call *wake* (from any thread) whenever there is something to drain."""
        self._wake = wake
        if self._records:
            wake()

    def send(self, level: str, message: str) -> None:
        """Hand over one record."""
        if len(self._records) >= _MAX_RELAYED:
            self._dropped += 1
            return
        first = not self._records
        self._records.append((level, message))
        if first:
            self._wake()

    def drain(self, write: Writer, limit: int = 200) -> bool:
        """Write up to *limit* records; return True when more wait."""
        for _ in range(limit):
            if not self._records:
                break
            write(*self._records.popleft())
        if self._dropped and not self._records:
            dropped, self._dropped = self._dropped, 0
            record = {**_first_keys("log.suppressed", "warning"), "suppressed": dropped}
            write("warning", to_json({**record, "boot_id": BOOT_ID}).decode())
        return bool(self._records)


class _RepeatLimit:
    """Lets one warning or error of a kind through in ten seconds, with a count of the rest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[tuple[object, object], tuple[float, int]] = {}

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        if _LEVELS.get(method, 0) < _LEVELS["warning"]:
            return event
        kind = (event.get("event"), event.get("error_type"))
        now = self._clock()
        since, suppressed = self._seen.get(kind, (float("-inf"), 0))
        if now - since < _REPEAT_WINDOW_S:
            self._seen[kind] = (since, suppressed + 1)
            raise structlog.DropEvent
        self._seen[kind] = (now, 0)
        if suppressed:
            event["suppressed"] = suppressed
        return event


class _Sample:
    """Lets the first hundred of an event in a second through, then one for every hundred.

    A busy plugin writes a bounded number of lines a second, a quiet one every line. `sampled` on
    a line says how many events it stands for.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = 0
        self._counts: Counter[object] = Counter()

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        if method != "info":
            return event
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._counts.clear()
        name = event.get("event")
        self._counts[name] += 1
        beyond = self._counts[name] - _SAMPLE_FIRST
        if beyond <= 0:
            return event
        if beyond % _SAMPLE_THEN:
            raise structlog.DropEvent
        event["sampled"] = _SAMPLE_THEN
        return event


class _Output:
    def __init__(self, send: Callable[[str, str], None]) -> None:
        self._send = send

    def msg(self, level: str, message: str) -> None:
        self._send(level, message)

    debug = info = warning = error = critical = msg


def _first_keys(event: object, level: str) -> dict[str, object]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"event": event, "timestamp": now, "level": level}


def _render(
    boot_id: str, version: str
) -> Callable[[object, str, Event], tuple[tuple[str, str], dict[str, object]]]:
    def render(
        logger: object, method: str, event: Event
    ) -> tuple[tuple[str, str], dict[str, object]]:
        record = _first_keys(event.pop("event"), method)
        record.update((name, value) for name, value in event.items() if value is not None)
        record["boot_id"] = boot_id
        record["version"] = version
        text = to_json(record, fallback=str).decode()
        if len(text) > _MAX_LINE_BYTES:
            kept = {name: value for name, value in record.items() if len(str(value)) < 200}
            text = to_json({**kept, "truncated": True}, fallback=str).decode()
        return (method, text), {}

    return render


def configure(send: Callable[[str, str], None], *, level: str, version: str) -> None:
    """Send every event of at least *level* to *send(level, json)* from now on.

    At debug all are sent; else frequent ones of level info are sampled, and of a warning or an
    error that repeats itself one in ten seconds is sent.
    """
    limits: list[Processor] = []
    if level != "debug":
        limits = [_RepeatLimit(time.monotonic), _Sample(time.monotonic)]
    structlog.configure(
        processors=[*limits, _render(BOOT_ID, version)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *args: _Output(send),
        cache_logger_on_first_use=True,
    )


def plugin_writer() -> Writer:
    """The writer for a plugin process: the SDK's log line on stdout. Hub thread only."""
    from dify_plugin.config.logger_format import DifyPluginLoggerFormatter

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(DifyPluginLoggerFormatter())

    def write(level: str, message: str) -> None:
        record = logging.LogRecord("mem9_async", _LEVELS.get(level, 20), "", 0, message, None, None)
        handler.emit(record)

    return write
