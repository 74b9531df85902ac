"""An event of an agent's run is taken once, also after a restart and after its delivery."""

from pathlib import Path

import pytest

from mem9_async.models.job import NewJob
from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.adoption import Takeover
from tests.queue.builders import START, event, job
from tests.queue.desk import Desk, texts

HOUR_S = 3600.0


def _delivered(desk: Desk, told: NewJob) -> str:
    (first,) = desk.append(told)
    desk.journal.delivered(desk.frozen(first.lane_id).row, redelivered=False)
    return first.job_id


def test_an_event_that_was_delivered_is_known_to_the_next_process(tmp_path: Path) -> None:
    """The job is gone, and its event is answered with it."""
    desk = Desk(tmp_path / "journal.db")
    job_id = _delivered(desk, event("hello", "run:1"))
    desk.reopen()
    (again,) = desk.append(event("hello", "run:1"))

    assert (again.job_id, again.deduplicated) == (job_id, True)
    assert desk.rows() == 0
    assert desk.difference() == 0


def test_an_event_twice_in_one_commit_is_one_job(desk: Desk) -> None:
    """Calls that come together are taken together."""
    first, second = desk.append(event("hello", "run:1"), event("hello", "run:1"))

    assert first.job_id == second.job_id
    assert (first.deduplicated, second.deduplicated) == (False, True)


def test_two_events_with_the_same_words_are_both_taken(desk: Desk) -> None:
    """Somebody says yes twice; of stores, the second would wait already."""
    first, second = desk.append(event("yes", "run:1"), event("yes", "run:2"))

    assert not second.deduplicated
    assert texts(desk.frozen(first.lane_id)) == ["yes", "yes"]


def test_one_event_id_in_two_lanes_is_two_events(desk: Desk) -> None:
    """Nobody can use up another's ids."""
    _, other = desk.append(event("a", "run:1", "run-a"), event("b", "run:1", "run-b"))

    assert not other.deduplicated


def test_a_store_is_no_event(desk: Desk) -> None:
    """Equal content that was delivered is stored again, as ever."""
    _delivered(desk, job("hello", "run"))
    (again,) = desk.append(job("hello", "run"))

    assert not again.deduplicated


def test_an_event_that_was_not_committed_is_not_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told again, it is taken."""

    def breaks(name: str, amount: int) -> None:
        raise JournalError("the disk broke")

    with monkeypatch.context() as broken:
        broken.setattr(desk.journal.file, "count", breaks)
        with pytest.raises(JournalError):
            desk.append(event("hello", "run:1"))
    (again,) = desk.append(event("hello", "run:1"))

    assert not again.deduplicated


def test_what_an_adopted_journal_knew_is_known(tmp_path: Path) -> None:
    """Also of events whose jobs had gone, and before the first of its jobs comes."""
    orphan, desk = Desk(tmp_path / "orphan.db"), Desk(tmp_path / "own.db")
    job_id = _delivered(orphan, event("hello", "run:1"))
    orphan.append(event("more", "run:2"))
    steps = Takeover(desk.journal, orphan.journal).chunks()
    next(steps)
    (early,) = desk.append(event("more", "run:2"))
    for _ in steps:
        pass
    (again,) = desk.append(event("hello", "run:1"))

    assert early.deduplicated
    assert (again.job_id, again.deduplicated) == (job_id, True)
    assert desk.pending() == 1


def test_an_event_is_known_for_a_day_and_no_longer(desk: Desk) -> None:
    """The row goes; the id would be a new event."""
    _delivered(desk, event("hello", "run:1"))
    desk.journal.observed.trim(START + 24 * HOUR_S)
    (known,) = desk.append(event("hello", "run:1"))
    desk.journal.observed.trim(START + 24 * HOUR_S + 1)
    (new,) = desk.append(event("hello", "run:1"))

    assert (known.deduplicated, new.deduplicated) == (True, False)


def test_how_many_are_known_is_bounded(desk: Desk) -> None:
    """The oldest go first."""
    for number in range(4):
        desk.append(event("hello", f"run:{number}"), now=START + number)
    desk.journal.observed.trim(START, most=3)
    held = desk.journal.file.db.execute("SELECT at FROM observed ORDER BY at").fetchall()

    assert held == [(START + 1,), (START + 2,), (START + 3,)]
