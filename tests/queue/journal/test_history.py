"""What happened to a job is told after it has gone, after a restart and after an adoption."""

from pathlib import Path

import pytest

from mem9_async.models.history import Attempt, Step, StepKind
from mem9_async.models.outcome import ErrorType
from mem9_async.queue.journal.adoption import Takeover
from mem9_async.queue.journal.takes import Takes
from tests.queue.builders import START, failure, job
from tests.queue.desk import Desk

HOUR_S = 3600.0


def _attempt(number: int, *, status: int | None = 202, error: str | None = None) -> Attempt:
    return Attempt(number, START + number, 0.25, status, error)


def _kinds(desk: Desk, job_id: str) -> list[str]:
    steps, _, _ = desk.journal.history.of(bytes.fromhex(job_id))
    return [str(step.kind) for step in steps]


def _delivered_at_last(desk: Desk, reference: str | None = None) -> str:
    wanted = job("one").model_copy(update={"reference": reference})
    (first,) = desk.append(wanted)
    batch = desk.frozen(first.lane_id)
    desk.journal.retry(
        batch.row,
        failure(ErrorType.UNAVAILABLE),
        due_at=START + 60,
        costs_attempt=True,
        attempt=_attempt(1, status=503, error="unavailable"),
    )
    desk.journal.restart(batch.row, START + 60)
    desk.journal.delivered(batch.row, redelivered=False, attempt=_attempt(2))
    return first.job_id


def test_every_attempt_of_a_job_that_has_gone_is_told(tmp_path: Path) -> None:
    """With what it came to, and when the next was due; also by the next process."""
    desk = Desk(tmp_path / "journal.db")
    job_id = _delivered_at_last(desk)
    desk.reopen()
    steps, place, reference = desk.journal.history.of(bytes.fromhex(job_id))

    assert [step.kind for step in steps] == [StepKind.RETRY, StepKind.DELIVERED]
    assert [step.attempt for step in steps] == [
        _attempt(1, status=503, error="unavailable"),
        _attempt(2),
    ]
    assert steps[0].next_at == START + 60
    assert place is not None
    assert all(len(name) == 8 for name in place)
    assert reference is None


def test_a_reference_finds_what_has_gone_and_what_waits(tmp_path: Path) -> None:
    """Only whole references match."""
    desk = Desk(tmp_path / "journal.db")
    gone = _delivered_at_last(desk, "run-1")
    (waits,) = desk.append(job("two").model_copy(update={"reference": "run-1"}))
    desk.append(job("three").model_copy(update={"reference": "run-11"}))
    desk.reopen()
    history = desk.journal.history

    assert [each.hex() for each in history.referring("run-1")] == [waits.job_id, gone]
    assert history.of(bytes.fromhex(gone))[2] == "run-1"
    assert history.referring("run") == []


def test_a_dead_letter_that_comes_back_keeps_its_past(tmp_path: Path) -> None:
    """Dead, replayed, delivered."""
    desk = Desk(tmp_path / "journal.db")
    (first,) = desk.append(job("one"))
    refused = failure(ErrorType.REJECTED, status=400)
    desk.journal.bury(desk.frozen(first.lane_id).row, refused, now=START, attempt=_attempt(1))
    desk.reports.replay(first.space_id, None, START + 5)
    desk.journal.delivered(
        desk.frozen(first.lane_id).row,
        redelivered=False,
        attempt=Attempt(1, START + 9, 0.1, 202),
    )

    assert _kinds(desk, first.job_id) == ["dead", "replayed", "delivered"]


@pytest.mark.parametrize("end", ["remembered", "unconfirmed"])
def test_what_became_of_a_take_is_its_end(desk: Desk, end: str) -> None:
    """Delivered, and then what was seen of it."""
    (first,) = desk.append(job("one"))
    row = desk.frozen(first.lane_id).row
    desk.journal.delivered(row, redelivered=False, taken_at=START, attempt=_attempt(1))
    Takes(desk.journal).lost([row], "restarted", START + 3)
    desk.journal.restart(row, START + 4)
    desk.journal.delivered(
        row, redelivered=True, taken_at=START + 5, attempt=Attempt(1, START + 5, 0.1, 202)
    )
    Takes(desk.journal).ended([row], end, START + 9)

    assert _kinds(desk, first.job_id) == ["delivered", "lost", "delivered", end]


def test_a_death_during_an_attempt_and_a_deadline_are_told(tmp_path: Path) -> None:
    """Interrupted by the one, a dead letter by the other."""
    desk = Desk(tmp_path / "journal.db")
    (first,) = desk.append(job("one"))
    desk.frozen(first.lane_id)
    desk.reopen()
    desk.recovery.recover(START + 1, max_due_in_s=60)
    desk.retention.expire(START + 2 * HOUR_S, deadline_s=HOUR_S)

    assert _kinds(desk, first.job_id) == ["interrupted", "dead"]


def test_an_adopted_job_brings_its_past_along(tmp_path: Path) -> None:
    """Also one that has gone, and its reference; twice copied is told once."""
    orphan, desk = Desk(tmp_path / "orphan.db"), Desk(tmp_path / "own.db")
    gone = _delivered_at_last(orphan, "run-1")
    (waits,) = orphan.append(job("two").model_copy(update={"reference": "run-1"}))
    for _ in range(2):
        for _ in Takeover(desk.journal, orphan.journal).chunks():
            pass

    assert _kinds(desk, gone) == ["retry", "delivered"]
    assert {each.hex() for each in desk.journal.history.referring("run-1")} == {waits.job_id, gone}


def test_it_is_bounded(desk: Desk) -> None:
    """The oldest rows go."""
    for number in range(5):
        desk.journal.history.add(Step(StepKind.DISCARDED, START + number), [bytes(16)], 1)
    desk.journal.history.trim(2)
    steps, _, _ = desk.journal.history.of(bytes(16))

    assert [step.at for step in steps] == [START + 3, START + 4]


@pytest.fixture
def desk() -> Desk:
    """A journal in memory."""
    return Desk(None)
