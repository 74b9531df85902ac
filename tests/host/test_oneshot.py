"""A host that closes stdin after one call and kills at its answer: what was accepted arrives."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from mem9_async.runtime.intake.last_call import REASON
from tests.faults.scripts import error, hang
from tests.faults.server import FaultServer, RefusedPort
from tests.host.oneshot import run_once
from tests.host.process import QUICK, credentials

SETTINGS = {**QUICK, "MEM9_ASYNC_LINGER_MS": "60000", "MEM9_ASYNC_LINGER_MAX_MS": "120000"}
BRIEF = {**SETTINGS, "MEM9_ASYNC_WAIT_TIMEOUT_MS": "1000"}
CONVERSATION = "conv-1"


def _store(number: int) -> dict[str, JsonValue]:
    return {"content": f"fact {number}", "session_id": CONVERSATION}


def _arrived(server: FaultServer) -> list[str]:
    return [text for record in server.records.taken() for text in record.contents]


@pytest.mark.parametrize("confirmation", ["accepted", "remembered"])
async def test_stores_one_after_the_other_are_delivered_in_order(
    tmp_path: Path, confirmation: str
) -> None:
    """Each is taken by mem9 before its process is killed at its end; nothing lingers."""
    settings = {**SETTINGS, "MEM9_ASYNC_CONFIRMATION": confirmation}
    async with FaultServer() as server:
        keys = credentials(server.url, "sk-once")
        for number in range(3):
            answer = await run_once(tmp_path, settings, "memory_store", _store(number), keys)
            assert (answer["ok"], answer["accepted"], answer["status"]) == (True, True, "accepted")
            assert "durability" not in answer
            assert _arrived(server) == [f"fact {n}" for n in range(number + 1)]


@pytest.mark.parametrize("how", ["no mem9", "hanging"])
async def test_what_mem9_does_not_take_is_kept_told_and_goes_first_in_a_later_run(
    tmp_path: Path, how: str
) -> None:
    """Also what a refusal had parked for an hour, or was in flight at two kills."""
    async with FaultServer() as server:
        keys = credentials(server.url, "sk-once")
        match how:
            case "no mem9":
                server.decide = lambda _: error(404, "no such page")
            case _:
                server.decide = lambda _: hang(take=False)
        for number in range(2):
            answer = await run_once(tmp_path, BRIEF, "memory_store", _store(number), keys)
            assert answer["accepted"] is True
            assert answer["durability"] == {"level": "process", "reason": REASON}
        server.clear()
        for number in range(2, 4):
            answer = await run_once(tmp_path, SETTINGS, "memory_store", _store(number), keys)
            assert "durability" not in answer

        arrived = list(dict.fromkeys(_arrived(server)))
        assert arrived == [f"fact {n}" for n in range(4)]


async def test_one_who_waits_is_told_what_happened_and_that_it_is_kept(tmp_path: Path) -> None:
    """As with a host that lets us live."""
    with RefusedPort() as refused:
        keys = credentials(refused.url, "sk-once")
        waiting = {**_store(0), "wait": True}
        answer = await run_once(tmp_path, BRIEF, "memory_store", waiting, keys)

    assert (answer["ok"], answer["accepted"], answer["status"]) == (False, True, "queued")
    assert answer["code"] == "connection_refused"
    assert answer["durability"] == {"level": "process", "reason": REASON}


async def test_a_search_is_answered(tmp_path: Path) -> None:
    """It needs nobody to live on."""
    async with FaultServer() as server:
        keys = credentials(server.url, "sk-once")
        answer = await run_once(tmp_path, SETTINGS, "memory_search", {"query": "tea"}, keys)

    assert (answer["ok"], answer["memories"]) == (True, [])
