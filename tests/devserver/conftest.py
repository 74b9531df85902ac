"""A running server and someone to ask it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller

#: A day in 2026; tests move it, nothing waits for it.
NOON_S = 1_780_000_000


class Clock:
    """UTC epoch seconds that stand still until told otherwise."""

    def __init__(self) -> None:
        self.now_s: float = NOON_S

    def __call__(self) -> float:
        """The time."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    """The server's clock."""
    return Clock()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections that take no proxy of this machine."""
    async with aiohttp.ClientSession(trust_env=False) as session:
        yield session


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[DevServer]:
    """A server with both models, in memory."""
    async with DevServer(now_s=clock) as server:
        yield server


@pytest.fixture
async def bare(clock: Clock) -> AsyncIterator[DevServer]:
    """A server without LLM and embedder."""
    async with DevServer(llm=False, embedder=False, now_s=clock) as server:
        yield server


@pytest.fixture
def api(server: DevServer, session: aiohttp.ClientSession) -> Caller:
    """Someone with the key of the server with both models."""
    return Caller(session, server.base_url, server.key)


@pytest.fixture
def bare_api(bare: DevServer, session: aiohttp.ClientSession) -> Caller:
    """Someone with the key of the server without models."""
    return Caller(session, bare.base_url, bare.key)
