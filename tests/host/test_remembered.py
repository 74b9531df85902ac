"""Not "mem9 took it" but "mem9 has it": the embedded mem9 loses what it took, and has it back.

Everything goes by a window of twelve seconds in place of ten minutes.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mem9_async.cli.host import PluginHost
from mem9_async.devserver.server import DevServer
from tests.host.caller import Answer, Caller
from tests.host.process import QUICK, plugin, until

SETTINGS = {
    **QUICK,
    "MEM9_ASYNC_CONFIRMATION": "remembered",
    "MEM9_ASYNC_REMEMBER_WINDOW": "12",
}


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[PluginHost]:
    """A plugin that watches what it delivers."""
    async with plugin(tmp_path, SETTINGS) as started:
        yield started


async def _store(call: Caller, texts: list[str], *, sessions: int = 10) -> None:
    for number, text in enumerate(texts):
        await call.done("store", content=text, session_id=f"s{number % sessions}")


def _texts(count: int) -> list[str]:
    return [f"Fact number {number} is about topic {number * 7}." for number in range(count)]


def _stores(server: DevServer) -> int:
    return server.counts.summary()["stores"]  # type: ignore[return-value]


async def _has(server: DevServer, texts: list[str]) -> None:
    """Wait until mem9 has all of it."""

    async def missing() -> set[str]:
        return set(texts) - {memory.content for memory in server.memories}

    await until(missing, lambda left: not left, within_s=300)


async def _over(call: Caller) -> Answer:
    """Wait until nothing is on its way or watched; the last report."""
    return await until(
        lambda: call.done("queue"),
        lambda told: told["depth"] == 0 and told["counts"]["taken"] == 0,
        within_s=300,
    )


async def test_what_a_server_loses_when_it_restarts_is_sent_again(host: PluginHost) -> None:
    """Three times, each in the middle of what it had taken; nothing that came is missing."""
    chance = random.Random(7)
    async with DevServer() as server:
        call = Caller(host, server, server.key)
        await _store(call, ["The first, from which on the server is known."])
        await _over(call)
        texts = _texts(120)
        lost = 0
        for part in range(3):
            # Half of what it takes is there at once, the other half never would be.
            server.model.seconds = lambda: chance.choice((0.0, 3_600.0))
            await _store(call, texts[part * 40 : part * 40 + 40])
            await until(lambda: _waiting(server), lambda waiting: waiting > 0, within_s=300)
            server.model.seconds = 0.0
            lost += server.restart()
        assert lost > 0
        await _has(server, texts)
        told = await _over(call)

    assert told["lost_and_sent_again"] > 0
    assert told["remembered"] + told["unconfirmed"] == len(texts) + 1
    assert told["health"] == "ok", told


async def _waiting(server: DevServer) -> int:
    return server.waiting


async def test_an_outage_of_the_model_loses_nothing(host: PluginHost) -> None:
    """All that it took meanwhile is kept, and goes again when one is seen; the space is told."""
    async with DevServer() as server:
        call = Caller(host, server, server.key)
        await _store(call, ["The first is there before."])
        await _has(server, ["The first is there before."])
        server.model.failing = "error"
        texts = _texts(60)
        await _store(call, texts)
        told = await until(
            lambda: call.done("queue"),
            lambda told: told["health"] == "not_remembering",
            within_s=300,
        )
        assert "language model" in told["health_reason"]
        answer = await call.done("store", content="One more of the outage.", session_id="more")
        assert (answer["delivery"]["state"], answer["delivery"]["reason"]) == (
            "not_remembering",
            "llm_failing",
        )
        server.model.failing = None
        await _store(call, ["The last one is after it."])
        await _has(server, [*texts, "One more of the outage.", "The last one is after it."])
        told = await _over(call)

    assert told["health"] == "ok"
    assert "delivery" not in told


async def test_without_a_language_model_everything_is_stored_word_for_word(
    host: PluginHost,
) -> None:
    """Each job by itself, also what was taken before that was known."""
    async with DevServer(llm=False) as server:
        call = Caller(host, server, server.key)
        texts = _texts(12)
        await _store(call, texts, sessions=3)
        await _has(server, texts)
        told = await _over(call)
        assert told["health"] == "not_remembering"
        await _store(call, ["And one that comes later."])
        await _has(server, ["And one that comes later."])
        assert max(Counter(memory.content for memory in server.memories).values()) == 1


@pytest.mark.parametrize("what", ["chatter", "known already"])
async def test_silence_sends_nothing_again(tmp_path: Path, what: str) -> None:
    """Questions leave no trace, nor does what mem9 knows already."""
    settings = {**SETTINGS, "MEM9_ASYNC_REMEMBER_WINDOW": "4", "MEM9_ASYNC_LANE_GAP_MS": "0"}
    async with plugin(tmp_path, settings) as host, DevServer() as server:
        call = Caller(host, server, server.key)
        if what == "chatter":
            texts = [f"What would you say to number {n}?" for n in range(40)]
        else:
            server.model.failing = "empty"
            texts = _texts(40)
        await _store(call, texts)
        await until(
            lambda: call.done("queue"), lambda told: told["delivered"] == len(texts), within_s=300
        )
        stores = _stores(server)
        told = await _over(call)

        assert (told["unconfirmed"], told["lost_and_sent_again"]) == (len(texts), 0)
        assert _stores(server) == stores


async def test_a_correction_comes_after_what_it_corrects(host: PluginHost) -> None:
    """However much longer mem9 takes for the first."""
    async with DevServer() as server:
        call = Caller(host, server, server.key)
        slow = iter([1.0] * 10)
        server.model.seconds = lambda: next(slow, 0.0)
        people = [f"p{number}" for number in range(10)]
        for person in people:
            await call.done("store", content=f"{person} lives in Oslo.", session_id=person)
        await until(lambda: _waiting(server), lambda waiting: waiting == 10, within_s=300)
        for person in people:
            await call.done("store", content=f"{person} moved to Bergen.", session_id=person)
        await _has(server, [f"{person} moved to Bergen." for person in people])
        order = [memory.content for memory in server.memories]

    for person in people:
        oslo, bergen = f"{person} lives in Oslo.", f"{person} moved to Bergen."
        assert order.index(oslo) < order.index(bergen)


async def test_no_request_carries_more_than_mem9_keeps_facts_of(tmp_path: Path) -> None:
    """Twenty stores of three facts each in one conversation: sixty facts."""
    settings = {**SETTINGS, "MEM9_ASYNC_LINGER_MS": "1000", "MEM9_ASYNC_LINGER_MAX_MS": "60000"}
    async with plugin(tmp_path, settings) as host, DevServer() as server:
        server.model.facts_per_message = 3
        call = Caller(host, server, server.key)
        texts = [f"Number {n} rows. It has bees. It sings." for n in range(20)]
        await _store(call, texts, sessions=1)
        await _has(server, texts)
        await _over(call)

        assert len(server.memories) == 60
        assert _stores(server) == 2


async def test_a_kill_of_ours_forgets_nothing_and_sends_nothing_again(tmp_path: Path) -> None:
    """What was taken before it is watched after it: lost by mem9, it goes again then."""
    async with DevServer() as server:
        server.model.seconds = 3_600.0
        texts = _texts(20)
        settings = {**SETTINGS, "MEM9_ASYNC_REMEMBER_WINDOW": "60"}
        async with plugin(tmp_path, settings) as host:
            call = Caller(host, server, server.key)
            await _store(call, texts, sessions=20)
            await until(
                lambda: call.done("queue"), lambda told: told["counts"]["taken"] == 20, within_s=300
            )
            stores = _stores(server)
            host.kill()
            await host.exited()
        server.model.seconds = 0.0
        async with plugin(tmp_path, settings) as host:
            call = Caller(host, server, server.key)
            told = await until(
                lambda: call.done("queue"), lambda told: told["counts"]["taken"] == 20, within_s=300
            )
            assert (_stores(server), told["depth"]) == (stores, 0)
            job = await call.done("store", content="Another one.", session_id="another")
            server.restart()
            await _has(server, texts)
            await _over(call)
            ended = (await call.done("queue", job_id=job["job_id"]))["job"]["state"]

    assert ended == "remembered"
