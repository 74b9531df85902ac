"""A client that is closed afterwards, and a mocked mem9 for it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aioresponses import aioresponses
from hypothesis import HealthCheck, settings

from mem9_async.client.client import Mem9Client
from tests.client import builders
from tests.client.mocked import MockedMem9

# The machine is shared: how long an example takes says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of this machine stands between the tests and their servers."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def client() -> AsyncIterator[Mem9Client]:
    """A client with short times."""
    client = builders.client()
    yield client
    await client.aclose()


@pytest.fixture
def mem9() -> Iterator[MockedMem9]:
    """A mem9 that answers what the test says, without a socket."""
    with aioresponses() as mock:
        yield MockedMem9(mock)
