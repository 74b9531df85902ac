"""Refusals that are not mem9's: of one job's content, or of everything a space sends."""

import asyncio

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.policy import Move
from tests.queue.builders import HOUR_S, failure, job
from tests.queue.rack import TAKEN, Answer, Rack, refusing
from tests.queue.virtual import run

BLOCKED = failure(ErrorType.BLOCKED, status=403)
BAD = "DROP TABLE"


def _tries(rack: Rack, word: str) -> int:
    return sum(any(word in text for text in each.texts) for each in rack.sink.requests)


def _taken(rack: Rack) -> list[str]:
    return [text for each in rack.sink.taken() for text in each.texts]


def _dead(rack: Rack) -> int:
    count: int = rack.desk.journal.file.db.execute(
        "SELECT count(*) FROM jobs WHERE state = 4"
    ).fetchone()[0]
    return count


class _Gate:
    """Blocks everything, or what a test says, until it is opened."""

    def __init__(self) -> None:
        self.open = False

    async def __call__(self, batch: Batch) -> Outcome:
        bad = any(BAD in each.text for each in batch.payloads)
        return TAKEN if self.open and not bad else BLOCKED


def test_a_job_that_is_blocked_for_what_it_says_holds_nobody() -> None:
    """Four other conversations are served at once, and it is set aside within a few tries."""

    async def main() -> None:
        rack = Rack(refusing(BAD, BLOCKED))
        async with rack.running():
            rack.accept(job(f"please {BAD} users", "bad"), wait=True)
            for number in range(12):
                rack.accept(job(f"harmless {number}", f"conv-{number % 4}"), wait=True)
            await asyncio.sleep(2.0)
            assert len(_taken(rack)) == 12
            assert rack.parking.all() == []
            await rack.drained(within_s=30.0)

        assert _tries(rack, BAD) == 3
        assert _dead(rack) == 1

    run(main())


def test_in_a_batch_it_is_found_and_its_neighbours_go_on_in_order() -> None:
    """Split, isolated, set aside; those behind it wait for that, and for no more."""

    async def main() -> None:
        rack = Rack(refusing(BAD, BLOCKED))
        jobs = [job(f"fact {number}") for number in range(12)]
        jobs[0] = job(BAD)
        jobs[5] = job(f"{BAD} again")
        async with rack.running():
            rack.accept(*jobs, wait=True)
            await rack.drained(within_s=60.0)

        assert [f"fact {n}" for n in range(12) if n not in (0, 5)] == _taken(rack)
        assert _dead(rack) == 2
        assert rack.parking.all() == []

    run(main())


@pytest.mark.parametrize("bad", [1, 2, 5])
def test_bad_ones_at_the_head_of_the_only_conversation_do_not_hold_it_for_ever(bad: int) -> None:
    """Nobody has to flush: each probe that is blocked leaves the line."""

    async def main() -> None:
        rack = Rack(refusing(BAD, BLOCKED))
        async with rack.running():
            rack.accept(*(job(f"{BAD} {number}") for number in range(bad)), job("good"), wait=True)
            await rack.drained(within_s=2 * HOUR_S)

        assert _taken(rack) == ["good"]
        assert _dead(rack) == bad

    run(main())


def test_a_refusal_that_meets_every_job_parks_the_space_and_costs_no_job() -> None:
    """Whatever left the line meanwhile comes back in its place when the gate opens."""

    async def main() -> None:
        gate = _Gate()
        rack = Rack(gate)
        async with rack.running():
            for number in range(8):
                rack.accept(job(f"{number} a", f"conv-{number}"), wait=True)
                rack.accept(job(f"{number} b", f"conv-{number}"))
            await asyncio.sleep(20.0)
            (park,) = rack.parking.all()
            assert park.reason == ErrorType.BLOCKED
            asked = len(rack.sink.requests)
            assert asked <= 32
            await asyncio.sleep(HOUR_S)
            assert len(rack.sink.requests) - asked <= 10
            gate.open = True
            await rack.drained(within_s=3 * HOUR_S)

        assert sorted(_taken(rack)) == sorted(f"{n} {x}" for n in range(8) for x in "ab")
        assert _dead(rack) == 0
        assert rack.parking.all() == []
        assert rack.desk.difference() == 0

    run(main())


def test_a_space_with_few_jobs_keeps_asking_until_the_gate_opens() -> None:
    """Each leaves the line when it is blocked, and comes back when none is left to ask with."""

    async def main() -> None:
        gate = _Gate()
        rack = Rack(gate)
        async with rack.running():
            for number in range(3):
                rack.accept(job(f"ok {number}", f"c{number}"), wait=True)
            await asyncio.sleep(20 * HOUR_S)
            assert len(rack.parking.all()) == 1
            assert rack.lanes.depth
            gate.open = True
            await rack.drained(within_s=2 * HOUR_S)
            await asyncio.sleep(60.0)

        assert sorted(_taken(rack)) == ["ok 0", "ok 1", "ok 2"]
        assert _dead(rack) == 0
        assert len(rack.sink.requests) < 40

    run(main())


def test_what_is_blocked_again_after_it_was_cleared_stays_set_aside() -> None:
    """Success after success: it is not sent round for ever."""

    async def main() -> None:
        gate = _Gate()
        rack = Rack(gate)
        async with rack.running():
            for number in range(6):
                rack.accept(job(f"{BAD} {number}" if number < 2 else f"ok {number}", f"c{number}"))
            await asyncio.sleep(600.0)
            gate.open = True
            await rack.drained(within_s=3 * HOUR_S)
            await asyncio.sleep(60.0)
            tries = _tries(rack, BAD)
            for number in range(20):
                rack.accept(job(f"later {number}", f"d{number}"), wait=True)
                await asyncio.sleep(60.0)

        assert _dead(rack) == 2
        assert _tries(rack, BAD) == tries
        assert len(_taken(rack)) == 24

    run(main())


def test_one_space_says_nothing_about_another() -> None:
    """Each has a key, and perhaps a gateway's rule, of its own."""

    def answering() -> Answer:
        async def answer(batch: Batch) -> Outcome:
            other = batch.lane.space.api_key.get_secret_value() == "other"
            return BLOCKED if other else TAKEN

        return answer

    async def main() -> None:
        rack = Rack(answering())
        async with rack.running():
            for number in range(5):
                rack.accept(job(f"x {number}", f"c{number}", key="other"), wait=True)
                rack.accept(job(f"y {number}", f"c{number}"), wait=True)
            await asyncio.sleep(30.0)
            assert len(_taken(rack)) == 5
            assert len(rack.parking.all()) == 1

        assert Move.PARK in rack.moves()

    run(main())
