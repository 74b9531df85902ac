"""Answers the runner's calls with a plugin: one process for all of them, or one a call."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue

from mem9_async.cli.answers import PluginRefused
from mem9_async.cli.host import PluginHost
from tests.host.oneshot import messages_once
from tests.host.process import ROOT

TOOLS = tuple(sorted(path.stem for path in (ROOT / "mem9_async/tools").glob("memory_*.yaml")))
_LIMIT = 1 << 24


class _Call(BaseModel):
    """What the engine has the runner do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tool: str
    tool_parameters: dict[str, JsonValue]
    credentials: dict[str, JsonValue]


class Broker:
    """Serves a unix socket. `host` is the plugin that answers; without, each call starts one."""

    def __init__(self, data: Path, settings: Mapping[str, str], host: PluginHost | None) -> None:
        self._data = data
        self._settings = settings
        self._host = host
        self.calls = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call of the runner."""
        try:
            asked = json.loads(await reader.readline())
            status, words = 0, ""
            try:
                async for event in self._events(asked["arguments"], asked["request"]):
                    writer.write(_line(event))
            except PluginRefused as refused:
                status, words = 1, json.dumps({"message": refused.message})
            writer.write(_line({"exit": status, "stderr": words}))
            await writer.drain()
        finally:
            writer.close()

    async def _events(self, arguments: list[str], request: str) -> AsyncIterator[JsonValue]:
        if "extract" in arguments:
            yield {"manifest": declaration()}
            return
        call = _Call.model_validate(json.loads(request)["data"])
        self.calls += 1
        for message in await self._messages(call):
            yield {"event": "chunk", "data": message}
        yield {"event": "done", "data": None}

    async def _messages(self, call: _Call) -> Iterable[JsonValue]:
        if self._host is None:
            return await messages_once(
                self._data, self._settings, call.tool, call.tool_parameters, call.credentials
            )
        # As the engine's runner has it, without an app and a conversation.
        answer = await self._host.invoke(
            call.tool, call.tool_parameters, call.credentials, app_id=None
        )
        if answer.error is not None:
            raise answer.error
        return answer.messages


@asynccontextmanager
async def broker(
    directory: Path, settings: Mapping[str, str], *, one_shot: bool
) -> AsyncIterator[tuple[Broker, Path]]:
    """A listening broker and its socket; the plugin keeps its data in *directory*."""
    socket, data = directory / "broker.sock", directory / "data"
    env = {**settings, "MEM9_ASYNC_DATA_DIR": str(data)}

    @asynccontextmanager
    async def listening(host: PluginHost | None) -> AsyncIterator[tuple[Broker, Path]]:
        serving = Broker(data, settings, host)
        server = await asyncio.start_unix_server(serving.answer, socket, limit=_LIMIT)
        try:
            yield serving, socket
        finally:
            server.close()
            socket.unlink(missing_ok=True)

    if one_shot:
        async with listening(None) as served:
            yield served
        return
    async with PluginHost(ROOT, env) as host:
        await host.started()
        async with listening(host) as served:
            yield served


def declaration() -> JsonValue:
    """The plugin's manifest with its provider and tools, as the runner's `extract` shows it."""
    manifest = yaml.safe_load((ROOT / "manifest.yaml").read_text())
    (provider_file,) = manifest["plugins"]["tools"]
    provider = yaml.safe_load((ROOT / provider_file).read_text())
    tools = [yaml.safe_load((ROOT / path).read_text()) for path in provider["tools"]]
    named: JsonValue = json.loads(json.dumps({**manifest, "tool": {**provider, "tools": tools}},
                                             default=str))  # fmt: skip
    return named


def _line(value: JsonValue) -> bytes:
    return json.dumps(value).encode() + b"\n"
