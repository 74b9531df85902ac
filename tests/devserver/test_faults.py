"""Trouble on demand, counters, and the rate limiter."""

import asyncio
import dataclasses

import aiohttp
import pytest

from mem9_async.devserver.faults import PRESETS, Fault
from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller


async def test_a_fault_answers_the_next_matching_requests_and_is_spent(
    api: Caller, server: DevServer
) -> None:
    """Nothing is stored meanwhile; other requests pass."""
    server.faults.add(
        Fault(
            times=2, meter="write", status=503, body={"error": "no"}, headers={"Retry-After": "3"}
        )
    )

    for _ in range(2):
        answer = await api.say("lost", sync=True)
        assert (answer.status, answer.body) == (503, {"error": "no"})
        assert answer.headers["Retry-After"] == "3"
        assert (await api.find()).status == 200
    assert (await api.say("kept", sync=True)).status == 200
    assert [memory.content for memory in server.memories] == ["kept"]


async def test_a_fault_can_strike_one_space_only(api: Caller, server: DevServer) -> None:
    """By key, on v1alpha1 by the tenant in the path."""
    other = dataclasses.replace(api, key=server.provision())
    server.faults.add(Fault(times=None, key=api.key, status=402))

    assert (await api.find()).status == 402
    assert (await dataclasses.replace(api, version="v1alpha1").find()).status == 402
    assert (await other.find()).status == 200
    server.faults.clear()
    assert (await api.find()).status == 200


async def test_an_answer_can_be_replaced_after_the_work_was_done(
    api: Caller, server: DevServer
) -> None:
    """As when the server commits and then stumbles."""
    server.faults.add(Fault(perform=True, status=503, body="a proxy's page"))
    answer = await api.say("stored all the same", sync=True)

    assert (answer.status, answer.text) == (503, "a proxy's page")
    assert len(server.memories) == 1


async def test_a_connection_can_be_cut(api: Caller, server: DevServer) -> None:
    """Before the work or after it."""
    for perform, count in ((False, 0), (True, 1)):
        server.faults.add(Fault(cut=True, perform=perform))
        with pytest.raises(aiohttp.ClientError):
            await api.say("cut", sync=True)
        assert len(server.memories) == count


async def test_a_fault_may_only_delay(api: Caller, server: DevServer) -> None:
    """The answer is the true one."""
    server.faults.add(Fault(delay_s=0.05))
    loop = asyncio.get_running_loop()
    before_s = loop.time()

    assert (await api.find()).status == 200
    assert loop.time() - before_s >= 0.05


@pytest.mark.parametrize("preset", sorted(PRESETS))
async def test_every_preset_can_be_ordered_over_http_and_strikes(api: Caller, preset: str) -> None:
    """For people who want to see what the plugin makes of it."""
    ordered = await api.ask("POST", "/_dev/faults", {"preset": preset, "times": 1})
    assert ordered.status == 201
    assert len(ordered.body["faults"]) == 1
    answer = await (api.find(q="x") if PRESETS[preset].meter == "recall" else api.say("x"))

    assert answer.status == PRESETS[preset].status
    assert answer.body == PRESETS[preset].body
    assert (await api.ask("GET", "/_dev/faults")).body == {"faults": []}


async def test_a_wrong_order_is_refused_and_a_fault_can_be_taken_back(api: Caller) -> None:
    """Unknown presets and fields say so."""
    for order in ({"preset": "flood"}, {"colour": "red"}, {"times": 0}):
        assert (await api.ask("POST", "/_dev/faults", order)).status == 400
    assert (await api.ask("POST", "/_dev/faults", raw=b"{")).status == 400
    await api.ask("POST", "/_dev/faults", {"status": 500, "times": None})

    assert (await api.ask("DELETE", "/_dev/faults")).body == {"faults": []}
    assert (await api.find()).status == 200


async def test_requests_are_counted_by_what_they_cost(api: Caller) -> None:
    """A list is free, a query a recall, everything that changes a write."""
    await api.say("tea", sync=True)
    memory_id = (await api.find()).body["memories"][0]["id"]
    await api.find(q="tea")
    await api.ask("PUT", f"memories/{memory_id}", {})
    await api.ask("GET", f"memories/{memory_id}")
    await api.ask("POST", "memories/batch-delete", {"ids": [memory_id]})
    await api.ask("DELETE", f"memories/{memory_id}")
    await dataclasses.replace(api, version="v1alpha1").say("x")

    assert (await api.ask("GET", "/_dev/requests")).body == {
        "total": 8,
        "writes": 5,
        "recalls": 1,
        "stores": 2,
        "by_status": {"200": 6, "202": 1, "204": 1},
    }


async def test_the_log_of_requests_shows_what_was_sent_and_is_bounded(api: Caller) -> None:
    """In order of arrival, with body, agent and key."""
    async with DevServer(log_size=2) as server:
        caller = dataclasses.replace(api, base_url=server.base_url, key=server.key, agent="alpha")
        for content in ("one", "two", "three"):
            await caller.store(content=content)

        assert [record.body for record in server.requests] == [
            b'{"content": "two"}',
            b'{"content": "three"}',
        ]
        last = server.requests[-1]
        assert (last.agent_id, last.key, last.meter, last.status) == (
            "alpha",
            server.key,
            "write",
            202,
        )


async def test_the_rate_limiter_is_off_unless_asked_for(api: Caller) -> None:
    """Then it refuses before the key is looked at, without a hint when to come back."""
    for _ in range(250):
        assert (await api.ask("GET", "/healthz")).status == 200

    async with DevServer(rate_limit_rps=0.001, rate_burst=3) as server:
        caller = dataclasses.replace(api, base_url=server.base_url, key="nobody")
        statuses = [(await caller.find()).status for _ in range(4)]
        refusal = await caller.find()

    assert statuses == [400, 400, 400, 429]
    assert refusal.text == '{"error":"rate limit exceeded"}\n'
    assert "Retry-After" not in refusal.headers
