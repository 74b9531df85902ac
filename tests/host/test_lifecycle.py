"""A memory's life through all tools, and the queue's own view of it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.devserver.faults import Fault
from mem9_async.devserver.server import DevServer
from tests.host.caller import Caller
from tests.host.process import HELD_BACK, plugin, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACT = "User's favourite editor is Helix"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PluginHost]:
    """A plugin that sends nothing until it is told to."""
    async with plugin(tmp_path_factory.mktemp("patient"), HELD_BACK) as host:
        yield host


async def test_a_memory_is_found_on_its_way_and_after_and_can_be_changed_and_deleted(
    host: PluginHost,
) -> None:
    """Store, search at once, deliver, search, get, update, list, delete, search again."""
    async with DevServer(ingest_delay_s=3_600) as server:
        call = Caller(host, server, server.key)
        stored = await call.done("store", content=FACT, session_id="conv-1")

        at_once = await call.done("search", query="favourite editor")
        assert at_once["memories"] == []
        (pending,) = at_once["pending"]
        assert (pending["content"], pending["job_id"]) == (FACT, stored["job_id"])
        assert at_once["retry"]["reason"] == "pending_writes"

        await until(lambda: call.job(stored["job_id"]), lambda job: job["state"] == "delivered")
        taken = await call.done("search", query="favourite editor")
        assert [entry["state"] for entry in taken["pending"]] == ["delivered"]

        server.ingest_now()
        after = await call.done("search", query="favourite editor")
        (found,) = after["memories"]
        assert (found["content"], after.get("pending")) == (FACT, None)
        memory_id = found["id"]

        assert (await call.done("get", memory_id=memory_id))["memory"]["content"] == FACT
        changed = "User's favourite editor is Zed"
        updated = await call.done("update", memory_id=memory_id, content=changed, tags="tools")
        assert updated["memory"]["content"] == changed
        (listed,) = (await call.done("list"))["memories"]
        assert (listed["content"], listed["tags"]) == (changed, ["tools"])
        assert (await call.done("delete", memory_ids=memory_id))["deleted"] == 1
        assert (await call.done("delete", memory_ids=memory_id))["deleted"] == 0

        gone = await call.done("search", query="favourite editor")
        assert gone.get("pending") is None
        # On TiDB mem9 keeps the raw message as well; no call deletes that.
        assert [memory["memory_type"] for memory in gone["memories"]] == ["session"]
        missing = await call("get", memory_id=memory_id)
        assert (missing["ok"], missing["code"]) == (False, "not_found")


async def test_pending_writes_are_shown_in_their_own_session_only(patient: PluginHost) -> None:
    """A search within a session looks there; one without looks everywhere; one may look away."""
    async with DevServer() as server:
        call = Caller(patient, server, server.key)
        await call.done("store", content=FACT, session_id="conv-1")
        await call.done("store", content="用户最喜欢的编辑器是 Helix", session_id="conv-2")

        async def pending(**parameters: JsonValue) -> list[str]:
            answer = await call.done("search", **parameters)
            return [entry["content"] for entry in answer.get("pending", [])]

        assert await pending(query="favourite editor", session_id="conv-1") == [FACT]
        assert await pending(query="favourite editor", session_id="conv-2") == []
        assert await pending(query="favourite editor") == [FACT]
        assert await pending(query="喜欢的编辑器") == ["用户最喜欢的编辑器是 Helix"]
        assert await pending(query="favourite food") == []
        assert await pending(query="favourite editor", include_pending=False) == []


async def test_the_queue_shows_what_waits_and_flush_sends_it(patient: PluginHost) -> None:
    """Counts, ages, lanes; then everything delivered."""
    async with DevServer() as server:
        call = Caller(patient, server, server.key)
        jobs = [
            (await call.done("store", content=f"{FACT} {n}", session_id=f"conv-{n % 2}"))["job_id"]
            for n in range(4)
        ]
        status = await call.done("queue")
        assert (status["depth"], status["counts"]["available"], status["delivered"]) == (4, 4, 0)
        assert sorted((lane["session_id"], lane["depth"]) for lane in status["lanes"]) == [
            ("conv-0", 2),
            ("conv-1", 2),
        ]
        assert status["oldest_age_s"] >= 0
        assert (status["health"], status["durability"]) == ("ok", "process")
        assert (await call.job(jobs[0]))["state"] == "available"
        assert list(server.requests) == []

        assert (await call.done("queue", action="flush"))["affected"] == 4
        emptied = await until(lambda: call.done("queue"), lambda answer: answer["depth"] == 0)
        assert emptied["delivered"] == 4
        assert (await call.job(jobs[0]))["state"] == "delivered"
        assert len([asked for asked in server.requests if asked.method == "POST"]) == 2


async def test_a_store_that_waits_does_not_wait_for_company(patient: PluginHost) -> None:
    """It closes its batch, and takes along what was waiting before it."""
    async with DevServer() as server:
        call = Caller(patient, server, server.key)
        await call.done("store", content=f"{FACT} 1")
        answer = await call.done("store", content=f"{FACT} 2", wait=True)
        assert answer["status"] == "accepted"
        assert len([asked for asked in server.requests if asked.method == "POST"]) == 1
        assert (await call.done("queue"))["delivered"] == 2


async def test_equal_content_waiting_in_one_session_is_taken_once(patient: PluginHost) -> None:
    """The second caller gets the first one's job."""
    async with DevServer() as server:
        call = Caller(patient, server, server.key)
        first = await call.done("store", content=FACT, session_id="conv-1")
        second = await call.done("store", content=FACT, session_id="conv-1")
        other = await call.done("store", content=FACT, session_id="conv-2")
        assert (first.get("deduplicated"), second["deduplicated"]) == (None, True)
        assert second["job_id"] == first["job_id"]
        assert other["job_id"] != first["job_id"]


async def test_a_job_refused_for_good_is_shelved_told_and_sent_again_on_request(
    host: PluginHost,
) -> None:
    """Only it: its neighbours in the batch are delivered."""
    async with DevServer() as server:
        call = Caller(host, server, server.key)
        server.faults.add(Fault(times=None, meter="write", status=422, body={"error": "no"}))
        refused = await call("store", content=FACT, wait=True)
        assert (refused["ok"], refused["code"]) == (False, "rejected")

        status = await until(lambda: call.done("queue"), lambda answer: "delivery" in answer)
        assert (status["counts"]["dead"], status["depth"]) == (1, 0)
        assert status["last_errors"][0]["job_id"] == refused["job_id"]
        assert (await call.job(refused["job_id"]))["state"] == "dead"

        server.faults.clear()
        assert (await call.done("queue", action="retry_dead"))["affected"] == 1
        await until(lambda: call.job(refused["job_id"]), lambda job: job["state"] == "delivered")
        assert "delivery" not in await call.done("queue")


async def test_another_key_sees_nothing_of_a_space(patient: PluginHost) -> None:
    """No job, no lane, no trouble, no pending write, and moves nothing."""
    async with DevServer() as server:
        mine = Caller(patient, server, server.key)
        other = Caller(patient, server, server.provision())
        job_id = (await mine.done("store", content=FACT, session_id="conv-1"))["job_id"]

        status = await other.done("queue", job_id=job_id)
        assert (status["depth"], status["lanes"], status["job"]["state"]) == (0, [], "unknown")
        assert sum(status["counts"].values()) == 0
        assert (await other.done("queue", action="flush"))["affected"] == 0
        found = await other.done("search", query="favourite editor")
        assert (found["memories"], found.get("pending")) == ([], None)
        assert (await mine.job(job_id))["state"] == "available"


async def test_a_pinned_memory_keeps_its_words_tags_and_metadata_and_answers_with_its_id(
    host: PluginHost,
) -> None:
    """The path without extraction, waited for."""
    async with DevServer() as server:
        call = Caller(host, server, server.key)
        stored = await call.done(
            "store", content=FACT, pinned=True, tags="a, b", metadata='{"x": 1}', wait=True
        )
        assert (stored["status"], stored["searchable_now"]) == ("ok", True)
        memory = (await call.done("get", memory_id=stored["memory_id"]))["memory"]
        assert (memory["content"], memory["memory_type"]) == (FACT, "pinned")
        assert (memory["tags"], memory["metadata"]) == (["a", "b"], {"x": 1})


async def test_a_whole_turn_is_stored_with_its_roles(host: PluginHost) -> None:
    """As one job, in the order it was said."""
    async with DevServer() as server:
        call = Caller(host, server, server.key)
        turn = '[{"role":"user","content":"I use Helix"},{"role":"assistant","content":"Noted"}]'
        await call.done("store", messages=turn, session_id="conv-1", wait=True)
        (asked,) = (asked for asked in server.requests if asked.method == "POST")
        assert b'"role":"user","content":"I use Helix"' in asked.body
        assert b'"role":"assistant","content":"Noted"' in asked.body
