"""What the queue writes to its log: who, what, how much; never what was said, never a key."""

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from mem9_async.models.outcome import ErrorType, Outcome
from tests.queue.builders import KEY, failure, job, pinned
from tests.queue.rack import TAKEN, Answer, Rack, always, first, refusing
from tests.queue.virtual import run

CONTENT = "canary content"
REFUSED = failure(ErrorType.CONNECTION_REFUSED)
DENIED = failure(ErrorType.QUOTA_EXHAUSTED, status=402)
SAID = failure(ErrorType.REJECTED, status=400).model_copy(
    update={"detail": f"{CONTENT} is not allowed for {KEY}"}
)


def _events(answer: Answer, *, seconds: float = 5.0) -> list[MutableMapping[str, Any]]:
    """Everything that is logged about three jobs in one batch and a pinned one."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))

    async def main() -> None:
        rack = Rack(answer)
        async with rack.running():
            rack.accept(*(job(f"{CONTENT} {number}") for number in range(3)), wait=True)
            await asyncio.sleep(0.001)
            rack.accept(pinned(f"{CONTENT} P"), wait=True)
            await asyncio.sleep(seconds)

    with capture_logs() as logged:
        run(main())
    return logged


def test_a_batchs_life_is_told_step_by_step() -> None:
    """Frozen, started, delivered: one line each, all naming the same batch and lane."""
    logged = _events(always(TAKEN))

    mine = [event for event in logged if event.get("jobs") == 3]
    assert [event["event"] for event in mine] == [
        "batch.frozen",
        "attempt.started",
        "batch.delivered",
    ]
    assert mine[-1]["log_level"] == "info"
    told = {"job_ids", "bytes", "attempt", "http_status", "duration_s", "queue_age_s"}
    assert {*told, "redelivered", "jobs"} <= mine[-1].keys()
    assert len({event["batch_id"] for event in mine}) == 1
    assert len({event["lane"] for event in mine}) == 1
    assert all(len(event["space"]) == 8 for event in mine)


@pytest.mark.parametrize(
    ("outcomes", "seconds", "expected"),
    [
        ([REFUSED], 5.0, {"attempt.failed", "retry.scheduled"}),
        ([REFUSED] * 9, 900.0, {"circuit.opened", "circuit.closed"}),
        (
            [failure(ErrorType.QUOTA_EXHAUSTED, status=402)],
            950.0,
            {"space.parked", "space.resumed"},
        ),
        ([SAID] * 9, 60.0, {"batch.split", "job.dead_lettered", "attempt.failed"}),
    ],
    ids=["retry", "circuit", "park", "dead letter"],
)
def test_trouble_is_told_by_name(
    outcomes: list[Outcome], seconds: float, expected: set[str]
) -> None:
    """Each step that matters to an operator has its event, above debug."""
    logged = _events(first(*outcomes), seconds=seconds)

    assert expected <= {event["event"] for event in logged}
    loud = {event["event"]: event["log_level"] for event in logged}
    assert loud.get("job.dead_lettered", "error") == "error"
    assert loud.get("space.parked", "warning") == "warning"
    assert loud.get("circuit.opened", "warning") == "warning"


@pytest.mark.parametrize(
    "answer",
    [always(TAKEN), always(SAID), always(REFUSED), refusing("1", SAID)],
    ids=["taken", "refused", "unreachable", "poison"],
)
def test_no_line_holds_content_or_a_key(answer: Answer) -> None:
    """At debug level, and with a server that quotes both in its answer."""
    logged = _events(answer, seconds=60.0)

    assert len(logged) > 5
    text = repr(logged)
    assert CONTENT not in text
    assert KEY not in text
    assert "conv-1" not in text
