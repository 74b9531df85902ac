"""The debugging runtime: the plugin calls the daemon, and all else is as on the pipes."""

import asyncio
import json
import sys
from pathlib import Path

from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.cli.requests import Request, tool_call
from tests.faults.server import FaultServer
from tests.host.process import QUICK, ROOT, credentials, eventually

STARTS_WITHIN_S = 300.0  # a hang guard


class Daemon:
    """Listens as the daemon's debugging port does, and holds what the plugin says."""

    def __init__(self) -> None:
        self.said: list[dict[str, JsonValue]] = []
        self.connected: asyncio.Future[asyncio.StreamWriter] = asyncio.Future()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read lines until the plugin is gone."""
        self.connected.set_result(writer)
        while line := await reader.readline():
            if line.strip():
                self.said.append(json.loads(line))
        writer.close()

    def types(self) -> list[JsonValue]:
        """What kinds of introduction were given."""
        return [each["type"] for each in self.said if "type" in each]

    def answer(self, call_id: str) -> list[dict[str, JsonValue]]:
        """What was said of one call."""
        said = [each["data"] for each in self.said if each.get("session_id") == call_id]
        return [each for each in said if isinstance(each, dict)]


async def test_a_plugin_that_is_debugged_remotely_stores_and_delivers(tmp_path: Path) -> None:
    """It introduces itself with the key it was given, and answers each call to its end."""
    daemon = Daemon()
    listening = await asyncio.start_server(daemon.serve, "127.0.0.1", 0, limit=64 * 1024 * 1024)
    port = listening.sockets[0].getsockname()[1]
    settings = {**QUICK, "MEM9_ASYNC_DATA_DIR": str(tmp_path)}
    remote = {
        "INSTALL_METHOD": "remote",
        "REMOTE_INSTALL_URL": f"127.0.0.1:{port}",
        "REMOTE_INSTALL_KEY": "debug-key",
    }
    async with FaultServer() as server, listening:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "main"),
            cwd=ROOT,
            env=PluginHost(ROOT, {**settings, **remote}).env,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                writer = await daemon.connected
            await eventually(lambda: "end" in daemon.types())
            assert daemon.said[0] == {"type": "handshake", "data": {"key": "debug-key"}}

            keys = credentials(server.url, "sk-remote")
            for number in range(20):
                data = tool_call(
                    "mem9_async", "memory_store", {"content": f"fact {number}"}, keys, user_id="u"
                )
                writer.write(Request("memory_store", data).line(f"call-{number}"))
            answers = [f"call-{number}" for number in range(20)]
            await eventually(
                lambda: all(
                    daemon.answer(each) and daemon.answer(each)[-1]["type"] == "end"
                    for each in answers
                )
            )
            assert all('"ok": true' in json.dumps(daemon.answer(each)[0]) for each in answers)
            await eventually(lambda: len(server.records.arrived) == 20)
        finally:
            process.kill()
            await process.wait()
