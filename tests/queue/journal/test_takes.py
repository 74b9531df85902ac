"""What mem9 has taken stays in the journal until it is seen, given up, or lost."""

from pathlib import Path

import pytest

from mem9_async.models.job import JobState
from mem9_async.queue.journal.takes import Takes
from tests.queue.builders import START, job
from tests.queue.desk import Desk, texts


@pytest.fixture
def desk() -> Desk:
    """A journal in memory."""
    return Desk(None)


def _taken(desk: Desk, *contents: str, session: str = "conv-1") -> int:
    (first, *_) = desk.append(*(job(content, session=session) for content in contents))
    batch = desk.frozen(first.lane_id)
    desk.journal.delivered(batch.row, redelivered=False, taken_at=START + 5)
    return batch.row


def test_a_take_is_delivered_and_still_here(desk: Desk) -> None:
    """It waits no longer, is counted as delivered, and is told as taken."""
    row = _taken(desk, "one", "two")
    (take,) = Takes(desk.journal).all(START)

    assert (take.row, take.taken_at, take.resends) == (row, START + 5, 0)
    assert [payload.text for payload in take.batch.payloads] == ["one", "two"]
    assert desk.journal.counters() == {"accepted": 2, "delivered": 2}
    assert list(desk.recovery.backlogs()) == []
    assert desk.stats().counts[JobState.TAKEN] == 2
    assert desk.difference() == 0


@pytest.mark.parametrize("end", ["remembered", "unconfirmed"])
def test_an_end_forgets_it_and_counts(desk: Desk, end: str) -> None:
    """Once."""
    row = _taken(desk, "one", "two")
    takes = Takes(desk.journal)
    takes.ended([row], end, START + 9)
    takes.ended([row], end, START + 9)

    assert takes.all(START) == []
    assert desk.journal.counters()[end] == 2
    assert desk.stats().counts[JobState.TAKEN] == 0


def test_a_lost_one_goes_again_first_in_its_lane(desk: Desk) -> None:
    """The same batch, counted as lost and not as delivered; its next take knows of the first."""
    row = _taken(desk, "one", "two")
    desk.append(job("three"))
    takes = Takes(desk.journal)
    lanes = takes.lost([row], "server_restarted", START + 100)

    (backlog,) = desk.recovery.backlogs()
    assert {backlog.lane_id} == lanes
    again = desk.restart(backlog.frozen[0].row)
    assert again is not None
    assert (texts(again), again.maybe_sent) == (["one", "two"], True)
    counters = desk.journal.counters()
    assert (counters["delivered"], counters["lost_and_sent_again"]) == (0, 2)
    assert desk.difference() == 0
    desk.journal.delivered(again.row, redelivered=True, taken_at=START + 200)
    (take,) = takes.all(START)
    assert (take.taken_at, take.first_taken_at, take.resends) == (START + 200, START + 5, 1)


def test_a_restart_goes_on_watching(tmp_path: Path) -> None:
    """What was taken is not sent again by that."""
    path = tmp_path / "journal.db"
    desk = Desk(path)
    _taken(desk, "one")
    desk.journal.close()
    desk = Desk(path)
    desk.recovery.recover(START + 10, max_due_in_s=60)

    assert list(desk.recovery.backlogs()) == []
    assert [take.batch.payloads[0].text for take in Takes(desk.journal).all(START)] == ["one"]
    assert desk.difference() == 0


def test_a_take_whose_row_is_gone_is_watched_anew(desk: Desk) -> None:
    """Damage has taken it: nothing is sent again for that, and nothing stays for ever."""
    row = _taken(desk, "one")
    desk.journal.file.db.execute("DELETE FROM takes")
    desk.recovery.recover(START + 10, max_due_in_s=60)
    (take,) = Takes(desk.journal).all(START)

    assert (take.row, take.resends) == (row, 0)
    assert list(desk.recovery.backlogs()) == []


def test_one_that_cannot_be_opened_is_let_go(desk: Desk) -> None:
    """mem9 has taken it: that is no loss."""
    _taken(desk, "one")
    desk.journal.file.db.execute("UPDATE jobs SET sealed = x'00'")

    assert Takes(desk.journal).all(START) == []
    assert desk.journal.counters()["unconfirmed"] == 1
