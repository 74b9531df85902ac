"""Spaces that mem9 refuses wait, are probed, and lose nothing."""

import asyncio
from pathlib import Path

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.circuit import CircuitState
from mem9_async.queue.policy import Move
from tests.queue.builders import BASE_URL, HOUR_S, KEY, START, failure, job
from tests.queue.rack import TAKEN, Rack, always, first
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
        assert rack.desk.journal.parks.all() == []

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

        assert rack.moves() == [Move.PARK, Move.PARK, Move.DELIVER]
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


def test_a_thousand_refusals_of_a_key_make_no_dead_letter() -> None:
    """Row 16: parked and probed; the day the key works, everything arrives."""

    async def main() -> None:
        refusals = 0

        async def answer(_: Batch) -> Outcome:
            nonlocal refusals
            refusals += 1
            return BAD_KEY if refusals <= 1_000 else TAKEN

        rack = Rack(answer)
        rack.sink.key_answer = KeyState.ACTIVE
        async with rack.running():
            for lane in range(8):
                rack.accept(job("x", session=f"conv-{lane}"), wait=True)
            await rack.drained(within_s=48 * HOUR_S, every_s=60.0)

        assert refusals >= 1_000
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
    """Parked until 2099 by a clock that had jumped: probed as its schedule says, parked anew."""

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
            await asyncio.sleep(890.0)
            assert len(again.sink.requests) == 0
            await asyncio.sleep(60.0)
            assert len(again.sink.requests) == 1
            await asyncio.sleep(6 * HOUR_S)
            assert len(again.sink.requests) <= 4

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
            assert rack.endpoints.state(BASE_URL) is not CircuitState.CLOSED
            assert len(rack.sink.requests) < 45
            down = False
            await rack.drained(within_s=90.0)

        assert rack.desk.journal.counters()["delivered"] == 40

    run(main())


@pytest.mark.parametrize("key_state", [KeyState.UNAVAILABLE, KeyState.ACTIVE])
def test_an_outage_of_mem9s_own_database_is_over_seconds_after_its_end(key_state: KeyState) -> None:
    """It calls every key bad for 40 s: no schedule of a key, no attempt, and words of an outage."""

    async def main() -> None:
        ends_at = START + 41.0

        async def answer(_: Batch) -> Outcome:
            bad = BAD_KEY.model_copy(update={"error_code": "invalid_api_key"})
            return bad if rack.clock.now() < ends_at else TAKEN

        rack = Rack(answer)
        rack.sink.key_answer = key_state
        async with rack.running():
            for space_number in range(20):
                for lane in range(3):
                    rack.accept(
                        job("x", session=f"conv-{lane}", key=f"key-{space_number}"), wait=True
                    )
            await rack.drained(within_s=60.0)

        assert rack.clock.now() <= ends_at + 6.0
        refused = [end for end in rack.ends if end.decision.move is not Move.DELIVER]
        assert {end.outcome.error_type for end in refused} == {ErrorType.UNAVAILABLE}
        assert {end.outcome.error_code for end in refused} == {"auth_backend_unavailable"}
        assert {each.batch.attempt for each in rack.sink.requests} == {1}

    run(main())


@pytest.mark.parametrize("code", ["tenant_db_unavailable", "chain_node_unavailable"])
def test_one_tenants_database_that_is_away_holds_no_other_space(code: str) -> None:
    """Also right after the start, when no other space was served yet."""

    async def answer(batch: Batch) -> Outcome:
        bad = batch.lane.space.api_key.get_secret_value() == "away"
        return UNAVAILABLE.model_copy(update={"error_code": code}) if bad else TAKEN

    async def main() -> None:
        rack = Rack(answer)
        async with rack.running():
            for lane in range(12):
                rack.accept(job("x", session=f"conv-{lane}", key="away"), wait=True)
            await asyncio.sleep(30.0)
            assert rack.endpoints.state(BASE_URL) is CircuitState.CLOSED
            began = rack.clock.now()
            for lane in range(15):
                rack.accept(job("y", session=f"conv-{lane}"), wait=True)
            await asyncio.sleep(1.0)

        served = [each.at - began for each in rack.sink.taken()]
        assert len(served) == 15
        assert max(served) < 1.0
        assert {each.batch.attempt for each in rack.sink.requests} == {1}

    run(main())
