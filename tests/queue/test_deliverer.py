"""What is decided is carried out: in the journal, in the lines, and told."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from mem9_async.models.batch import Batch
from mem9_async.models.history import Attempt
from mem9_async.models.job import Message, Turn
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.queue.journal import JournalError, JournalFull
from mem9_async.queue.journal.takes import Takes
from mem9_async.queue.policy import Move
from tests.queue.builders import HOUR_S, LIMITS, START, failure, job, pinned
from tests.queue.rack import TAKEN, Rack, always, first
from tests.queue.virtual import run

UNAVAILABLE = failure(ErrorType.UNAVAILABLE, status=503, maybe_sent=True)
SERVER_ERROR = failure(ErrorType.SERVER_ERROR, status=500, maybe_sent=True)
GATEWAY_TIMEOUT = failure(ErrorType.GATEWAY_TIMEOUT, status=504, maybe_sent=True)
REJECTED = failure(ErrorType.REJECTED, status=400)
TOO_LARGE = failure(ErrorType.TOO_LARGE, status=413)
BAD_KEY = failure(ErrorType.AUTH, status=400)
SLOWER = failure(ErrorType.RATE_LIMITED, status=429)
REFUSED = failure(ErrorType.CONNECTION_REFUSED)


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


@pytest.mark.parametrize("wait", [True, False], ids=["at_once", "lingering"])
@pytest.mark.parametrize("error", [JournalFull("no room"), JournalError("read-only")])
def test_a_batch_that_cannot_be_written_down_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, error: JournalError, wait: bool
) -> None:
    """Freeze first, then send: without the one there is no other; tried again, not in a rush."""

    async def main() -> None:
        rack = Rack(always(TAKEN))

        tries = 0

        def freeze(*_: object, **__: object) -> None:
            nonlocal tries
            tries += 1
            raise error

        with monkeypatch.context() as broken:
            broken.setattr(rack.desk.journal, "freeze", freeze)
            async with rack.running():
                rack.accept(job("a"), wait=wait)
                await asyncio.sleep(10.0)
                assert rack.sink.requests == []
                assert 3 <= tries <= 6
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

        def delivered(
            row: int, *, redelivered: bool, taken_at: float | None, attempt: Attempt | None
        ) -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise JournalFull("no room")
            real(row, redelivered=redelivered, taken_at=taken_at, attempt=attempt)

        monkeypatch.setattr(rack.desk.journal, "delivered", delivered)
        async with rack.running():
            rack.accept(job("a"), wait=True)
            await rack.drained(within_s=5.0)

        assert len(rack.sink.requests) == 1
        assert rack.desk.difference() == 0

    run(main())


@pytest.mark.parametrize("verb", ["delivered", "retry", "bury", "park"])
def test_an_answer_is_kept_until_it_can_be_written_down(
    monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """A disk in trouble for ten seconds: one request, and what is in flight beside it goes on."""
    answers = {
        "delivered": TAKEN,
        "retry": failure(ErrorType.UNAVAILABLE, status=503, maybe_sent=True),
        "bury": failure(ErrorType.REJECTED, status=400),
        "park": failure(ErrorType.AUTH, status=401),
    }

    async def main() -> None:
        async def answer(batch: Batch) -> Outcome:
            if batch.lane.session_id == "slow":
                await asyncio.sleep(8.0)
                return TAKEN
            return answers[verb] if len(rack.sink.requests) < 1 else TAKEN

        rack = Rack(answer)
        rack.room = False
        journal = rack.desk.journal
        owner, name = (journal.parks, "put") if verb == "park" else (journal, verb)
        real = getattr(owner, name)

        def fails(*args: object, **keywords: object) -> object:
            if rack.clock.now() < START + 10.0:
                raise JournalFull("no room")
            return real(*args, **keywords)

        monkeypatch.setattr(owner, name, fails)
        async with rack.running():
            rack.accept(job("a"), wait=True)
            rack.accept(job("b", session="slow", key="another key"), wait=True)
            await asyncio.sleep(9.0)
            assert [each.texts for each in rack.sink.requests].count(["a"]) == 1
            await rack.drained(within_s=120.0)

        assert [each.texts for each in rack.sink.requests].count(["b"]) == 1
        sent = [each.texts for each in rack.sink.requests].count(["a"])
        assert sent == (2 if verb in ("retry", "park") else 1)
        deaths = rack.desk.journal.file.db.execute("SELECT sum(deaths) FROM jobs").fetchone()
        assert deaths[0] in (None, 0)
        assert rack.desk.difference() == 0

    run(main())


def test_an_observer_that_raises_ends_nothing() -> None:
    """The batch is settled already; its neighbours in flight are not given up for it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    async def main() -> None:
        rack = Rack(always(TAKEN, after_s=1.0))

        def settled(*_: object) -> None:
            raise ValueError("canary content")

        rack.settled = settled  # type: ignore[assignment, method-assign]
        with capture_logs() as events:
            async with rack.running():
                for number in range(4):
                    rack.accept(job("x", session=f"s{number}"), wait=True)
                await rack.drained(within_s=10.0)

        assert len(rack.sink.requests) == 4
        (reason,) = {str(each["reason"]) for each in events if each["event"] == "worker.crashed"}
        assert reason.startswith("ValueError at ")
        assert "canary" not in reason

    run(main())


def test_a_batch_that_did_not_open_goes_before_what_came_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was frozen, and could not be read just then: nothing of its lane overtakes it."""

    async def main() -> None:
        rack = Rack(always(TAKEN))
        opener = rack.desk.journal._opener
        real = opener.open

        def fails(*args: object) -> object:
            if rack.clock.now() < START + 5.0:
                raise JournalError("the disk does not answer")
            return real(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(opener, "open", fails)
        async with rack.running():
            rack.accept(job("a"), wait=True)
            await asyncio.sleep(1.0)
            rack.accept(job("b"), wait=True)
            await rack.drained(within_s=20.0)

        assert [each.texts for each in rack.sink.requests] == [["a"], ["b"]]
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


def test_what_mem9_makes_no_fact_of_is_not_watched() -> None:
    """An agent's own words leave no trace, and five such silences would be told as trouble."""

    async def main() -> None:
        rack = Rack(always(TAKEN), limits=replace(LIMITS, watched=True))
        answer = Turn(messages=(Message(role="assistant", content="Noted."),))
        async with rack.running():
            rack.accept(job("said", "a"), job("x", "b").model_copy(update={"payload": answer}))
            await rack.drained(within_s=5.0)

        assert [take.batch.payloads[0].text for take in Takes(rack.desk.journal).all(START)] == [
            "said"
        ]
        assert rack.desk.journal.counters()["delivered"] == 2

    run(main())
