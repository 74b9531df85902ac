"""A state that was changed on the disk hides no job."""

import pytest

from mem9_async.models.job import JobState
from mem9_async.models.outcome import ErrorType
from mem9_async.queue.journal.repair.consistency import mend
from tests.queue.builders import HOUR_S, START, failure, job
from tests.queue.desk import Desk, texts


def _recovered(desk: Desk) -> list[str]:
    """Start anew; everything that can be sent."""
    desk.reopen()
    desk.recovery.recover(START, max_due_in_s=HOUR_S)
    sent: list[str] = []
    for backlog in list(desk.recovery.backlogs()):
        for ref in backlog.frozen:
            sent += texts(desk.restart(ref.row))
        while (batch := desk.freeze(backlog.lane_id)) is not None:
            sent += texts(batch)
    return sorted(sent)


@pytest.mark.parametrize("state", [1, 2, 3, 4, 5, 8, -1])
def test_a_waiting_job_waits_again(desk: Desk, state: int) -> None:
    """Neither ended nor in a batch: it waits, whatever its state says."""
    desk.append(job("a"), job("b"))
    desk.journal.file.db.execute("UPDATE jobs SET state = ? WHERE seq % 2 = 0", (state,))

    assert _recovered(desk) == ["a", "b"]
    assert desk.difference() == 0


@pytest.mark.parametrize("state", [0, 3, 4, 5])
def test_a_job_in_a_batch_is_sent_with_it_once(desk: Desk, state: int) -> None:
    """The batch is whole again."""
    (first, *_) = desk.append(job("a"), job("b"))
    batch = desk.frozen(first.lane_id)
    refused = failure(ErrorType.UNAVAILABLE)
    desk.journal.retry(batch.row, refused, due_at=START, costs_attempt=True)
    desk.journal.file.db.execute("UPDATE jobs SET state = ? WHERE seq % 2 = 0", (state,))

    assert _recovered(desk) == ["a", "b"]


@pytest.mark.parametrize("change", ["state = 6", "lane_id = 999", "batch_row = 77"])
def test_a_batch_whose_row_was_changed_does_not_hide_its_jobs(desk: Desk, change: str) -> None:
    """Its state, its lane, its number."""
    (first, *_) = desk.append(job("a"), job("b"))
    batch = desk.frozen(first.lane_id)
    refused = failure(ErrorType.UNAVAILABLE)
    desk.journal.retry(batch.row, refused, due_at=START, costs_attempt=True)
    desk.journal.file.db.execute("PRAGMA foreign_keys = OFF")
    desk.journal.file.db.execute(f"UPDATE batches SET {change}")  # noqa: S608

    assert _recovered(desk) == ["a", "b"]


def test_a_dead_letter_stays_one(desk: Desk) -> None:
    """It has a time of its end."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.bury(batch.row, failure(ErrorType.REJECTED), now=START)

    assert _recovered(desk) == []
    assert desk.stats().counts[JobState.DEAD] == 1

    desk.journal.file.db.execute("UPDATE jobs SET state = 0")

    assert _recovered(desk) == []
    assert desk.stats().counts[JobState.DEAD] == 1


def test_jobs_whose_space_is_gone_are_set_aside(desk: Desk) -> None:
    """Its key is not just unknown for now: nobody will ever bring it."""
    desk.append(job("a"), job("b"))
    desk.journal.file.db.execute("PRAGMA foreign_keys = OFF")
    desk.journal.file.db.execute("DELETE FROM spaces")

    assert _recovered(desk) == []
    assert desk.journal.counters()["dead"] == 2


def test_a_healthy_journal_is_left_alone(desk: Desk) -> None:
    """Nothing is mended where nothing is wrong."""
    (first, *_) = desk.append(*(job(f"{n}") for n in range(30)))
    desk.frozen(first.lane_id)

    with desk.journal.file.transaction():
        assert mend(desk.journal.file) == 0
