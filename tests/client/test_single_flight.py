"""Equal questions at one time."""

import asyncio

import pytest

from mem9_async.client.single_flight import InFlight


class Question:
    """A question whose answer the test gives."""

    def __init__(self) -> None:
        self.asked = 0
        self.cancelled = 0
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask(self) -> str:
        """Wait for the answer."""
        self.asked += 1
        try:
            return await asyncio.shield(self.answer)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def waiting(
    inflight: InFlight[str, str], question: Question, count: int
) -> list[asyncio.Task[str]]:
    """That many tasks, all of them waiting for one key."""
    tasks = [asyncio.create_task(inflight.run("key", question.ask)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_fifty_equal_questions_are_asked_once() -> None:
    """And all get the answer."""
    inflight: InFlight[str, str] = InFlight()
    question = Question()
    tasks = await waiting(inflight, question, 50)

    question.answer.set_result("yes")

    assert await asyncio.gather(*tasks) == ["yes"] * 50
    assert question.asked == 1
    assert len(inflight) == 0


async def test_different_questions_do_not_share() -> None:
    """The key tells them apart."""
    inflight: InFlight[str, str] = InFlight()
    question = Question()
    question.answer.set_result("yes")

    await asyncio.gather(*(inflight.run(key, question.ask) for key in "abc"))

    assert question.asked == 3


async def test_an_answer_is_not_kept() -> None:
    """The next one asks anew."""
    inflight: InFlight[str, str] = InFlight()
    question = Question()
    question.answer.set_result("yes")

    await inflight.run("key", question.ask)
    await inflight.run("key", question.ask)

    assert question.asked == 2


async def test_one_who_leaves_does_not_take_the_answer_along() -> None:
    """Not even the one who asked first."""
    inflight: InFlight[str, str] = InFlight()
    question = Question()
    first, second = await waiting(inflight, question, 2)

    first.cancel()
    await asyncio.wait([first])
    question.answer.set_result("yes")

    assert first.cancelled()
    assert await second == "yes"


async def test_a_question_nobody_waits_for_is_dropped() -> None:
    """Its connection goes back, and the key is free."""
    inflight: InFlight[str, str] = InFlight()
    question = Question()
    tasks = await waiting(inflight, question, 2)

    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0)

    assert question.cancelled == 1
    assert len(inflight) == 0


async def test_a_failure_reaches_everyone() -> None:
    """Each who waits is told."""
    inflight: InFlight[str, str] = InFlight()
    question = Question()
    tasks = await waiting(inflight, question, 3)

    question.answer.set_exception(LookupError("no"))

    for task in tasks:
        with pytest.raises(LookupError):
            await task
    assert len(inflight) == 0
