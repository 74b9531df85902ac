"""The plugin as Dify's one-shot runner starts it: one call a process, killed at its end."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.cli.requests import Request, tool_call
from tests.host.process import ROOT


async def run_once(
    data: Path,
    settings: Mapping[str, str],
    tool: str,
    parameters: dict[str, JsonValue],
    keys: dict[str, JsonValue],
) -> dict[str, JsonValue]:
    """Write one call, close stdin at once, read up to its end, kill the process; its JSON."""
    env = PluginHost(ROOT, {**settings, "MEM9_ASYNC_DATA_DIR": str(data)}).env
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "main", cwd=ROOT, env=env,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    call = tool_call("mem9_async", tool, parameters, keys, user_id="one-shot")
    answer: dict[str, JsonValue] = {}
    try:
        process.stdin.write(Request(tool, call).line("once"))
        await process.stdin.drain()
        process.stdin.close()
        async for line in process.stdout:
            said = json.loads(line) if line.strip() else {}
            if said.get("event") != "session":
                continue
            data_ = said["data"]
            if data_["type"] == "end":
                return answer
            if data_["type"] == "stream" and data_["data"]["type"] == "json":
                answer = data_["data"]["message"]["json_object"]
        raise AssertionError("the plugin ended before its answer did")
    finally:
        process.kill()
        await process.communicate()
