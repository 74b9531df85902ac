"""The embedded mem9 beside a run, and what one would type into Dify to use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import JsonValue

from mem9_async.devserver.server import DevServer


@asynccontextmanager
async def embedded_mem9(*, answer_delay_s: float = 0.0) -> AsyncIterator[DevServer]:
    """A mem9 in this process on a free port of this machine, empty and forgotten at the end."""
    async with DevServer(answer_delay_s=answer_delay_s) as server:
        yield server


def credentials(server: DevServer) -> dict[str, JsonValue]:
    """The plugin's credentials for *server*."""
    return {
        "auth_mode": "single_space",
        "mem9_base_url": server.base_url,
        "mem9_api_key": server.key,
    }
