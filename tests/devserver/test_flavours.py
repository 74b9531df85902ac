"""Set-ups of mem9 that differ: PostgreSQL, missing models, failing and slow ones, restarts."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from mem9_async.devserver.model import Failure
from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller
from tests.devserver.conftest import Clock


@pytest.fixture
async def postgres(clock: Clock) -> AsyncIterator[DevServer]:
    """A mem9 on PostgreSQL with both models."""
    async with DevServer(database="postgres", now_s=clock) as server:
        yield server


@pytest.fixture
def on_postgres(postgres: DevServer, session: aiohttp.ClientSession) -> Caller:
    """Someone with its key."""
    return Caller(session, postgres.base_url, postgres.key)


async def test_postgres_has_no_raw_messages_and_makes_no_spaces(on_postgres: Caller) -> None:
    """501 for a session, 400 for a new space."""
    await on_postgres.say("I keep bees.", sync=True)
    raw = await on_postgres.ask("GET", "session-messages?session_id=s1")
    made = await on_postgres.ask("POST", "/v1alpha1/mem9s")

    assert (await on_postgres.find(q="bees", memory_type="session")).contents == []
    assert (raw.status, raw.error) == (501, "session messages: not supported")
    assert (made.status, made.error) == (
        400,
        'auto-provisioning requires tidb backend; got "postgres"',
    )


async def test_postgres_keeps_microseconds_and_tidb_whole_seconds(
    on_postgres: Caller, api: Caller, clock: Clock
) -> None:
    """So two changes within a second have an order on one of them only."""
    clock.advance(0.25)
    for caller, ends in ((on_postgres, ".25Z"), (api, "0Z")):
        await caller.say("I keep bees.", sync=True)
        (memory,) = (await caller.find()).body["memories"]
        assert memory["updated_at"].endswith(ends)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "memories", {"content": "a\0b", "sync": True}),
        ("POST", "memories", {"content": "ab", "memory_type": "pinned", "tags": ["\0"]}),
        ("POST", "memories", {"content": "a", "memory_type": "pinned", "metadata": {"\0": [1]}}),
        ("POST", "memories", {"content": "a", "agent_id": "\0", "memory_type": "pinned"}),
        ("GET", "memories?q=a%00", None),
        ("GET", "memories?q=%FF", None),
        ("GET", "memories?agent_id=%00", None),
        ("GET", "memories/%00", None),
        ("DELETE", "memories/%00", None),
        ("POST", "memories/batch-delete", {"ids": ["\0"]}),
    ],
)
async def test_postgres_takes_no_nul_and_no_broken_character(
    on_postgres: Caller, api: Caller, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """500 there, and no 500 on TiDB."""
    refused = await on_postgres.ask(method, path, body)

    assert (refused.status, refused.error) == (500, "internal server error")
    assert (await api.ask(method, path, body)).status < 500


@pytest.mark.parametrize(
    ("failing", "sync_status", "kept"),
    [(None, 200, 1), ("error", 500, 0), ("bad_json", 500, 0), ("empty", 200, 0),
     ("reconcile", 200, 0)],
)  # fmt: skip
async def test_a_model_that_fails_loses_what_was_accepted(
    api: Caller, server: DevServer, failing: Failure | None, sync_status: int, kept: int
) -> None:
    """202 whatever comes of it; and 200 to a synchronous store proves little."""
    server.model.failing = failing
    assert (await api.say("I keep bees.")).status == 202
    server.ingest_now()
    assert len(server.memories) == kept

    assert (await api.say("I row.", sync=True)).status == sync_status
    assert len(server.memories) == 2 * kept
    counted = (await api.ask("GET", "/metrics")).text
    failed = {"error": "extraction_and_classification", "bad_json": "extraction_and_classification",
              "reconcile": "reconciliation"}.get(failing or "")  # fmt: skip
    assert ('status="error"' in counted) == (failed is not None)
    if failed is not None:
        assert f'model="embedded",status="error",step="{failed}"}} 2' in counted


async def test_metrics_know_of_no_model_where_there_is_none(bare_api: Caller, api: Caller) -> None:
    """The series appear with the first call, and never without a model."""
    for caller, called in ((bare_api, False), (api, True)):
        await caller.say("I keep bees.", sync=True)
        text = (await caller.ask("GET", "/metrics")).text
        assert ("mnemo_llm_requests_by_step_total" in text) == called
        route = 'method="POST",route="/v1alpha2/mem9s/memories",status="200"'
        assert f"mnemo_http_requests_total{{{route}}} 1" in text


async def test_each_store_is_worked_on_by_itself(api: Caller, server: DevServer) -> None:
    """A slow extraction does not hold the next one: what came later is there first."""
    times = iter((3_600.0, 0.0))
    server.model.seconds = lambda: next(times)
    await api.say("I live in Oslo.")
    await api.say("I moved to Bergen.")

    assert (await api.find()).contents == ["I moved to Bergen."]
    server.ingest_now()
    assert [memory.content for memory in server.memories][1:] == ["I live in Oslo."]


async def test_a_restart_loses_what_was_in_hand_and_shows(api: Caller, server: DevServer) -> None:
    """`/versionz` has a newer start; what was ingested stays."""
    await api.say("I keep bees.", sync=True)
    before = (await api.ask("GET", "/versionz")).body["started_at"]
    server.model.seconds = 3_600.0
    await api.say("I row.")
    assert server.restart() == 1

    after = (await api.ask("GET", "/versionz")).body["started_at"]
    assert after > before
    server.ingest_now()
    assert [memory.content for memory in server.memories] == ["I keep bees."]


async def test_a_message_may_give_several_facts_of_which_fifty_are_kept(
    api: Caller, server: DevServer
) -> None:
    """Of a request, not of a message."""
    server.model.facts_per_message = 3
    await api.say(*(f"Fact {n}." for n in range(20)), sync=True)

    assert len(server.memories) == 50
    assert server.memories[2].content == "Fact 0. (part 3)"


async def test_imports_are_taken_and_listed(api: Caller) -> None:
    """Empty at first; without a form it is 400, an unknown one 404."""
    assert (await api.ask("GET", "imports")).body == {"status": "empty", "tasks": []}
    assert (await api.ask("GET", "imports/none")).error == "not found"
    refused = await api.ask("POST", "imports", {"file": "x"})
    assert refused.status == 400
    assert refused.error is not None
    assert refused.error.startswith("invalid multipart form or file too large")

    form = aiohttp.FormData({"file_type": "memory"})
    form.add_field("file", b"a\nb\n", filename="notes.txt")
    url = f"{api.base_url}/v1alpha2/mem9s/imports"
    async with api.session.post(url, data=form, headers={"X-API-Key": api.key}) as answer:
        taken = await answer.json()
    assert (answer.status, taken["status"]) == (202, "pending")
    listed = (await api.ask("GET", "imports")).body
    assert (listed["status"], listed["tasks"][0]["file"]) == ("processing", "notes.txt")
    assert (await api.ask("GET", f"imports/{taken['id']}")).body["id"] == taken["id"]


@pytest.mark.parametrize(
    ("path", "status", "in_json"),
    [("memories/a%2Fb", 404, True), ("memories/", 404, False), ("memories/none", 404, True)],
)
async def test_an_encoded_slash_belongs_to_the_id(
    api: Caller, path: str, status: int, *, in_json: bool
) -> None:
    """By JSON or text a client tells a missing memory from a missing route."""
    answer = await api.ask("GET", path)

    assert (answer.status, answer.body is not None) == (status, in_json)


async def test_parameters_are_read_as_go_reads_them(api: Caller) -> None:
    """A pair with a semicolon or a broken escape counts as not sent; numbers have no length."""
    await dataclasses.replace(api, agent="alpha").say("I keep bees.", sync=True)

    for query in ("agent_id=beta;x", "agent_id=%zz", "q=;&agent_id=alpha"):
        assert (await api.ask("GET", f"memories?{query}")).body["total"] == 1
    far = (await api.ask("GET", f"memories?offset={'9' * 20}")).body
    assert (far["offset"], far["memories"]) == (2**63 - 1, [])
    assert (await api.ask("GET", "memories?memory_type=%20insight")).body["total"] == 0
    assert (await api.ask("GET", "memories?memory_type=%20insight,pinned")).body["total"] == 1


async def test_a_query_of_thousands_of_characters_is_taken(api: Caller) -> None:
    """36 KB of address, as a Go server takes them."""
    assert (await api.find(q="记" * 4_000)).status == 200
