"""Dify's agent runtime and the real process: prepare within its time, observe once and in order."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.devserver.server import DevServer
from tests.faults.record import Record
from tests.faults.scripts import accept
from tests.faults.server import FaultServer
from tests.host.caller import said
from tests.host.conftest import Stage
from tests.host.process import QUICK, credentials, eventually, plugin, until
from tests.host.scripted import NOTHING, Reply

EVENTS = 200
SETTINGS = {**QUICK, "MEM9_ASYNC_BATCH_MAX_JOBS": "100"}
NONE_KNOWN = {"status": "empty", "content": None, "content_bytes": 0}
Answer = dict[str, JsonValue]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(data_dir: Path) -> AsyncIterator[PluginHost]:
    """The module's plugin process, with large batches."""
    async with plugin(data_dir, SETTINGS) as host:
        yield host


class Runtime:
    """Calls both tools for one subject in one app, as Dify does; checks the form of each answer."""

    def __init__(
        self, host: PluginHost, keys: Answer, *, app: str = "app-1", subject: str = "ann"
    ) -> None:
        self._host = host
        self._keys = keys
        self._context: Answer = {"app_id": app, "subject_kind": "user", "subject_id": subject}
        self._subject = subject

    async def observe(self, text: str, number: int = 1) -> None:
        """Tell one event, which is accepted: what the user said, and the answer, by turns."""
        told = self._event(text, number)
        answer = await self._host.invoke("memory_observe", told, self._keys)
        assert answer.objects == ({"status": "accepted"},)

    def _event(self, text: str, number: int) -> Answer:
        request: Answer = {
            "event_id": f"run-1:{number}",
            "event": "user_prompt" if number % 2 else "model_response",
            "sequence": number,
            "payload": {"text": text},
            "metadata": {"run_id": "run-1"},
            "max_bytes": 8_192,
        }
        return {"memory_context": self._context, "request": request}

    async def prepare(self, query: str, *, max_bytes: int = 8_000, timeout_s: int = 8) -> Answer:
        """What is known, in the form that Dify checks; the guard is far above every limit."""
        parameters: Answer = {
            "memory_context": self._context,
            "request": {"query": query, "max_bytes": max_bytes},
            "timeout_s": timeout_s,
        }
        answer = await self._host.invoke("memory_prepare", parameters, self._keys, timeout_s=300)
        (told,) = answer.objects
        assert isinstance(told, dict)
        if told != NONE_KNOWN:
            assert told["status"] == "ready"
            size = len(str(told["content"]).encode())
            assert told["content_bytes"] == size
            assert 1 <= size <= max_bytes
        return told

    async def search(self, query: str) -> list[object]:
        """What memory_search shows the same user."""
        answer = await self._host.invoke(
            "memory_search", {"query": query}, self._keys, user_id=self._subject
        )
        return [memory["content"] for memory in said(answer)["memories"]]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "replies"),
    [
        ("fails", (Reply.json(500, {"error": "internal server error"}),)),
        ("ends", (NOTHING,)),
        ("none", ()),
        ("hangs", (Reply(delay_s=600),)),
    ],
)
async def test_a_run_is_prepared_whatever_mem9_does(
    stage: Stage, name: str, replies: tuple[Reply, ...]
) -> None:
    """With nothing, once; and with what is on its way, also of a run a moment ago."""
    keys = credentials(stage.mem9.base_url(f"prepare-{name}", *replies), f"sk-{name}")
    runtime = Runtime(stage.host, keys)
    stage.mem9.answer_stores(f"prepare-{name}", Reply(status=503))
    assert await runtime.prepare("What do I like?", timeout_s=1) == NONE_KNOWN

    await runtime.observe("I like tea")
    told = await runtime.prepare("Good morning", timeout_s=1)
    assert "I like tea" in str(told["content"])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("max_bytes", [512, 8_000, 32_768])
async def test_a_hundred_large_memories_are_told_in_whole_lines(
    stage: Stage, max_bytes: int
) -> None:
    """Best first, as many as fit."""
    rows: list[JsonValue] = [
        {"id": str(n), "content": f"fact {n}: " + "ä" * 8_000, "memory_type": "insight"}
        for n in range(100)
    ]
    page = Reply.json(200, {"memories": rows, "total": 100, "limit": 30, "offset": 0})
    keys = credentials(stage.mem9.base_url(f"large-{max_bytes}", page), "sk-large")
    told = await Runtime(stage.host, keys).prepare("fact", max_bytes=max_bytes)
    opening, *lines, closing = str(told["content"]).splitlines()

    assert (opening, closing) == ("<relevant-memories>", "</relevant-memories>")
    numbers = [int(line.removeprefix("- fact ").partition(":")[0]) for line in lines]
    assert numbers == list(range(min(10, len(lines))))
    assert all(line.endswith("…") for line in lines)
    (asked,) = stage.mem9.of_memories(f"large-{max_bytes}")
    assert asked.query["agent_id"] == asked.headers["X-Mnemo-Agent-Id"] != "dify"


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_of_a_subject_or_an_app_is_told_to_another(host: PluginHost) -> None:
    """Neither on its way nor kept by mem9."""
    async with DevServer(ingest_delay_s=3_600) as server:
        keys = credentials(server.base_url, server.key)
        ann = Runtime(host, keys)
        others = (
            Runtime(host, keys, subject="bob"),
            Runtime(host, keys, app="app-2"),
        )
        await ann.observe("I like jasmine tea")
        for taken in (False, True):
            if taken:
                await eventually(lambda: server.waiting > 0)
                server.ingest_now()
            assert "jasmine tea" in str((await ann.prepare("jasmine tea"))["content"])
            for other in others:
                assert await other.prepare("jasmine tea") == NONE_KNOWN


@pytest.mark.asyncio(loop_scope="module")
async def test_a_search_of_the_same_user_finds_what_was_observed(host: PluginHost) -> None:
    """Where memories are kept apart by user."""
    async with DevServer() as server:
        keys = credentials(server.base_url, server.key, isolation="per_user")
        ann, bob = Runtime(host, keys), Runtime(host, keys, subject="bob")
        await ann.observe("I like jasmine tea")
        await until(lambda: ann.search("jasmine tea"), bool)

        assert await bob.search("jasmine tea") == []


def _events(server: FaultServer) -> list[tuple[str, str]]:
    """Role and content in the order in which they came; a batch sent again counts once."""
    bodies: dict[str | None, Record] = {}
    for record in server.records.taken():
        bodies.setdefault(record.sha256, record)
    stores = [record.store for record in bodies.values() if record.store is not None]
    return [(each.role, each.content) for store in stores for each in store.messages]


ALL_OF_THEM = [
    ("user" if number % 2 else "assistant", f"event {number}") for number in range(1, EVENTS + 1)
]


@pytest.mark.asyncio(loop_scope="module")
async def test_two_hundred_events_do_not_wait_for_a_slow_mem9_and_arrive_once_in_order(
    host: PluginHost,
) -> None:
    """Each answer of mem9 takes a second; no answer to an event waits for one."""
    async with FaultServer() as server:
        server.decide = lambda _: accept(delay_s=1.0)
        runtime = Runtime(host, credentials(server.url, "sk-slow"))
        for number in range(1, EVENTS + 1):
            await runtime.observe(f"event {number}", number)
        await eventually(lambda: len(server.records.arrived) == EVENTS)

        assert _events(server) == ALL_OF_THEM
        (session,) = {record.session_id for record in server.records.taken()}
        assert session == "run-1"


async def test_events_told_again_after_a_kill_arrive_once_in_order(tmp_path: Path) -> None:
    """Some were delivered, some on their way, some waiting, some never told."""
    async with FaultServer() as server:
        server.decide = lambda _: accept(delay_s=0.3)
        keys = credentials(server.url, "sk-killed")
        async with plugin(tmp_path, SETTINGS) as host:
            for number in range(1, 121):
                await Runtime(host, keys).observe(f"event {number}", number)
                if number == 60:
                    await eventually(lambda: len(server.records.arrived) > 0)
        assert 0 < len(server.records.arrived) < EVENTS
        async with plugin(tmp_path, SETTINGS) as host:
            for number in range(1, EVENTS + 1):
                await Runtime(host, keys).observe(f"event {number}", number)
            await eventually(lambda: len(server.records.arrived) == EVENTS)
            await eventually(lambda: all(each.finished_at for each in server.records))

            assert _events(server) == ALL_OF_THEM
