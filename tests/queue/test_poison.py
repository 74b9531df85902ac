"""One bad job is found and set aside; its neighbours arrive, in order."""

import asyncio

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.policy import Move
from tests.queue.builders import HOUR_S, START, failure, job
from tests.queue.rack import TAKEN, Rack, always, first, refusing
from tests.queue.virtual import run

UNAVAILABLE = failure(ErrorType.UNAVAILABLE, status=503, maybe_sent=True)
SERVER_ERROR = failure(ErrorType.SERVER_ERROR, status=500, maybe_sent=True)
GATEWAY_TIMEOUT = failure(ErrorType.GATEWAY_TIMEOUT, status=504, maybe_sent=True)
REJECTED = failure(ErrorType.REJECTED, status=400)
TOO_LARGE = failure(ErrorType.TOO_LARGE, status=413)


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


def test_a_space_whose_database_is_broken_loses_nothing_while_others_are_served() -> None:
    """Another space's luck proves nothing about a job: after ten minutes of 500 all of it goes."""

    async def main() -> None:
        async def answer(batch: Batch) -> Outcome:
            sick = batch.lane.space.key == "sick" and rack.clock.now() < START + 600.0
            return SERVER_ERROR if sick else TAKEN

        rack = Rack(answer)
        async with rack.running():
            for number in range(100):
                rack.accept(job(f"s{number}", session=f"c{number % 10}", key="sick"))
            for second in range(600):
                rack.accept(job(f"h{second}", session="h", key="well"))
                await asyncio.sleep(1.0)
            await rack.drained(within_s=600.0)

        assert rack.desk.journal.counters().get("dead", 0) == 0
        assert rack.desk.difference() == 0

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
        arrived = [text for each in rack.sink.taken() for text in each.texts]
        assert arrived == [f"{number:02}" for number in range(20)]

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

        assert sum(len(each.texts) for each in rack.sink.requests) == 3
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
            await asyncio.sleep(0.0001)
            assert len(rack.sink.requests) == 1
            rack.desk.journal.file.db.execute(
                "UPDATE jobs SET sealed = zeroblob(60) WHERE state = 1"
            )
            await rack.drained(within_s=10.0)

        assert [each.texts for each in rack.sink.taken()] == [["c"]]
        assert rack.desk.journal.counters()["dead"] == 2
        assert rack.desk.difference() == 0

    run(main())
