"""Which lane may send what, and when."""

import pickle
import random

import pytest

from mem9_async.queue.circuit import EndpointLimits, Endpoints
from mem9_async.queue.lane_state import Limits
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.records import Backlog, FrozenRef
from tests.queue.builders import BASE_URL, ENDPOINT_LIMITS, LIMITS, START
from tests.queue.lane_rig import LaneRig

KIB = 1024


def test_a_lane_sends_after_a_second_of_quiet() -> None:
    """The batch closes when nothing has come for the linger, not before."""
    rig = LaneRig()

    assert rig.append(1) == START + 1.0
    rig.now = START + 0.9
    assert rig.append(1) is None
    rig.now = START + 1.1
    assert rig.start() is None
    assert rig.lanes.wakeup_at(rig.now) == pytest.approx(START + 1.9)
    rig.now = START + 1.9

    assert rig.start_all() == [1]
    rig.deliver(1)
    assert rig.delivered[1] == [1, 2]


def test_a_lane_that_is_never_quiet_sends_after_three_seconds() -> None:
    """At the latest three seconds after the first job, whatever keeps coming."""
    rig, sent_at = LaneRig(), None
    for tenth in range(40):
        rig.now = START + tenth / 10
        if rig.start() is not None:
            sent_at = rig.now
            break
        rig.append(1)

    assert sent_at == pytest.approx(START + 3.0)
    assert len(rig.held[1].sending) == 20


def test_a_full_batch_closes_at_once() -> None:
    """Twenty jobs wait for nobody."""
    rig = LaneRig()
    for _ in range(19):
        rig.append(1)
    assert rig.start() is None

    assert rig.append(1) == rig.now
    assert rig.start_all() == [1]


def test_a_batch_full_in_bytes_closes_at_once() -> None:
    """64 KiB wait for nobody either."""
    rig = LaneRig()
    rig.append(1, size=40 * KIB)
    assert rig.start() is None
    rig.append(1, size=40 * KIB)

    assert rig.start_all() == [1]
    assert len(rig.held[1].sending) == 1


def test_a_job_that_is_waited_for_closes_the_batch_at_once() -> None:
    """`wait: true` takes along whatever waits before it."""
    rig = LaneRig()
    rig.append(1)
    assert rig.append(1, close_now=True) == rig.now

    assert rig.start_all() == [1]
    assert len(rig.held[1].sending) == 2


def test_a_lane_has_one_batch_in_flight() -> None:
    """Order within a lane: the second batch leaves when the first has landed."""
    rig = LaneRig()
    for _ in range(45):
        rig.append(1)

    assert rig.start_all() == [1]
    rig.now += 10.0
    assert rig.start_all() == []
    rig.deliver(1)
    assert rig.start_all() == [1]
    rig.deliver(1)
    rig.now += 1.0
    assert rig.start_all() == [1]
    rig.deliver(1)
    assert rig.delivered[1] == list(range(1, 46))


def test_a_space_has_four_batches_in_flight() -> None:
    """One space never takes more than its share of the connections."""
    rig = LaneRig()
    for lane_id in range(10):
        rig.append(lane_id, close_now=True)

    assert rig.start_all() == [0, 1, 2, 3]
    rig.deliver(2)
    assert rig.start_all() == [4]


def test_all_spaces_together_have_thirty_two_in_flight() -> None:
    """The limit over everything; a landing makes room for one."""
    rig = LaneRig()
    for space_id in range(40):
        rig.append(space_id, space_id, close_now=True)

    assert len(rig.start_all()) == 32
    assert rig.lanes.wakeup_at(rig.now) is None
    rig.deliver(5)
    assert len(rig.start_all()) == 1


def test_spaces_take_turns_whatever_they_have_waiting() -> None:
    """A space with a hundred lanes gets no more turns than one with a single lane."""
    limits = Limits(
        linger_s=1.0,
        linger_max_s=3.0,
        batch_max_jobs=20,
        batch_max_bytes=64 * KIB,
        max_in_flight=1,
        max_in_flight_per_space=4,
    )
    rig, turns = LaneRig(limits), {1: 0, 2: 0, 3: 0}
    for lane_id in range(100):
        rig.append(lane_id, 1, close_now=True)
    for lane_id in (200, 201, 202, 203):
        rig.append(lane_id, 2, close_now=True)
    for lane_id in (300, 301, 302, 303):
        rig.append(lane_id, 3, close_now=True)

    for _ in range(12):
        ready = rig.start()
        assert ready is not None
        turns[ready.space_id] += 1
        rig.deliver(ready.lane_id)

    assert turns == {1: 4, 2: 4, 3: 4}


def test_lanes_of_a_space_take_turns() -> None:
    """A lane that always has something waiting goes to the back after each batch."""
    rig = LaneRig()
    for _ in range(60):
        rig.append(1)
    for lane_id in range(2, 8):
        rig.append(lane_id, close_now=True)

    order = []
    while rig.depth():
        for lane_id in rig.start_all():
            order.append(lane_id)
            rig.deliver(lane_id)
        rig.now += 1.0

    assert order == [1, 2, 3, 4, 5, 6, 7, 1, 1]


def test_a_retry_keeps_its_place_in_the_lane() -> None:
    """What comes later waits behind the batch that failed, however long that takes."""
    rig = LaneRig()
    rig.append(1, close_now=True)
    rig.start_all()
    rig.append(1, close_now=True)
    rig.again(1, after_s=30.0)

    rig.now += 29.0
    assert rig.start_all() == []
    assert rig.lanes.wakeup_at(rig.now) == pytest.approx(START + 30.0)
    rig.now += 1.0
    ready = rig.start()
    assert ready is not None
    assert ready.frozen is not None
    rig.deliver(1)
    assert rig.start_all() == [1]
    rig.deliver(1)
    assert rig.delivered[1] == [1, 2]


def test_halves_go_in_order() -> None:
    """A batch split twice still delivers its jobs as they were accepted."""
    rig = LaneRig()
    for _ in range(20):
        rig.append(1)
    rig.start_all()
    rig.again(1, parts=2)
    rig.start_all()
    rig.again(1, parts=2)
    while rig.depth():
        rig.start_all()
        rig.deliver(1)

    assert rig.delivered[1] == list(range(1, 21))


def test_a_parked_space_is_probed_with_one_batch_when_its_time_comes() -> None:
    """Not with the four that it may have in flight otherwise; a success lets the others go."""
    rig = LaneRig()
    for lane_id in range(10):
        rig.append(lane_id, close_now=True)
    rig.lanes.park(1, START + 60.0)
    rig.append(50, 2, close_now=True)

    assert rig.start_all() == [50]
    assert rig.lanes.wakeup_at(rig.now) == START + 60.0
    rig.now = START + 60.0
    assert rig.start_all() == [0]
    rig.lanes.unpark(1)
    assert rig.start_all() == [1, 2, 3]


def test_a_space_parked_before_its_first_job_waits_too() -> None:
    """A park from an earlier process holds even when nothing of the space was waiting."""
    rig = LaneRig()
    rig.lanes.park(1, START + 60.0)
    rig.append(1, close_now=True)

    assert rig.start_all() == []
    assert rig.lanes.wakeup_at(rig.now) == START + 60.0


def test_a_paused_space_waits_and_the_others_do_not() -> None:
    """Asked to slow down: seconds, for that space alone; the longest request holds."""
    rig = LaneRig()
    rig.append(1, 1, close_now=True)
    rig.append(2, 2, close_now=True)
    rig.lanes.pause(1, START + 5.0)
    rig.lanes.pause(1, START + 2.0)

    assert rig.start_all() == [2]
    rig.now = START + 4.9
    assert rig.start_all() == []
    rig.now = START + 5.0
    assert rig.start_all() == [1]


def test_flush_closes_the_open_batches_of_one_space() -> None:
    """And ends the back-off of what failed; another space keeps lingering."""
    rig = LaneRig()
    rig.append(1, 1, close_now=True)
    rig.start_all()
    rig.again(1, after_s=600.0)
    rig.append(2, 1)
    rig.append(3, 2)
    rig.flush(1)

    assert sorted(rig.start_all()) == [1, 2]
    assert rig.lanes.flush(99, rig.now) == 0


def test_flush_does_not_end_a_park() -> None:
    """What mem9 refused for its quota stays held."""
    rig = LaneRig()
    rig.append(1)
    rig.lanes.park(1, START + 60.0)
    rig.flush(1)
    assert rig.start_all() == []


def test_a_restored_backlog_does_not_linger() -> None:
    """It has waited for company in an earlier process."""
    rig = LaneRig()
    rig.adopt(1, jobs=3)

    assert rig.start_all() == [1]
    rig.deliver(1)
    assert rig.lanes.depth == 0


def test_adopted_jobs_go_before_the_lanes_own() -> None:
    """They were accepted earlier, by the process before."""
    rig = LaneRig()
    rig.append(1)
    rig.adopt(1, jobs=2)
    rig.start_all()
    rig.deliver(1)

    assert rig.delivered[1] == [-2, -1, 1]


def test_a_space_whose_key_is_unknown_waits_until_a_call_brings_it() -> None:
    """Keys may be kept in memory only; a recovered lane then has no address."""
    rig = LaneRig()
    rig.adopt(1, jobs=1)
    rig.lanes.clear()
    held = rig.held[1]
    rig.lanes.restored(Backlog(1, 1, None, 1, 10, held.waiting[0].at, held.waiting[0].at), rig.now)
    assert rig.start_all() == []
    assert rig.lanes.wakeup_at(rig.now) is None

    rig.append(1)
    assert rig.start_all() == [1]


def test_a_spent_retry_budget_does_not_hold_up_first_attempts() -> None:
    """Lanes that have failed wait for their token; their neighbours in the space do not."""
    no_budget = EndpointLimits(
        max_in_flight=32,
        failure_threshold=1_000,
        max_open_s=60.0,
        recovery_doubling_s=10.0,
        budget_ratio=0.0,
        budget_tokens=1.0,
    )
    rig = LaneRig(endpoint_limits=no_budget)
    for lane_id in (1, 2):
        rig.append(lane_id, close_now=True)
    rig.start_all()
    rig.again(1)
    rig.again(2)
    rig.append(3, close_now=True)
    rig.append(4, close_now=True)

    assert rig.start_all() == [1, 3, 4]  # one token: the first retry
    assert rig.lanes.wakeup_at(rig.now) == pytest.approx(START + 120.0)


def test_the_oldest_age_is_that_of_what_still_waits() -> None:
    """Delivered jobs make nobody old: after the first half has gone, the second half's counts."""
    rig = LaneRig()
    rig.append(1)
    rig.now += 0.5
    rig.append(1, close_now=True)
    rig.start_all()
    rig.again(1, parts=2)
    assert rig.lanes.oldest_at(1) == START
    rig.start_all()
    rig.deliver(1)

    assert rig.lanes.oldest_at(1) == START + 0.5
    rig.start_all()
    rig.deliver(1)
    assert rig.lanes.oldest_at(1) is None


def test_nothing_grows_while_one_lane_is_stuck() -> None:
    """Ten thousand batches pass a job that never arrives, and leave no trace."""
    rig = LaneRig()
    rig.append(1, close_now=True)
    rig.start_all()

    def pass_by(batches: int) -> int:
        for number in range(batches):
            rig.append(100 + number, close_now=True)
            rig.start_all()
            rig.deliver(100 + number)
            del rig.held[100 + number]
            rig.now += 0.01
            assert rig.lanes.oldest_at(1) == START
        return len(pickle.dumps(rig.lanes))

    first = pass_by(500)
    assert pass_by(10_000) < 1.2 * first + 4 * KIB


def test_a_space_that_was_parked_and_emptied_is_forgotten() -> None:
    """Spaces come and go; one that has nothing waiting any more costs nothing."""
    rig = LaneRig()
    empty = len(pickle.dumps(rig.lanes))
    for space_id in range(200):
        rig.append(space_id, space_id, close_now=True)
        rig.start_all()
        rig.lanes.park(space_id, rig.now)
        rig.deliver(space_id)
        rig.lanes.unpark(space_id)

    assert len(pickle.dumps(rig.lanes)) < empty + 20_000  # the endpoint remembers who was served
    assert "0 spaces" in repr(rig.lanes)


def test_clear_forgets_everything() -> None:
    """After a crash of the loop the journal tells again what there is."""
    rig = LaneRig()
    rig.append(1, close_now=True)
    rig.start_all()
    rig.append(2)
    rig.lanes.clear()

    assert (rig.lanes.depth, rig.lanes.in_flight, rig.lanes.waiting_bytes) == (0, 0, 0)
    assert rig.start() is None
    assert rig.lanes.wakeup_at(rig.now + 100.0) is None


def test_ten_refusals_make_a_real_endpoint_wait_for_tokens() -> None:
    """With the plugin's own limits the budget of retries holds over all lanes."""
    rig = LaneRig(endpoint_limits=ENDPOINT_LIMITS)
    for lane_id in range(12):
        rig.append(lane_id, lane_id, close_now=True)
    started = rig.start_all()
    for lane_id in started:
        rig.again(lane_id)

    assert len(rig.start_all()) == 10
    assert rig.lanes.wakeup_at(rig.now) == pytest.approx(rig.now + 12.0)


def test_a_fresh_lane_is_woken_in_time_behind_a_retry_without_a_token() -> None:
    """The space's turn begins with a lane that must wait; its neighbour need not."""
    endpoints = Endpoints(ENDPOINT_LIMITS, random.Random(0))
    lanes = Lanes(LIMITS, endpoints)
    for _ in range(10):
        endpoints.admit(BASE_URL, START, retry=True)
    endpoints.abandon_all()
    lanes.appended(1, 1, BASE_URL, 10, START, close_now=True)
    assert lanes.next(START) is not None
    lanes.frozen(1, jobs=1, size=10, oldest_at=START, next_at=None)
    lanes.pause(1, START + 1.0)
    lanes.again(1, (FrozenRef(1, 1, 10, START, START),), START)
    lanes.appended(2, 1, BASE_URL, 10, START, close_now=True)

    assert lanes.next(START) is None
    assert lanes.wakeup_at(START) == START + 1.0
    ready = lanes.next(START + 1.0)
    assert ready is not None
    assert ready.lane_id == 2


def test_spaces_that_were_told_to_slow_down_do_not_pile_up() -> None:
    """They are forgotten when the pause is over and nothing waits, though nobody asks again."""
    endpoints = Endpoints(ENDPOINT_LIMITS, random.Random(0))
    lanes = Lanes(LIMITS, endpoints)
    for space_id in range(1, 2_001):
        now = START + space_id
        lanes.appended(space_id, space_id, BASE_URL, 10, now, close_now=True)
        assert lanes.next(now) is not None
        lanes.frozen(space_id, jobs=1, size=10, oldest_at=now, next_at=None)
        lanes.pause(space_id, now + 5.0)
        lanes.settled(space_id, now, size=10, gone=1)
        endpoints.abandon_all()

    assert len(lanes._spaces) < 600


def test_a_lane_whose_waiting_jobs_have_expired_is_as_old_as_what_it_has_in_flight() -> None:
    """The oldest age is that of a job which is still there."""
    rig = LaneRig()
    rig.adopt(1, jobs=2)
    rig.start_all()
    rig.again(1, parts=2)
    rig.adopt(1)
    rig.start_all()
    rig.deliver(1)
    rig.start_all()
    rig.lanes.oldest_at(1)

    rig.expire(1)

    assert rig.lanes.depth == 1
    assert rig.lanes.oldest_at(1) == rig.oldest_at(1)


def test_the_probes_of_parked_spaces_do_not_use_up_the_retry_budget() -> None:
    """A thousand refused keys on one server: its other spaces retry as if there were none."""
    endpoints = Endpoints(ENDPOINT_LIMITS, random.Random(0))
    lanes = Lanes(LIMITS, endpoints)
    for space_id in range(1, 51):
        lanes.appended(space_id, space_id, BASE_URL, 10, START, close_now=True)
        assert lanes.next(START) is not None
        lanes.frozen(space_id, jobs=1, size=10, oldest_at=START, next_at=None)
        lanes.park(space_id, START + 30.0)
        lanes.again(space_id, (FrozenRef(space_id, 1, 10, START, START),), START)
        endpoints.answered(BASE_URL, START)

    probes = 0
    while lanes.next(START + 30.0) is not None:
        probes += 1
        endpoints.answered(BASE_URL, START + 30.0)
        lanes._rota.in_flight = 0

    assert probes == 50
    assert endpoints.admit(BASE_URL, START + 30.0, retry=True)
