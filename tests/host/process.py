"""The plugin as the tests start it, and the little they say to it again and again."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import JsonValue

from mem9_async.cli.host import PluginHost

ROOT = Path(__file__).parents[2]

#: A deadline for what takes milliseconds on an idle machine: reached only when it never comes.
SOON_S = 120.0

#: Waits cut short, for tests in which they are not the point.
QUICK: Mapping[str, str] = {
    "MEM9_ASYNC_LINGER_MS": "20",
    "MEM9_ASYNC_LINGER_MAX_MS": "60",
    "MEM9_ASYNC_RETRY_INITIAL_BACKOFF_MS": "20",
    "MEM9_ASYNC_LOG_LEVEL": "debug",
    "MEM9_ASYNC_CONFIRMATION": "accepted",  # what is watched has tests of its own
}

#: Nothing leaves by itself: a batch closes when it is asked to.
HELD_BACK: Mapping[str, str] = {
    **QUICK,
    "MEM9_ASYNC_LINGER_MS": "60000",
    "MEM9_ASYNC_LINGER_MAX_MS": "120000",
}


@asynccontextmanager
async def plugin(
    data_dir: Path, settings: Mapping[str, str] = QUICK, *, logs_kept: int = 10_000
) -> AsyncIterator[PluginHost]:
    """A started plugin process on *data_dir*; killed on the way out."""
    env = {"MEM9_ASYNC_DATA_DIR": str(data_dir), **settings}
    async with PluginHost(ROOT, env, logs_kept=logs_kept) as host:
        await host.started()
        yield host


def credentials(url: str, key: str, **more: JsonValue) -> dict[str, JsonValue]:
    """A single space's credentials; *more* is added to them."""
    return {"auth_mode": "single_space", "mem9_base_url": url, "mem9_api_key": key, **more}


async def eventually(holds: Callable[[], bool], *, within_s: float = SOON_S) -> None:
    """Wait until *holds*. Raises TimeoutError when it does not in time."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  # nothing outside the process rings a bell
            await asyncio.sleep(0.01)


async def until[T](
    ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], *, within_s: float = SOON_S
) -> T:
    """Ask again and again until the answer *holds*; return it. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            answer = await ask()
            if holds(answer):
                return answer
            await asyncio.sleep(0.02)


def tell(measured: object) -> None:
    """Print what was measured: pytest shows it with a failure, and with -s."""
    sys.stdout.write(f"{measured}\n")
