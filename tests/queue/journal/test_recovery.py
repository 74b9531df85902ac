"""What an earlier process left behind is made ready, and nothing of it gets lost."""

import pytest

from mem9_async.models.outcome import ErrorType
from tests.queue.builders import HOUR_S, START, failure, job
from tests.queue.desk import Desk, texts


def _die(desk: Desk, now: float = START) -> int:
    """The process ends as it is, and the next one recovers."""
    desk.reopen()
    return desk.recovery.recover(now, max_due_in_s=HOUR_S)


def _frozen_texts(desk: Desk) -> list[list[str]]:
    refs = [ref for backlog in desk.recovery.backlogs() for ref in backlog.frozen]
    return [texts(desk.restart(ref.row)) for ref in refs]


def test_what_was_in_flight_goes_again_as_the_same_batch(desk: Desk) -> None:
    """It may have arrived: the same bytes, at once, and counted as redelivered."""
    (first, *_) = desk.append(job("a"), job("b"))
    batch = desk.frozen(first.lane_id)

    assert _die(desk, START + 7) == 2

    (backlog,) = desk.recovery.backlogs()
    (ref,) = backlog.frozen
    assert ref.due_at == START + 7
    again = desk.restart(ref.row, START + 7)
    assert again.batch == batch.batch.model_copy(update={"attempt": 2})
    assert again.maybe_sent


def test_a_batch_that_was_not_in_flight_is_not_doubted(desk: Desk) -> None:
    """Only what may have left is counted as redelivered."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    refused = failure(ErrorType.CONNECTION_REFUSED)
    desk.journal.retry(batch.row, refused, due_at=START + 5, costs_attempt=True)

    assert _die(desk) == 0
    assert not desk.restart(batch.row).maybe_sent


@pytest.mark.parametrize(
    ("due_at", "found_at"),
    [
        (START - 1_000.0, START),
        (START + 5.0, START + 5.0),
        (START + 30 * 86_400.0, START + HOUR_S),
        (0.0, START),
        (4_070_908_800.0, START + HOUR_S),  # 2099
    ],
)
def test_due_times_are_clamped_to_what_can_be(desk: Desk, due_at: float, found_at: float) -> None:
    """The wall clock may have jumped while we were away: no storm, and no sleep for years."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    unavailable = failure(ErrorType.UNAVAILABLE)
    desk.journal.retry(batch.row, unavailable, due_at=due_at, costs_attempt=True)
    _die(desk)

    (backlog,) = desk.recovery.backlogs()

    assert [ref.due_at for ref in backlog.frozen] == [found_at]


def test_a_job_in_flight_at_two_deaths_goes_alone(desk: Desk) -> None:
    """It may be what ends the process: its neighbours are not to go down with it again."""
    (first, *_) = desk.append(job("a"), job("b"), job("c"))
    desk.frozen(first.lane_id)
    desk.append(job("waiting"))
    _die(desk)
    assert _frozen_texts(desk) == [["a", "b", "c"]]
    _die(desk)

    assert _frozen_texts(desk) == [["a"], ["b"], ["c"]]
    assert texts(desk.frozen(first.lane_id)) == ["waiting"]
    assert desk.difference() == 0


def test_a_job_in_flight_at_three_deaths_is_set_aside(desk: Desk) -> None:
    """Only that one; those that were not being sent at the third death go on."""
    (first, *_) = desk.append(job("a"), job("killer"), job("c"))
    desk.frozen(first.lane_id)
    _die(desk)
    _frozen_texts(desk)
    _die(desk)
    (backlog,) = desk.recovery.backlogs()
    assert [texts(desk.restart(ref.row)) for ref in backlog.frozen[1:2]] == [["killer"]]
    _die(desk)

    assert _frozen_texts(desk) == [["a"], ["c"]]
    assert desk.journal.counters()["dead"] == 1
    assert [each.error_type for each in desk.stats().last_errors] == ["worker_crash"]
    assert desk.difference() == 0


def test_a_job_that_was_replayed_after_three_deaths_has_three_more(desk: Desk) -> None:
    """A person said: try again. The count starts anew."""
    (first,) = desk.append(job("a"))
    desk.frozen(first.lane_id)
    for _ in range(2):
        _die(desk)
        _frozen_texts(desk)
    _die(desk)
    assert desk.reports.replay(first.space_id, None, START)[0] == 1
    desk.frozen(first.lane_id)
    _die(desk)

    assert _frozen_texts(desk) == [["a"]]


def test_recovering_twice_is_recovering_once(desk: Desk) -> None:
    """A process that is killed during its recovery leaves the same work to the next one."""
    (first, *_) = desk.append(job("a"), job("b"))
    desk.frozen(first.lane_id)
    assert _die(desk) == 2
    assert _die(desk) == 0
    assert _die(desk) == 0

    assert _frozen_texts(desk) == [["a", "b"]]


def test_a_backlog_says_all_that_the_waiting_lines_need(desk: Desk) -> None:
    """Counts, bytes and ages of each lane; dead letters are not part of it."""
    (first, *_) = desk.append(job("aa"), job("b"))
    batch = desk.frozen(first.lane_id, max_jobs=1)
    unavailable = failure(ErrorType.UNAVAILABLE)
    desk.journal.retry(batch.row, unavailable, due_at=START + 2, costs_attempt=True)
    desk.append(job("ccc"), now=START + 5)
    (other,) = desk.append(job("dead", session="conv-2"))
    buried = desk.frozen(other.lane_id)
    desk.journal.bury(buried.row, failure(ErrorType.REJECTED), now=START)

    (backlog,) = desk.recovery.backlogs()

    assert (backlog.waiting, backlog.waiting_bytes) == (2, 4)
    assert (backlog.oldest_at, backlog.newest_at) == (START, START + 5)
    assert [(ref.jobs, ref.size, ref.oldest_at) for ref in backlog.frozen] == [(1, 2, START)]
    assert backlog.endpoint == "http://mem9.test"


def test_backlogs_can_be_asked_for_by_lane(desk: Desk) -> None:
    """After an adoption only the lanes that were touched are told again."""
    accepted = desk.append(*(job("x", session=f"s{number}") for number in range(5)))

    found = desk.recovery.backlogs([accepted[1].lane_id, accepted[3].lane_id, 999])

    assert [backlog.lane_id for backlog in found] == [accepted[1].lane_id, accepted[3].lane_id]
    assert list(desk.recovery.backlogs([])) == []
