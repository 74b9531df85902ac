"""One plugin process and one scripted mem9 for a whole module."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from mem9_async.cli.host import PluginHost
from mem9_async.devserver.server import DevServer
from tests.host.process import plugin
from tests.host.scripted import ScriptedMem9


@dataclass(frozen=True)
class Stage:
    """A plugin at work and the scripted mem9 it talks to."""

    host: PluginHost
    mem9: ScriptedMem9


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's plugin keeps its journal."""
    return tmp_path_factory.mktemp("data")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(data_dir: Path) -> AsyncIterator[PluginHost]:
    """The module's plugin process, with short waits."""
    async with plugin(data_dir) as host:
        yield host


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(host: PluginHost) -> AsyncIterator[Stage]:
    """The module's plugin and a scripted mem9."""
    async with ScriptedMem9() as mem9:
        yield Stage(host, mem9)


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[DevServer]:
    """An embedded mem9, new for each test."""
    async with DevServer() as server:
        yield server
