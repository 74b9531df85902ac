"""With another version of the SDK, or another shape of it, the SDK's own server runs the tools."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mem9_async.cli.host import PluginHost
from mem9_async.devserver.server import DevServer
from tests.host.caller import Caller
from tests.host.process import QUICK, credentials, plugin, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Renames a private method of the SDK as soon as its module is loaded.
RENAMED = """
import importlib.abc, importlib.util, sys

NAME = "dify_plugin.core.server.stdio.request_reader"

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            reader = module.StdioRequestReader
            reader._read_blocks = reader._read_async
            source = reader._read_stream
            reader._read_stream = lambda self: source(_Renamed(self))
            del reader._read_async
        class _Renamed:
            def __init__(self, reader):
                self._reader = reader
            def _read_async(self):
                return self._reader._read_blocks()
            def __getattr__(self, name):
                return getattr(self._reader, name)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


@pytest.fixture(scope="module", params=["version", "shape"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is put before everything else that Python finds."""
    folder = tmp_path_factory.mktemp("sdk")
    if request.param == "version":
        info = folder / "dify_plugin-99.0.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: dify_plugin\nVersion: 99.0.0\n"
        )
    else:
        (folder / "sitecustomize.py").write_text(RENAMED)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PluginHost]:
    """A plugin with that SDK."""
    settings = {**QUICK, "PYTHONPATH": str(path)}
    async with plugin(tmp_path_factory.mktemp("data"), settings) as host:
        yield host


async def test_it_is_told_and_every_tool_works(other: PluginHost) -> None:
    """Store, deliver, search, get, update, list, queue, delete; credentials as well."""
    async with DevServer() as server:
        call = Caller(other, server, server.key)
        await other.validate(credentials(server.base_url, server.key))
        stored = await call.done("store", content="I keep bees.", session_id="conv-1")
        await until(lambda: call.job(stored["job_id"]), lambda job: job["state"] == "delivered")
        found = await until(
            lambda: call.done("search", query="keep bees"), lambda told: bool(told["memories"])
        )
        memory = next(each for each in found["memories"] if each["memory_type"] == "insight")
        got = await call.done("get", memory_id=memory["id"])
        await call.done("update", memory_id=memory["id"], content="I keep wasps.")
        listed = await call.done("list")
        await call.done("queue")
        gone = await call.done("delete", memory_ids=memory["id"])

    assert got["memory"]["content"] == memory["content"]
    assert [each["content"] for each in listed["memories"]] == ["I keep wasps."]
    assert gone["deleted"] == 1
    (told,) = [line.fields for line in other.logs if line.fields.get("event") == "sdk.untested"]
    assert told["level"] == "warning"
    assert "99.0.0" in str(told["reason"]) or "_read_async" in str(told["reason"])
