"""Starting, keeping data, closing; the server in a process of its own."""

import asyncio
import dataclasses
import os
import signal
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from mem9_async.devserver import front
from mem9_async.devserver.database import UnusableDataFile
from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller

_SERVE = """
import asyncio, sys
from pathlib import Path
from mem9_async.devserver.flavour import Flavour
from mem9_async.devserver.serve import serve_forever
asyncio.run(serve_forever(data=Path(sys.argv[1]), key=sys.argv[2], flavour=Flavour()))
"""


async def test_a_file_keeps_the_key_and_the_memories(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """What was accepted just before the end is kept too."""
    data = tmp_path / "deep" / "mem9.db"
    async with DevServer(data=data, ingest_delay_s=3600) as server:
        key = server.key
        await Caller(session, server.base_url, key).say("I keep bees.")
    async with DevServer(data=data) as server:
        assert server.key == key
        caller = Caller(session, server.base_url, key)
        assert (await caller.find(q="bees")).contents == ["I keep bees."]


async def test_a_chosen_key_is_accepted_every_time(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A new one beside the old ones."""
    for key in ("alpha", "beta", "alpha"):
        async with DevServer(data=tmp_path / "mem9.db", key=key) as server:
            assert server.key == key
            for known in ("alpha", key):
                assert (await Caller(session, server.base_url, known).find()).status == 200


@pytest.mark.parametrize("key", ["", "  ", "a/b", "chain_mine"])
async def test_a_key_that_could_not_work_is_refused(key: str) -> None:
    """Blank, with a slash, or one that would mean a chain."""
    with pytest.raises(ValueError, match="key"):
        await DevServer(key=key).start()


async def test_a_file_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    """Neither another database nor a text is written into."""
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all, but long enough to look at\n" * 5)

    for path in (foreign, text, tmp_path):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(UnusableDataFile):
            await DevServer(data=path).start()
        assert not path.is_file() or path.read_bytes() == before


async def test_a_taken_port_is_an_error_and_leaves_nothing_open(server: DevServer) -> None:
    """The caller hears of it."""
    port = int(server.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match="address"):
        await DevServer().start(port=port)


async def test_every_answer_can_be_slow(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow answers wait side by side: none of these goes on before all have begun to wait."""
    together = asyncio.Barrier(20)
    waited_s: list[float] = []

    async def sleep(delay_s: float) -> None:
        waited_s.append(delay_s)
        await together.wait()

    async with DevServer(answer_delay_s=0.2) as server:
        caller = Caller(session, server.base_url, server.key)
        monkeypatch.setattr(
            front,
            "asyncio",
            SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop),
        )
        await asyncio.gather(*(caller.find() for _ in range(20)))

    assert waited_s == [0.2] * 20


async def test_a_body_announced_with_expect_is_taken(api: Caller, server: DevServer) -> None:
    """Command-line clients announce large bodies and wait for a go-ahead."""
    answer = await api.ask(
        "POST",
        "memories",
        {"content": "x" * 40_000, "sync": True},
        headers={"Expect": "100-continue"},
    )

    assert answer.status == 200
    assert len(server.memories[0].content) == 40_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_in_the_foreground_it_says_where_it_is_and_ends_on_a_signal(
    session: aiohttp.ClientSession, tmp_path: Path, number: signal.Signals
) -> None:
    """With the key to use; what was accepted is on disk when it has ended."""
    data = tmp_path / "mem9.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SERVE,
        str(data),
        "my-key",
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            first = (await process.stdout.readline()).decode()
            second = (await process.stdout.readline()).decode()
            base_url = first.split()[-1]
            assert "my-key" in second
            assert (await Caller(session, base_url, "my-key").say("last words")).status == 202
            process.send_signal(number)
            rest = (await process.stdout.read()).decode()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "curl" in rest
    async with DevServer(data=data) as server:
        assert [memory.content for memory in server.memories] == ["last words"]


async def test_many_stores_at_once_lose_nothing(api: Caller, server: DevServer) -> None:
    """Order within one connection's session is kept."""

    async def conversation(number: int) -> None:
        caller = dataclasses.replace(api, agent=f"agent-{number}")
        for step in range(20):
            await caller.say(f"agent {number} step {step}", session_id=f"s{number}")

    await asyncio.gather(*(conversation(number) for number in range(20)))
    server.ingest_now()

    assert len(server.memories) == 400
    for number in range(20):
        told = [m.content for m in server.memories if m.agent_id == f"agent-{number}"]
        assert told == [f"agent {number} step {step}" for step in range(20)]
