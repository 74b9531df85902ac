"""Where nothing can be kept, a store is delivered before it is answered, and says so."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from mem9_async.cli.requests import Request, tool_call
from tests.faults.server import RefusedPort
from tests.host.caller import Answer, said
from tests.host.process import QUICK, ROOT, credentials, plugin, tell
from tests.host.scripted import Reply, ScriptedMem9

STARTS_WITHIN_S = 300.0  # a hang guard
UNWRITABLE = Path("/proc/nope")


def free_port() -> int:
    """A port of the loopback on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serverless(port: int) -> AsyncIterator[float]:
    """The plugin as a cloud starts it; gives the seconds until it says that it serves."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEM9_ASYNC_")}
    env |= {"INSTALL_METHOD": "serverless", "SERVERLESS_PORT": str(port)}
    env |= {"SERVERLESS_HOST": "127.0.0.1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "main", cwd=ROOT, env=env, start_new_session=True,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = bytearray()

    async def read() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            said.extend(line)

    reading = asyncio.create_task(read())
    began = time.monotonic()
    try:
        while b"Serving Flask app" not in said:
            assert time.monotonic() - began < STARTS_WITHIN_S, said.decode()
            assert process.returncode is None, said.decode()
            await asyncio.sleep(0.02)
        yield time.monotonic() - began
        assert process.returncode is None
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()
        await reading


async def invoke(http: aiohttp.ClientSession, url: str, tool: str, data: Answer) -> Answer:
    """Call a tool over HTTP; its first JSON object."""
    line = Request(tool, tool_call("mem9_async", tool, *data.values(), user_id="user-1"))
    headers = {"Content-Type": "application/json"}
    async with http.post(f"{url}/invoke", data=line.line("1"), headers=headers) as response:
        assert response.status == 200
        text = await response.text()
    events = [json.loads(part) for part in text.splitlines() if part.strip()]
    streamed = [event["data"]["data"] for event in events if event["data"]["type"] == "stream"]
    (answer,) = [each["message"]["json_object"] for each in streamed if each["type"] == "json"]
    assert isinstance(answer, dict)
    return answer


async def test_serverless_it_serves_within_twenty_seconds_and_delivers_before_it_answers() -> None:
    """GET / is answered, a store is at mem9 when its answer comes, and promises no more."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        ScriptedMem9() as mem9,
        serverless(port) as started_s,
        aiohttp.ClientSession() as http,
    ):
        tell(f"serves after {started_s:.1f} s")
        async with http.get(url) as response:
            assert response.status in (200, 404)
        keys = credentials(mem9.base_url("cloud"), "sk-cloud")
        data: Answer = {"parameters": {"content": "User likes tea"}, "credentials": keys}
        stored = await invoke(http, url, "memory_store", data)
        assert (stored["ok"], stored["accepted"]) == (True, True)
        assert stored["durability"]["level"] == "none"
        assert len(mem9.of_memories("cloud")) == 1

        mem9.answer("cloud", Reply.json(402, {"code": "quota_exhausted", "message": "No."}))
        denied = await invoke(http, url, "memory_store", data)
        assert (denied["ok"], denied["accepted"]) == (False, False)
        assert denied["code"] == "runtime_quota_denied"


async def test_with_an_unwritable_directory_it_runs_and_says_what_it_cannot_promise() -> None:
    """Delivered before the answer; what mem9 does not take is told as not taken."""
    async with ScriptedMem9() as mem9, plugin(UNWRITABLE, QUICK) as host:
        keys = credentials(mem9.base_url("well"), "sk-readonly")
        stored = said(await host.invoke("memory_store", {"content": "User likes tea"}, keys))
        assert (stored["ok"], stored["accepted"]) == (True, True)
        assert stored["durability"]["level"] == "none"
        assert str(stored["durability"]["reason"]).strip()
        assert len(mem9.of_memories("well")) == 1

        queue = (await host.invoke("memory_queue", {}, keys)).json
        assert (queue["durability"], queue["health"]) == ("none", "degraded")
        assert str(queue["health_reason"]).strip()
        assert (await host.invoke("memory_search", {"query": "tea"}, keys)).json["ok"] is True

        with RefusedPort() as refused:
            down = credentials(refused.url, "sk-readonly")
            lost = said(await host.invoke("memory_store", {"content": "x"}, down))
        assert (lost["ok"], lost["accepted"], lost["code"]) == (False, False, "connection_refused")
        assert lost["retry"]["retryable"] is True
        assert lost["durability"]["level"] == "none"
        assert any(log.level == "ERROR" and "data directory" in log.message for log in host.logs)
        assert host.alive
        assert host.lines_not_json == []
