"""What the free routes tell, and that nothing comes of their failing."""

import time
from collections.abc import AsyncIterator

import pytest

from mem9_async.client.evidence import Evidence
from mem9_async.devserver.server import DevServer
from mem9_async.models.evidence import ModelCalls, fingerprint
from tests.client.builders import client, space
from tests.client.peers import hangs, http, peer, resets, says


@pytest.fixture
async def evidence() -> AsyncIterator[Evidence]:
    """That of a client."""
    asking = client()
    yield asking.evidence
    await asking.aclose()


async def test_a_server_that_hangs_is_not_waited_for(evidence: Evidence) -> None:
    """Its time is up; there is nothing to be had."""
    evidence._timeout_s = 0.2
    async with peer(hangs()) as server:
        assert await evidence.process(server.url) is None
        assert await evidence.model_calls(server.url) is None


async def test_facts_come_with_the_messages_that_they_are_of(evidence: Evidence) -> None:
    """By our own clock, which the server's Date corrects."""
    async with DevServer() as server:
        asked = space(server.base_url, server.key)
        assert await evidence.newest_facts(asked, "dify") == []
        began = time.time()
        body = (
            b'{"messages": [{"role": "user", "content": "I row.", "seq": 0}],'
            b' "agent_id": "dify", "session_id": "s", "sync": true}'
        )
        await _post(server, body)
        (fact,) = await evidence.newest_facts(asked, "dify") or []

        assert (fact.session_id, fact.text) == ("s", fingerprint("I row."))
        assert fact.turns == {fingerprint("I row.")}
        assert abs(fact.updated_at - began) < 60
        assert await evidence.newest_facts(asked, "other") == []
        assert await evidence.model_calls(server.base_url) == ModelCalls(2, 0, 1)
        process = await evidence.process(server.base_url)
        assert process is not None
        assert abs(process.began_at - began) < 60


async def test_a_clock_that_is_years_off_is_corrected(evidence: Evidence) -> None:
    """Only differences within the server's own time are believed."""
    date = b"Date: Fri, 01 Jan 2100 00:00:10 GMT"
    answer = http(200, b'{"started_at": "2100-01-01T00:00:00.5Z"}', date)
    async with peer(says(answer)) as server:
        before = time.time()
        process = await evidence.process(server.url)

    assert process is not None
    assert process.began > before + 1e9
    assert -60 < process.began_at - before < 60


@pytest.mark.parametrize(
    "script",
    [
        says(http(404, b"404 page not found")),
        says(http(500, b"{}")),
        says(http(200, b"<html>sign in</html>")),
        says(http(200, b'{"started_at": 7, "memories": "none"}')),
        says(http(200, b'{"started_at": "yesterday", "memories": [{"updated_at": "x"}]}')),
        says(http(200, b"# metrics of something else\nup 1\n")),
        resets(),
    ],
)
async def test_where_it_cannot_be_had_there_is_none(evidence: Evidence, script: object) -> None:
    """Nothing is raised, whatever answers there."""
    async with peer(script) as server:  # type: ignore[arg-type]
        assert not await evidence.newest_facts(space(server.url), "dify")
        assert await evidence.process(server.url) is None
        assert await evidence.model_calls(server.url) is None


async def test_counters_are_read_by_their_labels_in_any_order(evidence: Evidence) -> None:
    """Reads are no stores, and refused stores are none either."""
    text = b"""# HELP mnemo_http_requests_total Total
mnemo_http_requests_total{method="GET",route="/v1alpha2/mem9s/memories",status="200"} 90
mnemo_http_requests_total{method="POST",route="/v1alpha2/mem9s/memories",status="202"} 7
mnemo_http_requests_total{method="POST",route="/v1alpha1/mem9s/{tenantID}/memories",status="200"} 2
mnemo_http_requests_total{method="POST",route="/v1alpha2/mem9s/memories",status="400"} 5
mnemo_llm_requests_by_step_total{model="m",status="success",step="extraction"} 1e+01
mnemo_llm_requests_by_step_total{status="error",step="reconciliation",model="m"} 3
"""
    async with peer(says(http(200, text))) as server:
        assert await evidence.model_calls(server.url) == ModelCalls(good=10, failed=3, stores=9)


async def _post(server: DevServer, body: bytes) -> None:
    import aiohttp

    url = f"{server.base_url}/v1alpha2/mem9s/memories"
    async with aiohttp.ClientSession() as session:
        headers = {"X-API-Key": server.key, "X-Mnemo-Agent-Id": "dify"}
        async with session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 200


async def test_a_list_that_was_cut_short_is_no_evidence(evidence: Evidence) -> None:
    """A fact that is missing from it may be there."""
    answer = http(200, b'{"memories": [], "partial": true}')
    async with peer(says(answer)) as server:
        assert await evidence.newest_facts(space(server.url), "dify") is None
