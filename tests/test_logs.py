"""Log lines: their keys, and how many there are of a frequent event."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

from mem9_async import logs
from mem9_async.version import VERSION


class _Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Clock]:
    """Time that stands still; structlog as it was, afterwards."""
    clock = _Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    yield clock
    structlog.reset_defaults()


def _configured(level: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    logs.configure(lambda _, text: lines.append(json.loads(text)), level=level, version=VERSION)
    return lines


def test_a_line_says_when_what_and_which_version(clock: _Clock) -> None:
    """The time in UTC, in a form that sorts and that every tool reads."""
    lines = _configured("info")
    before = datetime.now(UTC)
    structlog.get_logger().info("job.accepted", bytes=7, nothing=None)

    (line,) = lines
    at = datetime.fromisoformat(str(line["timestamp"]))
    assert at.utcoffset() is not None
    assert abs((at - before).total_seconds()) < 3_600
    assert list(line)[:3] == ["event", "timestamp", "level"]
    assert (line["level"], line["bytes"], line["version"]) == ("info", 7, VERSION)
    assert "nothing" not in line
    assert "ts" not in line


def test_a_frequent_event_is_sampled_and_says_for_how_many_it_stands(clock: _Clock) -> None:
    """The first hundred of a second, then every hundredth; the next second begins anew."""
    lines = _configured("info")
    log = structlog.get_logger()
    for number in range(1_050):
        log.info("job.accepted", number=number)
        log.info("rare.event") if number == 500 else None
    accepted = [line for line in lines if line["event"] == "job.accepted"]

    assert [line["number"] for line in accepted] == [*range(100), *range(199, 1_050, 100)]
    assert all("sampled" not in line for line in accepted[:100])
    assert {line["sampled"] for line in accepted[100:]} == {100}
    assert [line["event"] for line in lines].count("rare.event") == 1
    clock.now_s += 1.0
    log.info("job.accepted", number=-1)
    assert lines[-1]["number"] == -1


def test_at_debug_every_event_is_written(clock: _Clock) -> None:
    """Whoever asks for all gets all."""
    lines = _configured("debug")
    log = structlog.get_logger()
    for number in range(350):
        log.info("job.accepted", number=number)

    assert [line["number"] for line in lines] == list(range(350))


def test_at_debug_no_warning_is_held_back(clock: _Clock) -> None:
    """Whoever looks for one batch's failures would else not find them."""
    lines = _configured("debug")
    for number in range(30):
        structlog.get_logger().warning("attempt.failed", error_type="dns_error", number=number)

    assert [line["number"] for line in lines] == list(range(30))


def test_records_that_nobody_takes_are_counted_in_a_record_like_the_others() -> None:
    """With the keys by which logs are read."""
    relay = logs.Relay()
    for _ in range(20_003):
        relay.send("info", "{}")
    written: list[tuple[str, str]] = []
    while relay.drain(lambda level, text: written.append((level, text))):
        pass
    level, text = written[-1]
    line = json.loads(text)

    assert len(written) == 20_001
    assert (level, line["event"], line["suppressed"]) == ("warning", "log.suppressed", 3)
    assert list(line)[:3] == ["event", "timestamp", "level"]


def test_warnings_keep_their_ten_seconds(clock: _Clock) -> None:
    """One of a kind, and how many were held back."""
    lines = _configured("info")
    log = structlog.get_logger()
    for _ in range(300):
        log.warning("attempt.failed", error_type="read_timeout")
    clock.now_s += 11.0
    log.warning("attempt.failed", error_type="read_timeout")

    assert [line.get("suppressed") for line in lines] == [None, 299]
