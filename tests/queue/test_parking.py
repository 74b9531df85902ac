"""Spaces that wait: recorded first, held, probed, and let go by one success."""

import random
from pathlib import Path

import pytest

from mem9_async.models.outcome import ErrorType
from mem9_async.queue.endpoints import Endpoints
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Health, Move
from tests.queue.builders import BASE_URL, ENDPOINT_LIMITS, HOUR_S, LIMITS, START, failure, space
from tests.queue.desk import Desk

DENIED = failure(ErrorType.QUOTA_EXHAUSTED, status=402)
WAIT = Decision(Move.PARK, Health.ALIVE, after_s=900.0, reason="quota_exhausted")


class _House:
    """A journal and its lanes, with one space that has something waiting."""

    def __init__(self, path: Path | None = None) -> None:
        self.desk = Desk(path)
        self.lanes = Lanes(LIMITS, Endpoints(ENDPOINT_LIMITS, random.Random(0)))
        self.parking = Parking(self.desk.journal, self.lanes)
        self.space_id = self.desk.journal.addresses.know_space(space())
        self.lanes.appended(1, self.space_id, BASE_URL, 10, START, close_now=True)


def test_a_park_is_in_the_journal_before_it_holds() -> None:
    """It is found there by the next process, and lanes and observers see the same time."""
    house = _House()
    house.parking.park(house.space_id, DENIED, WAIT, START)

    assert house.desk.journal.parks() == house.parking.all()
    assert house.parking.is_parked_beyond(house.space_id, START + 899.0)
    assert not house.parking.is_parked_beyond(house.space_id, START + 900.0)
    assert house.lanes.next(START + 1.0) is None


def test_a_refusal_of_what_was_already_on_its_way_changes_nothing() -> None:
    """Neither the wait nor the step."""
    house = _House()
    for seconds in (0.0, 1.0, 2.0, 3.0):
        house.parking.park(house.space_id, DENIED, WAIT, START + seconds)

    (park,) = house.parking.all()
    assert (park.until, park.step) == (START + 900.0, 0)


def test_a_refused_probe_is_the_next_step_of_the_same_park() -> None:
    """Since when the space waits is not forgotten."""
    house = _House()
    house.parking.park(house.space_id, DENIED, WAIT, START)
    assert house.parking.next_step(house.space_id) == 1
    house.parking.park(house.space_id, DENIED, WAIT, START + 901.0)

    (park,) = house.parking.all()
    assert (park.parked_at, park.until, park.step) == (START, START + 1_801.0, 1)


def test_one_success_ends_it_everywhere() -> None:
    """In the journal, in the lanes, and in what comes next: the steps start anew."""
    house = _House()
    house.parking.park(house.space_id, DENIED, WAIT, START)

    assert house.parking.resume(house.space_id, START + 5.0)
    assert not house.parking.resume(house.space_id, START + 6.0)

    assert house.parking.get(house.space_id) is None
    assert house.desk.journal.parks() == []
    assert house.parking.next_step(house.space_id) == 0
    assert house.lanes.next(START + 5.0) is not None


def test_a_probe_at_once_ends_the_wait_but_not_the_park() -> None:
    """One batch may go; what it comes to decides about the rest."""
    house = _House()
    house.parking.park(house.space_id, DENIED, WAIT, START)
    house.parking.probe_now(house.space_id, START + 5.0)
    house.parking.probe_now(99, START + 5.0)

    assert not house.parking.is_parked_beyond(house.space_id, START + 5.0)
    assert house.parking.get(house.space_id) is not None
    assert house.lanes.next(START + 5.0) is not None


@pytest.mark.parametrize(
    ("until", "found"),
    [
        (START - 5.0, START),
        (START + 60.0, START + 60.0),
        (START + 365 * 86_400.0, START + HOUR_S),
        (0.0, START),
    ],
)
def test_a_restored_park_is_clamped_against_clock_jumps(
    tmp_path: Path, until: float, found: float
) -> None:
    """For the lanes and for the decision about the next refusal alike."""
    house = _House(tmp_path / "journal.db")
    house.parking.park(house.space_id, DENIED, WAIT, START)
    house.desk.journal.file.db.execute("UPDATE parks SET until = ?", (until,))

    house.parking.restore(START, max_s=HOUR_S)

    (park,) = house.parking.all()
    assert park.until == found
    house.lanes.appended(1, house.space_id, BASE_URL, 1, START - 1.0, close_now=True)
    assert house.lanes.wakeup_at(START - 1.0) == found
