"""The plugin as Dify's one-shot runner starts it: one call a process, killed at its end."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, JsonValue

from mem9_async.cli.answers import HostError, PluginDied, Reply
from mem9_async.cli.host import PluginHost
from mem9_async.cli.requests import Parameters, Request, tool_call
from tests.host.process import ROOT


class ToolJson(BaseModel):
    """A JSON message of a tool."""

    json_object: dict[str, JsonValue]


async def run_once(
    data: Path,
    settings: Mapping[str, str],
    tool: str,
    parameters: Parameters,
    keys: Parameters,
) -> dict[str, JsonValue]:
    """One call by `messages_once`; the JSON of its answer."""
    for message in await messages_once(data, settings, tool, parameters, keys):
        if message["type"] == "json":
            return ToolJson.model_validate(message["message"]).json_object
    raise HostError("no JSON in the answer")


async def messages_once(
    data: Path,
    settings: Mapping[str, str],
    tool: str,
    parameters: Parameters,
    keys: Parameters,
) -> list[dict[str, JsonValue]]:
    """Write one call, close stdin at once, read up to its end, kill the process; its messages.

    Raises PluginRefused when the call fails.
    """
    env = PluginHost(ROOT, {**settings, "MEM9_ASYNC_DATA_DIR": str(data)}).env
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "main", cwd=ROOT, env=env,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    call = tool_call("mem9_async", tool, parameters, keys, user_id="one-shot")
    lines: list[bytes] = []
    try:
        process.stdin.write(Request(tool, call).line("once"))
        await process.stdin.drain()
        process.stdin.close()
        async for line in process.stdout:
            said = json.loads(line) if line.strip() else {}
            if said.get("event") != "session":
                continue
            if said["data"]["type"] == "end":
                break
            lines.append(line)
        else:
            raise PluginDied("the plugin ended before its answer did")
    finally:
        process.kill()
        await process.communicate()
    reply = Reply(tuple(lines), 0.0, None)
    if reply.error is not None:
        raise reply.error
    return list(reply.messages)
