"""Looking into a running plugin: its control socket, well used and badly."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.cli.queue.questions import listed, stories
from mem9_async.cli.queue.standing import standing
from mem9_async.cli.queue.targets import Targets
from mem9_async.devserver.faults import Fault
from mem9_async.devserver.server import DevServer
from mem9_async.models.inspection import ChangeAsk, HoldAsk, JobFilter, JobStory
from mem9_async.models.job import JobState
from mem9_async.runtime.control.address import sockets
from mem9_async.settings import Settings
from tests.host.caller import Caller
from tests.host.process import QUICK, eventually, plugin, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEAD = JobFilter(states=(JobState.DEAD,))
CANARY = "canary-4711"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin's data directory; its path is longer than a socket's may be."""
    return tmp_path_factory.mktemp("operated") / ("d" * 100)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(data: Path) -> AsyncIterator[PluginHost]:
    """A plugin there."""
    async with plugin(data) as host:
        await eventually(lambda: len(sockets(data)) == 1)
        yield host


@pytest.fixture
def targets(data: Path, running: PluginHost) -> Targets:
    """What the command line talks to."""
    return Targets(Settings(data_dir=data))


async def _story(targets: Targets, job_id: str) -> JobStory:
    (story,), _ = await stories(targets, job_id, None, content=False)
    return story


async def test_a_job_is_followed_by_id_and_by_reference_to_its_delivery(
    running: PluginHost, targets: Targets
) -> None:
    """With the log alone, and with `show` alone."""
    async with DevServer() as server:
        call = Caller(running, server, server.key)
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        stored = await call.done("store", content="I keep bees.", reference=trace)
        job_id = stored["job_id"]
        story = await until(
            lambda: _story(targets, job_id), lambda story: story.state == "delivered"
        )

    events = [each.event for each in story.history]
    assert events == ["accepted", "attempt", "delivered"]
    assert (story.reference, story.trace_id) == (trace, "0af7651916cd43dd8448eb211c80319c")
    (by_reference,), _ = await stories(targets, None, trace, content=False)
    assert by_reference == story
    logged = [line.fields for line in running.logs if job_id.encode() in line.raw]
    assert [each["event"] for each in logged if each["level"] != "debug"] == [
        "job.accepted",
        "batch.delivered",
    ]
    assert all(trace in json.dumps(each) for each in logged)


async def test_a_dead_letter_is_seen_and_sent_again(running: PluginHost, targets: Targets) -> None:
    """From accepted to dead letter and back; its past stays with it."""
    async with DevServer() as server:
        call = Caller(running, server, server.key)
        server.faults.add(Fault(times=1, method="POST", status=400, body={"error": "too odd"}))
        stored = await call.done("store", content="I sing.", session_id="odd", reference="run-1")
        job_id = stored["job_id"]
        await until(lambda: listed(targets, DEAD, 10, None), lambda found: len(found[0]) == 1)
        story = await _story(targets, job_id)
        assert (story.state, story.error_type) == ("dead", "rejected")

        replies = await targets.ask(ChangeAsk(do="retry", filter=JobFilter(reference="run-1")))
        assert [reply.result for reply in replies.results] == [{"affected": 1, "skipped": 0}]
        story = await until(
            lambda: _story(targets, job_id), lambda story: story.state == "delivered"
        )

    assert [each.event for each in story.history] == [
        *("accepted", "attempt", "dead", "replayed", "attempt", "delivered"),
    ]


async def test_a_hold_keeps_what_is_stored_and_outlives_the_process(tmp_path: Path) -> None:
    """Shown in the status, in lists and in answers; a discard takes out what it kept."""
    targets = Targets(Settings(data_dir=tmp_path))
    async with DevServer() as server:
        async with plugin(tmp_path) as host:
            await eventually(lambda: len(sockets(tmp_path)) == 1)
            await targets.ask(HoldAsk(do="pause"))
            call = Caller(host, server, server.key)
            stored = [await call.done("store", content=f"fact {n}") for n in range(3)]
            again = await call.done("store", content="one more")
            assert again["delivery"]["reason"] == "paused"
            assert (await call.done("queue"))["parked_reason"] == "paused"
        async with plugin(tmp_path) as host:
            call = Caller(host, server, server.key)
            found = await until(
                lambda: standing(targets),
                lambda found: bool(found.processes) and found.processes[0].depth == 4,
            )
            assert found.processes[0].held_since is not None
            assert found.counts["parked"] == 4
            assert not [each for each in server.requests if each.method == "POST"]
            ids = (stored[0]["job_id"], stored[1]["job_id"])
            replies = await targets.ask(ChangeAsk(do="discard", filter=JobFilter(job_ids=ids)))
            assert replies.results[0].result == {"affected": 2, "skipped": 0}
            await targets.ask(HoldAsk(do="resume"))
            await until(lambda: standing(targets), lambda found: not found.depth)
            gone, kept = await _story(targets, ids[0]), await _story(targets, stored[2]["job_id"])
            assert (gone.state, kept.state) == ("discarded", "delivered")


async def _raw(path: Path, *pieces: bytes) -> list[dict[str, Any]]:
    """Send *pieces*; the answers until the other side closes."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        address = f"/proc/self/fd/{directory}/{path.name}"
        reader, writer = await asyncio.open_unix_connection(address, limit=1 << 24)
    finally:
        os.close(directory)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        return [json.loads(line) for line in (await reader.read()).splitlines()]
    except ConnectionError:
        return []
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\n", "cannot be read"),
        (b"no json\n", "cannot be read"),
        (b'{"do": "rm"}\n', "cannot be read"),
        (b'{"do": "list", "limit": 100000}\n', "cannot be read"),
        (b'{"do": "list", "sql": "x"}\n', "cannot be read"),
        (b'{"do": "show", "job_id": "../../etc"}\n', "cannot be read"),
        (b'{"do": "show", "job_id": "00000000000000000000000000000000"}\n', "nothing is known"),
        (b'{"do": "pause", "space": "ffffffff"}\n', "no space"),
        (b'{"do": "hand_over", "started_at": 0}\n', "started later"),
        (b'{"do": "retry", "filter": {"states": ["available"]}}\n', "flush"),
    ],
)
async def test_nonsense_is_refused_in_words(
    running: PluginHost, data: Path, line: bytes, why: str
) -> None:
    """And the connection goes on."""
    (path,) = sockets(data)
    refused, fine = await _raw(path, line, b'{"do": "status"}\n')

    assert refused["ok"] is False
    assert why in refused["error"]
    assert fine["ok"] is True


async def test_half_a_line_and_too_much_of_one_harm_nobody(running: PluginHost, data: Path) -> None:
    """A hundred megabytes without an end are not kept, and a half line is no request."""
    (path,) = sockets(data)

    assert await _raw(path, b'{"do": "sta') == []
    answers = await _raw(path, *[b"x" * (1 << 20)] * 100)
    assert [answer["ok"] for answer in answers] in ([False], [])
    assert (await _raw(path, b'{"do": "status"}\n'))[0]["ok"] is True


async def test_many_connections_and_one_that_never_reads_hold_up_nobody(
    running: PluginHost, data: Path
) -> None:
    """Some are refused, stores are answered all the while, and then it is as before."""
    (path,) = sockets(data)
    asked: JsonValue = {"do": "list", "limit": 500}
    async with DevServer() as server:
        call = Caller(running, server, server.key)
        with_one = [asyncio.create_task(_raw(path, b'{"do": "status"}\n')) for _ in range(200)]
        directory = os.open(path.parent, os.O_RDONLY)
        _, deaf = await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{path.name}")
        os.close(directory)
        deaf.write((json.dumps(asked) + "\n").encode() * 500)
        for number in range(20):
            await call.done("store", content=f"meanwhile {number}")
        answers = [answer for each in await asyncio.gather(*with_one) for answer in each]
        deaf.close()

    assert any(answer["ok"] for answer in answers)
    assert all(answer["ok"] or "too many" in answer["error"] for answer in answers)
    assert (await _raw(path, b'{"do": "status"}\n'))[0]["ok"] is True


async def test_only_its_own_user_can_reach_it(running: PluginHost, data: Path) -> None:
    """Directory and socket are closed to others."""
    (path,) = sockets(data)

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


async def test_no_content_and_no_key_is_told_unless_asked_for(
    running: PluginHost, targets: Targets, data: Path
) -> None:
    """In no answer of the socket, no file beside the journal, no line of the log."""
    async with DevServer() as server:
        call = Caller(running, server, server.key)
        await targets.ask(HoldAsk(do="pause"))
        stored = await call.done("store", content=f"My word is {CANARY}.", session_id=CANARY)
        (path,) = sockets(data)
        told = await _raw(
            path,
            *(
                json.dumps(ask).encode() + b"\n"
                for ask in (
                    {"do": "status"},
                    {"do": "list"},
                    {"do": "show", "job_id": stored["job_id"]},
                    {"do": "export"},
                )
            ),
        )
        shown, _ = await stories(targets, stored["job_id"], None, content=True)
        await targets.ask(HoldAsk(do="resume"))
        await until(
            lambda: _story(targets, stored["job_id"]), lambda story: story.state == "delivered"
        )

    texts = [json.dumps(told), str([line.raw for line in running.logs]), _files(data)]
    for secret in (CANARY, server.key):
        assert not [text[:200] for text in texts if secret in text]
    assert shown[0].content == f"My word is {CANARY}."


def _files(data: Path) -> str:
    """Everything in the directory but the key."""
    files = [path for path in data.rglob("*") if path.is_file() and path.suffix != ".key"]
    return str([path.read_bytes() for path in files])


def _texts(server: DevServer) -> list[str]:
    """What was stored, message by message, as it arrived."""
    bodies = [json.loads(each.body) for each in server.requests if each.method == "POST"]
    return [message["content"] for body in bodies for message in body.get("messages", [])]


async def test_an_older_process_hands_its_backlog_to_a_newer_one(tmp_path: Path) -> None:
    """Both alive on one directory: each conversation stays in order, nothing is lost or twice."""
    conversations = [f"conv-{number}" for number in range(12)]
    settings = {**QUICK, "MEM9_ASYNC_BATCH_MAX_JOBS": "2", "MEM9_ASYNC_ADOPT_INTERVAL_MS": "200"}
    async with DevServer() as server, plugin(tmp_path, settings) as old:
        await eventually(lambda: len(sockets(tmp_path)) == 1)
        targets = Targets(Settings(data_dir=tmp_path))
        await targets.ask(HoldAsk(do="pause"))
        first = Caller(old, server, server.key)
        for number in range(4):
            for each in conversations:
                await first.done("store", content=f"{each} says {number}", session_id=each)
        await targets.ask(HoldAsk(do="resume"))
        async with plugin(tmp_path, settings) as new:
            second = Caller(new, server, server.key)
            for number in range(4, 8):
                for each in conversations:
                    await second.done("store", content=f"{each} says {number}", session_id=each)
            await until(lambda: standing(targets), lambda found: not found.depth)
            late = await first.done("store", content="the old one lives", session_id="late")
            await until(
                lambda: _story(targets, late["job_id"]), lambda story: story.state == "delivered"
            )
            handed = [
                line for line in old.logs if line.fields.get("event") == "journal.handed_over"
            ]

    assert len(handed) == 1
    for each in conversations:
        said = [text for text in _texts(server) if text.startswith(f"{each} says")]
        assert said == [f"{each} says {number}" for number in range(8)]
