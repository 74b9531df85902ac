"""A space whose own database is away holds itself up, and nobody else at its address."""

import asyncio
from pathlib import Path

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.outcome import OF_ONE_SPACE, ErrorType, Outcome
from mem9_async.queue.circuit import CircuitState
from mem9_async.queue.policy import Move
from tests.queue.builders import BASE_URL, HOUR_S, START, WAITS, failure, job
from tests.queue.rack import TAKEN, Answer, Rack, always
from tests.queue.virtual import run

SICK = failure(ErrorType.UNAVAILABLE, status=503, maybe_sent=True).model_copy(
    update={"error_code": "tenant_db_unavailable"}
)
WELL, ILL = "well", "ill"


def _ill_until(rack_end_s: float, outcome: Outcome) -> Answer:
    async def answer(batch: Batch) -> Outcome:
        sick = batch.lane.space.key.startswith(ILL)
        at = START + asyncio.get_running_loop().time()
        return outcome if sick and at < START + rack_end_s else TAKEN

    return answer


def _of(rack: Rack, key: str) -> list[float]:
    return [each.at for each in rack.sink.requests if each.batch.lane.space.key.startswith(key)]


@pytest.mark.parametrize("code", sorted(OF_ONE_SPACE))
@pytest.mark.parametrize("sick_for_s", [6.0, 75.0])
def test_a_space_nobody_was_served_before_does_not_close_the_address(
    code: str, sick_for_s: float
) -> None:
    """After a start the first answers are all bad ones; the good key is served at once."""

    async def main() -> None:
        rack = Rack(_ill_until(sick_for_s, SICK.model_copy(update={"error_code": code})))
        async with rack.running():
            for number in range(12):
                rack.accept(job(f"x{number}", session=f"c{number}", key=ILL), wait=True)
            await asyncio.sleep(3.0)
            for number in range(15):
                rack.accept(job(f"y{number}", session=f"d{number}", key=WELL), wait=True)
            await asyncio.sleep(0.5)
            assert len(_of(rack, WELL)) == 15
            assert rack.endpoints.state(BASE_URL) is CircuitState.CLOSED
            await rack.drained(within_s=sick_for_s + WAITS.max_backoff_s + 5.0)

        assert Move.BURY not in rack.moves()
        assert {each.batch.attempt for each in rack.sink.requests} == {1}
        assert rack.parking.all() == []

    run(main())


def test_many_sick_spaces_take_no_retries_from_the_well_ones() -> None:
    """Their probes are bounded by their own schedule, not by the address's budget."""

    async def main() -> None:
        down = True

        async def answer(batch: Batch) -> Outcome:
            if batch.lane.space.key.startswith(ILL):
                return SICK
            return failure(ErrorType.REQUEST_TIMEOUT, status=408) if down else TAKEN

        rack = Rack(answer)
        async with rack.running():
            for number in range(50):
                rack.accept(job("x", session="c", key=f"{ILL}-{number}"), wait=True)
            await asyncio.sleep(120.0)
            rack.accept(job("y", session="d", key=WELL), wait=True)
            await asyncio.sleep(0.001)
            down = False
            await asyncio.sleep(1.1)
            assert len(rack.sink.taken()) == 1

    run(main())


def test_a_space_that_is_sick_for_a_day_is_asked_seldom_and_loses_nothing() -> None:
    """Its waits double up to the longest back-off; one request at a time, and order is kept."""

    async def main() -> None:
        rack = Rack(_ill_until(24 * HOUR_S, SICK))
        async with rack.running():
            for number in range(40):
                rack.accept(job(f"{number}", session=f"c{number % 4}", key=ILL))
            await asyncio.sleep(60.0)
            asked = len(rack.sink.requests)
            assert asked <= 4 + 8
            await rack.drained(within_s=24 * HOUR_S + WAITS.max_backoff_s + 5.0, every_s=1.0)

        longest_s = WAITS.max_backoff_s
        assert len(rack.sink.requests) - asked <= 24 * HOUR_S / (longest_s / 2) + 20
        texts = [text for each in rack.sink.taken() for text in each.texts]
        for lane in range(4):
            mine = [int(text) for text in texts if int(text) % 4 == lane]
            assert mine == sorted(mine)
        assert len(texts) == 40

    run(main())


def test_an_open_circuit_is_closed_by_an_answer_about_one_space() -> None:
    """Whoever says that one tenant's database is away is there itself."""

    async def main() -> None:
        reachable = False

        async def answer(batch: Batch) -> Outcome:
            if not reachable:
                return failure(ErrorType.CONNECTION_REFUSED)
            return SICK if batch.lane.space.key == ILL else TAKEN

        rack = Rack(answer)
        async with rack.running():
            for number in range(8):
                rack.accept(job("x", session=f"c{number}", key=ILL), wait=True)
            await asyncio.sleep(5.0)
            assert rack.endpoints.state(BASE_URL) is not CircuitState.CLOSED
            reachable = True
            await asyncio.sleep(WAITS.max_backoff_s)
            assert rack.endpoints.state(BASE_URL) is CircuitState.CLOSED
            rack.accept(job("y", session="d", key=WELL), wait=True)
            await asyncio.sleep(0.5)
            assert len(_of(rack, WELL)) == 1

    run(main())


def test_a_sick_space_is_probed_soon_after_a_restart(tmp_path: Path) -> None:
    """Parked by a clock that was years ahead: it waits no longer than its schedule."""

    async def main() -> None:
        rack = Rack(always(SICK), path=tmp_path / "journal.db")
        async with rack.running():
            rack.accept(job("x"), wait=True)
            await asyncio.sleep(1.0)
            (park,) = rack.parking.all()
            assert park.reason == "unavailable"
        rack.desk.journal.file.db.execute("UPDATE parks SET until = 4070908800")
        rack.desk.journal.close()

        again = Rack(always(TAKEN), path=tmp_path / "journal.db")
        again.load()
        async with again.running():
            await again.drained(within_s=10.0)

    run(main())
