"""What is decided is carried out: in the journal, in the lines, towards mem9 and the observer."""

import asyncio
from pathlib import Path

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.queue.endpoints import CircuitState
from mem9_async.queue.journal import JournalError, JournalFull
from mem9_async.queue.policy import Move
from tests.queue.builders import BASE_URL, HOUR_S, KEY, START, failure, job, pinned
from tests.queue.rack import TAKEN, Rack, always, first, refusing
from tests.queue.virtual import run

UNAVAILABLE = failure(ErrorType.UNAVAILABLE, status=503, maybe_sent=True)
SERVER_ERROR = failure(ErrorType.SERVER_ERROR, status=500, maybe_sent=True)
GATEWAY_TIMEOUT = failure(ErrorType.GATEWAY_TIMEOUT, status=504, maybe_sent=True)
REJECTED = failure(ErrorType.REJECTED, status=400)
TOO_LARGE = failure(ErrorType.TOO_LARGE, status=413)
DENIED = failure(ErrorType.QUOTA_EXHAUSTED, status=402)
BAD_KEY = failure(ErrorType.AUTH, status=400)
SLOWER = failure(ErrorType.RATE_LIMITED, status=429)
REFUSED = failure(ErrorType.CONNECTION_REFUSED)


def _parked(rack: Rack, space_id: int) -> float:
    """Seconds until the space's park is over."""
    park = rack.parking.get(space_id)
    assert park is not None
    return park.until - rack.clock.now()


def test_a_batch_is_sent_once_it_has_lingered_and_is_then_gone() -> None:
    """The plain case: a second of quiet, one request, nothing left, one event."""

    async def main() -> None:
        rack = Rack(always(TAKEN))
        async with rack.running():
            rack.accept(job("a"), job("b"))
            await rack.drained(within_s=2.0)

        (request,) = rack.sink.requests
        assert request.texts == ["a", "b"]
        assert request.at == pytest.approx(START + 1.0, abs=0.01)
        assert rack.moves() == [Move.DELIVER]
        assert rack.desk.rows() == 0
        assert rack.desk.journal.counters()["delivered"] == 2
        assert rack.desk.difference() == 0

    run(main())


def test_a_failed_batch_goes_again_with_the_same_bytes() -> None:
    """Retry: one attempt more, counted as redelivered since it may have arrived."""

    async def main() -> None:
        rack = Rack(first(UNAVAILABLE, UNAVAILABLE))
        async with rack.running():
            rack.accept(job("a"), wait=True)
            await asyncio.sleep(0.0001)
            rack.accept(job("b"))
            await rack.drained(within_s=20.0)

        assert [each.texts for each in rack.sink.requests] == [["a"], ["a"], ["a"], ["b"]]
        assert [each.batch.attempt for each in rack.sink.requests] == [1, 2, 3, 1]
        assert len({each.batch.batch_id for each in rack.sink.requests[:3]}) == 1
        assert rack.moves() == [Move.RETRY, Move.RETRY, Move.DELIVER, Move.DELIVER]
        assert rack.desk.journal.counters()["redelivered"] == 1

    run(main())


@pytest.mark.parametrize("bad", range(20))
@pytest.mark.parametrize("outcome", [REJECTED, TOO_LARGE], ids=["400", "413"])
def test_one_refused_job_of_twenty_costs_nine_requests(bad: int, outcome: Outcome) -> None:
    """Halving finds it wherever it stands; the nineteen arrive in order, at once."""

    async def main() -> None:
        rack = Rack(refusing(f"job {bad:02}", outcome))
        async with rack.running():
            rack.accept(*(job(f"job {number:02}") for number in range(20)))
            await rack.drained(within_s=60.0)

        arrived = [text for each in rack.sink.taken() for text in each.texts]
        assert arrived == [f"job {number:02}" for number in range(20) if number != bad]
        assert len(rack.sink.requests) - 1 <= 9
        assert rack.desk.journal.counters()["dead"] == 1
        assert rack.desk.difference() == 0
        assert set(rack.moves()) == {Move.SPLIT, Move.BURY, Move.DELIVER}

    run(main())


@pytest.mark.parametrize("bad", [0, 1, 7, 10, 19])
def test_one_job_of_twenty_that_always_ends_in_a_500_is_found_too(bad: int) -> None:
    """500 may be an outage: others must get through first. Then it is the same search."""

    async def main() -> None:
        rack = Rack(refusing(f"job {bad:02}", SERVER_ERROR))
        async with rack.running():
            accepted = rack.accept(*(job(f"job {number:02}") for number in range(20)))
            for second in range(90):
                rack.accept(job(f"healthy {second}", session="conv-2"))
                await asyncio.sleep(1.0)
                if not rack.lanes.lane_depth(accepted[0].lane_id):
                    break
            blocked_s = rack.clock.now() - START

        mine = [each for each in rack.sink.requests if "healthy" not in each.texts[0]]
        arrived = [text for each in mine if each.outcome == TAKEN for text in each.texts]
        assert arrived == [f"job {number:02}" for number in range(20) if number != bad]
        assert rack.desk.journal.counters()["dead"] == 1
        assert len(mine) - 1 <= 12
        assert blocked_s <= 60.0

    run(main())


def test_a_500_for_everybody_makes_no_dead_letter() -> None:
    """An hour of outage: everything is still there, and arrives in order afterwards."""

    async def main() -> None:
        down = True

        async def answer(_: Batch) -> Outcome:
            return SERVER_ERROR if down else TAKEN

        rack = Rack(answer)
        async with rack.running():
            for lane in range(5):
                rack.accept(*(job(f"{lane} {n}", session=f"conv-{lane}") for n in range(20)))
            await asyncio.sleep(HOUR_S)
            assert rack.lanes.depth == 100
            down = False
            await rack.drained(within_s=90.0)

        assert rack.desk.journal.counters().get("dead", 0) == 0
        for lane in range(5):
            arrived = [
                text
                for each in rack.sink.taken()
                for text in each.texts
                if text.startswith(f"{lane} ")
            ]
            assert arrived == [f"{lane} {n}" for n in range(20)]

    run(main())


def test_a_504_halves_the_batch_and_waits_a_minute() -> None:
    """mem9 had too much to extract: less at once, later, in order."""

    async def main() -> None:
        async def answer(batch: Batch) -> Outcome:
            return GATEWAY_TIMEOUT if len(batch.job_ids) > 5 else TAKEN

        rack = Rack(answer)
        async with rack.running():
            rack.accept(*(job(f"{number:02}") for number in range(20)))
            await rack.drained(within_s=300.0)

        requests = rack.sink.requests
        assert [len(each.texts) for each in requests] == [20, 10, 5, 5, 10, 5, 5]
        assert requests[1].at - requests[0].at == pytest.approx(60.0, abs=0.1)
        assert sum((each.texts for each in rack.sink.taken()), []) == [
            f"{number:02}" for number in range(20)
        ]

    run(main())


@pytest.mark.parametrize(
    ("held", "sent"), [(True, 1), (False, 2), (None, 2)], ids=["there", "not there", "unknown"]
)
def test_a_pinned_memory_that_may_have_arrived_is_looked_for_first(
    held: bool | None, sent: int
) -> None:
    """Sending it twice would store it twice; found, it is delivered without another request."""

    async def main() -> None:
        rack = Rack(first(UNAVAILABLE))
        rack.sink.holds = held
        async with rack.running():
            rack.accept(pinned("P"), wait=True)
            await rack.drained(within_s=10.0)

        assert len(rack.sink.requests) == sent
        assert len(rack.sink.looked_up) == 1
        assert rack.desk.journal.counters()["delivered"] == 1
        assert rack.ends[-1].outcome.ok

    run(main())


def test_only_what_is_pinned_and_doubtful_is_looked_for() -> None:
    """A turn may go twice; a pinned memory that surely did not arrive needs no look."""

    async def main() -> None:
        rack = Rack(first(UNAVAILABLE, REFUSED))
        async with rack.running():
            rack.accept(job("turn"), wait=True)
            await rack.drained(within_s=10.0)
            rack.accept(pinned("P"), wait=True)
            await rack.drained(within_s=10.0)

        assert rack.sink.looked_up == []

    run(main())


def test_a_quota_denial_parks_the_space_and_costs_no_attempt() -> None:
    """Nothing of it is sent for 15 minutes, then one probe; after its success all goes."""

    async def main() -> None:
        rack = Rack(first(DENIED))
        async with rack.running():
            (accepted,) = rack.accept(job("a"), wait=True)
            await asyncio.sleep(1.0)
            for lane in range(10):
                rack.accept(job("x", session=f"conv-{lane + 2}"))
            rack.accept(job("neighbour", key="another key"), wait=True)
            await asyncio.sleep(0.1)
            assert len(rack.sink.requests) == 2
            assert _parked(rack, accepted.space_id) == pytest.approx(900.0, abs=2.0)
            await rack.drained(within_s=910.0)

        probe = rack.sink.requests[2]
        assert probe.at == pytest.approx(START + 900.0, abs=2.0)
        assert probe.texts == ["a"]
        assert probe.batch.attempt == 1
        assert rack.parking.all() == []
        assert rack.desk.journal.parks() == []

    run(main())


def test_a_probe_is_one_request_however_much_waits() -> None:
    """And a refused probe doubles the wait: at most four in any hour."""

    async def main() -> None:
        rack = Rack(always(DENIED))
        async with rack.running():
            for lane in range(20):
                rack.accept(job("x", session=f"conv-{lane}"), wait=True)
            await asyncio.sleep(24 * HOUR_S)

        times = [each.at - START for each in rack.sink.requests]
        probes = times[4:]  # four were on their way when the first was refused
        assert max(times[:4]) < 1.0
        for hour in range(24 * 60):
            window = [at for at in probes if hour * 60.0 <= at < hour * 60.0 + HOUR_S]
            assert len(window) <= 4
        assert probes == pytest.approx(
            [900.0, 2_700.0, 6_300.0, 13_500.0, 27_900.0, 49_500.0, 71_100.0], abs=5.0
        )
        assert rack.desk.journal.counters().get("dead", 0) == 0

    run(main())


def test_four_refusals_at_once_are_one_park() -> None:
    """They were on their way together: the wait is the first, not the fourth."""

    async def main() -> None:
        rack = Rack(always(BAD_KEY, after_s=0.5))
        async with rack.running():
            for lane in range(4):
                rack.accept(job("x", session=f"conv-{lane}"), wait=True)
            await asyncio.sleep(1.0)
            (park,) = rack.parking.all()
            assert park.step == 0
            assert park.until - park.parked_at == 30.0
            assert rack.moves() == [Move.PARK] * 4

    run(main())


def test_a_400_for_the_key_asks_the_status_route_first() -> None:
    """Only while it matters: the refusals that come after the park ask nothing more."""

    async def main() -> None:
        rack = Rack(always(BAD_KEY))
        async with rack.running():
            rack.accept(job("x"), wait=True)
            await asyncio.sleep(1.0)

        assert rack.sink.key_states == [KEY]
        assert rack.moves() == [Move.PARK]

    run(main())


@pytest.mark.parametrize("status", [401, 403])
def test_a_plain_refusal_of_the_key_needs_no_second_opinion(status: int) -> None:
    """401 and 403 say what they mean."""

    async def main() -> None:
        rack = Rack(always(failure(ErrorType.AUTH, status=status)))
        async with rack.running():
            rack.accept(job("x"), wait=True)
            await asyncio.sleep(1.0)

        assert rack.sink.key_states == []
        assert rack.moves() == [Move.PARK]

    run(main())


def test_a_key_that_is_active_after_all_waits_for_seconds_only() -> None:
    """mem9's lookup had failed: no park, and delivered when it works again."""

    async def main() -> None:
        rack = Rack(first(BAD_KEY, BAD_KEY))
        rack.sink.key_answer = KeyState.ACTIVE
        async with rack.running():
            rack.accept(job("x"), wait=True)
            await rack.drained(within_s=11.0)

        assert rack.moves() == [Move.PAUSE, Move.PAUSE, Move.DELIVER]
        assert [each.batch.attempt for each in rack.sink.requests] == [1, 1, 1]

    run(main())


def test_a_status_route_that_breaks_decides_nothing() -> None:
    """The space is parked as if nobody had been asked, and delivery goes on."""

    async def main() -> None:
        rack = Rack(first(BAD_KEY))
        rack.sink.key_answer = RuntimeError("broken")
        async with rack.running():
            rack.accept(job("x"), wait=True)
            await rack.drained(within_s=40.0)

        assert rack.moves() == [Move.PARK, Move.DELIVER]

    run(main())


def test_ten_thousand_refusals_of_a_key_make_no_dead_letter() -> None:
    """Row 16: parked and probed; the day the key works, everything arrives."""

    async def main() -> None:
        refusals = 0

        async def answer(_: Batch) -> Outcome:
            nonlocal refusals
            refusals += 1
            return BAD_KEY if refusals <= 10_000 else TAKEN

        rack = Rack(answer)
        rack.sink.key_answer = KeyState.ACTIVE
        async with rack.running():
            for lane in range(8):
                rack.accept(job("x", session=f"conv-{lane}"), wait=True)
            # Ten thousand refusals at one per pause: the budget of retries makes it long.
            await rack.drained(within_s=48 * HOUR_S, every_s=60.0)

        assert refusals >= 10_000
        assert rack.desk.journal.counters().get("dead", 0) == 0
        assert rack.desk.journal.counters()["delivered"] == 8

    run(main())


def test_a_probe_asked_for_by_somebody_parks_again_when_it_is_refused() -> None:
    """One request, not a storm until the old park would have ended."""

    async def main() -> None:
        rack = Rack(always(DENIED))
        async with rack.running():
            (accepted,) = rack.accept(job("x"), wait=True)
            await asyncio.sleep(10.0)
            assert len(rack.sink.requests) == 1
            rack.parking.probe_now(accepted.space_id, rack.clock.now())
            rack.deliverer.wake()
            await asyncio.sleep(10.0)

            assert len(rack.sink.requests) == 2
            assert _parked(rack, accepted.space_id) > 880.0

    run(main())


def test_a_park_from_a_clock_that_was_wrong_does_not_end_in_a_storm(tmp_path: Path) -> None:
    """Parked until 2099 by a clock that had jumped: probed within hours, and parked anew."""

    async def main() -> None:
        rack = Rack(always(DENIED), path=tmp_path / "journal.db")
        async with rack.running():
            rack.accept(job("x"), wait=True)
            await asyncio.sleep(1.0)
        rack.desk.journal.file.db.execute("UPDATE parks SET until = 4070908800")
        rack.desk.journal.close()

        again = Rack(always(DENIED), path=tmp_path / "journal.db")
        again.load()
        async with again.running():
            await asyncio.sleep(6 * HOUR_S + 60.0)
            assert len(again.sink.requests) == 1
            await asyncio.sleep(HOUR_S)
            assert len(again.sink.requests) <= 3

    run(main())


def test_a_success_ends_a_park() -> None:
    """The probe was taken: the others go at once, four at a time."""

    async def main() -> None:
        rack = Rack(first(DENIED))
        async with rack.running():
            rack.accept(job("0"), wait=True)
            await asyncio.sleep(1.0)
            for lane in range(8):
                rack.accept(job("x", session=f"conv-{lane + 2}"))
            await asyncio.sleep(899.5)
            await rack.drained(within_s=2.0)

        assert len(rack.sink.taken()) == 9

    run(main())


def test_being_asked_to_slow_down_costs_no_attempt() -> None:
    """429: the space waits for seconds, at least as long as mem9 said, and goes on."""

    async def main() -> None:
        rack = Rack(first(SLOWER.model_copy(update={"retry_after_s": 20.0}), SLOWER))
        async with rack.running():
            rack.accept(job("x"), wait=True)
            await rack.drained(within_s=30.0)

        assert rack.moves() == [Move.PAUSE, Move.PAUSE, Move.DELIVER]
        times = [each.at for each in rack.sink.requests]
        assert times[1] - times[0] >= 20.0
        assert [each.batch.attempt for each in rack.sink.requests] == [1, 1, 1]

    run(main())


def test_a_sink_that_raises_does_not_stop_delivery() -> None:
    """Our own mistake is logged, counted as an attempt, and tried again; neighbours go on."""

    async def main() -> None:
        calls = 0

        async def answer(batch: Batch) -> Outcome:
            nonlocal calls
            calls += 1
            if batch.payloads[0].text == "bad" and calls < 4:
                raise ZeroDivisionError("a bug of ours")
            return TAKEN

        rack = Rack(answer)
        async with rack.running():
            rack.accept(job("bad"), wait=True)
            rack.accept(job("good", session="conv-2"), wait=True)
            await rack.drained(within_s=30.0)

        errors = [end.outcome.error_type for end in rack.ends if not end.outcome.ok]
        assert set(errors) == {ErrorType.BUG}
        assert rack.desk.journal.counters()["delivered"] == 2

    run(main())


def test_an_open_circuit_is_told_and_probed() -> None:
    """A dead endpoint: nothing but probes goes out, and everything after it answers again."""

    async def main() -> None:
        down = True

        async def answer(_: Batch) -> Outcome:
            return REFUSED if down else TAKEN

        rack = Rack(answer)
        async with rack.running():
            for lane in range(40):
                rack.accept(job("x", session=f"s{lane}", key=f"key {lane % 10}"), wait=True)
            await asyncio.sleep(120.0)
            assert rack.deliverer.circuit_open(BASE_URL)
            assert rack.endpoints.state(BASE_URL) is not CircuitState.CLOSED
            assert len(rack.sink.requests) < 45
            down = False
            await rack.drained(within_s=90.0)

        assert rack.desk.journal.counters()["delivered"] == 40

    run(main())


def test_a_damaged_job_is_set_aside_and_the_rest_of_its_batch_goes() -> None:
    """Found when its turn comes; the waiting lines and the counters agree afterwards."""

    async def main() -> None:
        rack = Rack(always(TAKEN))
        async with rack.running():
            rack.accept(*(job(f"{number}") for number in range(5)))
            rack.desk.journal.file.db.execute(
                "UPDATE jobs SET sealed = zeroblob(60) WHERE seq % 5 IN (1, 3)"
            )
            await rack.drained(within_s=3.0)

        assert len(sum((each.texts for each in rack.sink.requests), [])) == 3
        assert rack.desk.journal.counters()["dead"] == 2
        assert rack.desk.difference() == 0
        assert (rack.lanes.depth, rack.lanes.waiting_bytes) == (0, 0)

    run(main())


def test_damage_to_a_batch_that_waits_for_its_retry_is_noticed_too() -> None:
    """Checked before every attempt, not only before the first."""

    async def main() -> None:
        rack = Rack(first(UNAVAILABLE))
        async with rack.running():
            rack.accept(job("a"), job("b"), wait=True)
            rack.accept(job("c", session="conv-2"))
            while not rack.sink.requests:
                await asyncio.sleep(0.01)
            rack.desk.journal.file.db.execute(
                "UPDATE jobs SET sealed = zeroblob(60) WHERE state = 1"
            )
            await rack.drained(within_s=10.0)

        assert [each.texts for each in rack.sink.taken()] == [["c"]]
        assert rack.desk.journal.counters()["dead"] == 2
        assert rack.desk.difference() == 0

    run(main())


@pytest.mark.parametrize("error", [JournalFull("no room"), JournalError("read-only")])
def test_a_batch_that_cannot_be_written_down_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, error: JournalError
) -> None:
    """Freeze first, then send: without the one there is no other, and it is tried again."""

    async def main() -> None:
        rack = Rack(always(TAKEN))

        def freeze(*_: object, **__: object) -> None:
            raise error

        with monkeypatch.context() as broken:
            broken.setattr(rack.desk.journal, "freeze", freeze)
            async with rack.running():
                rack.accept(job("a"), wait=True)
                await asyncio.sleep(10.0)
                assert rack.sink.requests == []
                broken.undo()
                await rack.drained(within_s=5.0)

        assert len(rack.sink.requests) == 1

    run(main())


def test_an_outcome_is_written_down_when_room_has_been_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full disk: the reserve is given up, and the delivered job is not sent again."""

    async def main() -> None:
        rack = Rack(always(TAKEN))
        real, calls = rack.desk.journal.delivered, 0

        def delivered(row: int, *, jobs: int, redelivered: bool) -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise JournalFull("no room")
            real(row, jobs=jobs, redelivered=redelivered)

        monkeypatch.setattr(rack.desk.journal, "delivered", delivered)
        async with rack.running():
            rack.accept(job("a"), wait=True)
            await rack.drained(within_s=5.0)

        assert len(rack.sink.requests) == 1
        assert rack.desk.difference() == 0

    run(main())


def test_order_within_a_lane_is_never_inverted() -> None:
    """Five lanes, every kind of passing trouble: first arrivals are in the order of the calls."""

    async def main() -> None:
        trouble = [UNAVAILABLE, SERVER_ERROR, SLOWER, GATEWAY_TIMEOUT, BAD_KEY, REFUSED]
        asked = 0

        async def answer(_: Batch) -> Outcome:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0.05 * (asked % 7))
            return trouble[asked // 3 % len(trouble)] if asked % 3 == 0 else TAKEN

        rack = Rack(answer, seed=5)
        async with rack.running():
            for number in range(60):
                for lane in range(5):
                    rack.accept(job(f"{number:03}", session=f"conv-{lane}"))
                await asyncio.sleep(0.5)
            await rack.drained(within_s=2 * HOUR_S)

        for lane in range(5):
            arrived = [
                text
                for each in sorted(rack.sink.taken(), key=lambda each: each.until)
                if each.batch.lane.session_id == f"conv-{lane}"
                for text in each.texts
            ]
            assert arrived == [f"{number:03}" for number in range(60)]
        assert set(rack.moves()) >= {Move.RETRY, Move.PAUSE, Move.PARK, Move.DELIVER}

    run(main())


def test_what_was_in_flight_at_the_end_goes_again_in_the_next_process(tmp_path: Path) -> None:
    """Stopping never deletes: cancelled attempts are found, redelivered, and counted so."""

    async def main() -> None:
        rack = Rack(always(TAKEN, after_s=60.0), path=tmp_path / "journal.db")
        async with rack.running():
            rack.accept(job("flying"), wait=True)
            await asyncio.sleep(1.0)
            rack.accept(job("waiting"))
            assert rack.lanes.in_flight == 1
        rack.desk.journal.close()

        again = Rack(always(TAKEN), path=tmp_path / "journal.db")
        again.load()
        async with again.running():
            await again.drained(within_s=5.0)

        assert [each.texts for each in again.sink.requests] == [["flying"], ["waiting"]]
        counters = again.desk.journal.counters()
        assert (counters["delivered"], counters["redelivered"]) == (2, 1)

    run(main())


def test_a_confirmed_ingestion_is_told_as_such() -> None:
    """The observer sees mem9's own outcome, whatever it confirms."""

    async def main() -> None:
        rack = Rack(always(Outcome(confirmation=Confirmation.INGESTED, http_status=200)))
        async with rack.running():
            rack.accept(job("a"), wait=True)
            await rack.drained(within_s=2.0)

        (end,) = rack.ends
        assert end.outcome.confirmation is Confirmation.INGESTED
        assert end.decision.move is Move.DELIVER

    run(main())


def test_an_idle_queue_asks_nothing_and_wakes_for_nothing() -> None:
    """Without jobs there is no timer: the loop of delivery waits for a call."""

    async def main() -> None:
        rack = Rack(always(TAKEN))
        async with rack.running():
            await asyncio.sleep(HOUR_S)
            rack.accept(job("a"), wait=True)
            await rack.drained(within_s=1.0)

        assert len(rack.sink.requests) == 1

    run(main())
