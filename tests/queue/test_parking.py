"""Spaces that wait: recorded first, held, probed, and let go by one success."""

import random
from pathlib import Path

import pytest

from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Space
from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.journal.adoption import Takeover
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Decision, Health, Move, Policy
from mem9_async.queue.records import Park
from tests.queue.builders import (
    BASE_URL,
    ENDPOINT_LIMITS,
    HOUR_S,
    LIMITS,
    START,
    WAITS,
    failure,
    job,
    space,
)
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

    assert house.desk.journal.parks.all() == house.parking.all()
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
    assert house.desk.journal.parks.all() == []
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

    again = Parking(house.desk.journal, house.lanes)
    again.restore(START, longest_s=lambda _: HOUR_S)

    (park,) = again.all()
    assert park.until == found
    house.lanes.appended(1, house.space_id, BASE_URL, 1, START - 1.0, close_now=True)
    assert house.lanes.wakeup_at(START - 1.0) == found


@pytest.mark.parametrize(
    ("error_type", "status", "first_s", "second_s"),
    [
        (ErrorType.AUTH, 401, 30.0, 60.0),
        (ErrorType.QUOTA_EXHAUSTED, 402, 900.0, 1_800.0),
        (ErrorType.CONFLICT, 409, 300.0, 600.0),
        (ErrorType.REDIRECT, 302, 3_600.0, 3_600.0),
        (ErrorType.INVALID_RESPONSE, 200, 3_600.0, 3_600.0),
    ],
)
def test_a_park_made_by_a_clock_that_was_years_ahead_keeps_to_its_own_schedule(
    tmp_path: Path, error_type: ErrorType, status: int, first_s: float, second_s: float
) -> None:
    """The right clock is back: the space waits no longer than it would have."""
    policy = Policy(WAITS, random.Random(0))
    ahead = START + 5 * 365 * 86_400.0
    for step, longest_s in ((0, first_s), (1, second_s)):
        house = _House(tmp_path / f"journal-{step}.db")
        refused = failure(error_type, status=status)
        decision = Decision(Move.PARK, Health.ALIVE, after_s=longest_s, reason=str(error_type))
        for _ in range(step + 1):
            house.parking.park(house.space_id, refused, decision, ahead)
            ahead += longest_s
        again = Parking(house.desk.journal, house.lanes)
        again.restore(
            START,
            longest_s=lambda park: policy.longest_park_s(park.reason, park.outcome, park.step),
        )

        (park,) = again.all()
        assert (park.step, park.until, park.parked_at) == (step, START + longest_s, START)


def test_the_servers_own_word_about_a_wait_survives_a_restart() -> None:
    """A denial that named four hours holds for four hours."""
    denied = failure(ErrorType.QUOTA_EXHAUSTED, status=402).model_copy(
        update={"retry_after_s": 4 * HOUR_S}
    )

    longest_s = Policy(WAITS, random.Random(0)).longest_park_s("quota_exhausted", denied, 0)

    assert 4 * HOUR_S <= longest_s <= 4 * HOUR_S + 1.0


def test_a_park_for_a_reason_of_another_version_is_probed_within_the_hour() -> None:
    """A downgrade must not end the start."""
    unknown = Policy(WAITS, random.Random(0)).longest_park_s("of_tomorrow", DENIED, 3)

    assert unknown == HOUR_S


def test_a_refused_probe_on_demand_is_the_same_wait_again(tmp_path: Path) -> None:
    """Asking often makes no wait longer, and none shorter than it would have been."""
    house = _House(tmp_path / "journal.db")
    house.parking.park(house.space_id, DENIED, WAIT, START)
    for seconds in range(10, 90, 10):
        house.parking.probe_now(house.space_id, START + seconds)
        assert house.parking.next_step(house.space_id) == 0
        short = Decision(Move.PARK, Health.ALIVE, after_s=30.0, reason="auth")
        house.parking.park(house.space_id, DENIED, short, START + seconds)

    (park,) = house.parking.all()
    assert (park.step, park.until) == (0, START + 900.0)
    assert house.desk.journal.parks.all() == [park]
    assert house.parking.next_step(house.space_id) == 1


def test_a_probe_that_was_due_anyway_counts_as_a_step(tmp_path: Path) -> None:
    """Somebody asked for it when the wait was over: nothing was jumped."""
    house = _House(tmp_path / "journal.db")
    house.parking.park(house.space_id, DENIED, WAIT, START)
    house.parking.probe_now(house.space_id, START + 901.0)
    house.parking.park(house.space_id, DENIED, WAIT, START + 902.0)

    (park,) = house.parking.all()
    assert (park.step, park.until) == (1, START + 1802.0)


def test_what_is_held_here_is_not_replaced_by_what_the_journal_says(tmp_path: Path) -> None:
    """Restored again, after an adoption: a probe on its way stays one."""
    house = _House(tmp_path / "journal.db")
    house.parking.park(house.space_id, DENIED, WAIT, START)
    house.parking.probe_now(house.space_id, START + 5.0)

    house.parking.restore(START + 6.0, longest_s=lambda _: HOUR_S)

    assert not house.parking.is_parked_beyond(house.space_id, START + 6.0)
    assert house.lanes.next(START + 6.0) is not None


def test_a_space_whose_key_was_not_kept_waits_for_it_and_its_time_does_not_count(
    tmp_path: Path,
) -> None:
    """Shown as such, sent to nobody; the call that brings the key lets one batch go."""
    path = tmp_path / "journal.db"
    desk = Desk(path, persist_keys=False)
    (held,) = desk.append(job("a"))
    desk.reopen()
    lanes = Lanes(LIMITS, Endpoints(ENDPOINT_LIMITS, random.Random(0)))
    parking = Parking(desk.journal, lanes)
    came: list[int] = []

    def known(number: int, of: Space) -> None:
        came.append(number)
        lanes.endpoint_known(number, of.base_url)

    desk.journal.addresses.on_key = known
    for backlog in desk.recovery.backlogs():
        lanes.restored(backlog, START)
    parking.restore(START, longest_s=lambda _: HOUR_S)

    (park,) = desk.journal.parks.all()
    assert park.reason == ErrorType.KEY_MISSING
    assert parking.get(held.space_id) == park
    assert lanes.next(START + HOUR_S) is None
    assert desk.retention.expire(START + 9 * HOUR_S, deadline_s=HOUR_S) == (0, set())

    assert desk.journal.addresses.find_space(space()) == held.space_id
    assert came == [held.space_id]
    assert lanes.next(START + HOUR_S) is not None
    assert parking.next_step(held.space_id) == 0
    parking.resume(held.space_id, START + HOUR_S)
    assert desk.retention.expire(START + 1.5 * HOUR_S, deadline_s=HOUR_S) == (0, set())


@pytest.mark.parametrize(("held", "used", "parks"), [(1, False, 1), (1, True, 0), (0, False, 0)])
def test_an_adopted_park_holds_only_what_came_with_it(held: int, used: bool, parks: int) -> None:
    """Not a space that is in use here, nor one that has nothing left to hold."""
    own, orphan = Desk(None), Desk(None)
    (gone, *_) = orphan.append(job("gone"), *(job(f"held {number}") for number in range(held)))
    batch = orphan.frozen(gone.lane_id, max_jobs=1)
    orphan.journal.bury(batch.row, DENIED, now=START)
    refused = Park(gone.space_id, "quota_exhausted", START, START + 900.0, 3, DENIED)
    orphan.journal.parks.put(refused)
    if used:
        own.append(job("mine"))

    for _ in Takeover(own.journal, orphan.journal).chunks():
        assert len(own.journal.parks.all()) == parks
    assert len(own.journal.parks.all()) == parks
