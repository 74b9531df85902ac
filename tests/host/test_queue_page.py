"""The page as Dify serves it: behind its secret, and with the own spaces alone."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from pydantic import JsonValue

from mem9_async.cli.answers import EndpointAnswer
from mem9_async.cli.host import PluginHost
from mem9_async.devserver.faults import Fault
from mem9_async.devserver.server import DevServer
from tests.host.caller import Caller
from tests.host.process import plugin, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "the page's own secret"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PluginHost]:
    """A plugin."""
    async with plugin(tmp_path_factory.mktemp("page")) as host:
        yield host


class Visitor:
    """Somebody with a browser; keeps the cookie."""

    def __init__(self, host: PluginHost, settings: dict[str, JsonValue]) -> None:
        self._host = host
        self._settings = settings
        self.cookie = ""

    async def get(self, query: str = "") -> EndpointAnswer:
        """Load the page."""
        return await self._ask("GET", f"/queue?{query}", b"")

    async def post(self, **form: str) -> EndpointAnswer:
        """Send a form."""
        return await self._ask("POST", "/queue", urlencode(form).encode())

    async def _ask(self, method: str, path: str, body: bytes) -> EndpointAnswer:
        headers = {"Dify-Hook-Id": "hook1", "Cookie": self.cookie}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = await self._host.endpoint(
            path, method=method, headers=headers, body=body, settings=self._settings
        )
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    async def log_in(self) -> None:
        """With the right secret."""
        assert (await self.post(do="login", secret=SECRET)).status == 303

    async def token(self) -> str:
        """What forms need."""
        found = re.search(r'name="token" value="([0-9a-f]+)"', (await self.get()).body.decode())
        assert found
        return found[1]


async def _delivered(call: Caller) -> None:
    stored = await call.done("store", content="first")
    await until(lambda: call.job(stored["job_id"]), lambda job: job["state"] == "delivered")


def _settings(server: DevServer, *keys: str) -> dict[str, JsonValue]:
    return {"secret": SECRET, "base_url": server.base_url, "api_keys": ", ".join(keys)}


async def test_a_dead_letter_is_seen_and_sent_again_by_its_own_workspace_only(
    running: PluginHost,
) -> None:
    """Another workspace's page shows neither it nor any figure of it, and cannot touch it."""
    async with DevServer() as server:
        mine, theirs = server.key, server.provision()
        server.faults.add(Fault(times=1, method="POST", status=400, body={"error": "too odd"}))
        call = Caller(running, server, mine)
        stored = await call.done("store", content="I sing.", reference="run-1")
        await until(lambda: call.job(stored["job_id"]), lambda job: job["state"] == "dead")
        await Caller(running, server, theirs).done("store", content="Something of theirs.")
        owner = Visitor(running, _settings(server, mine))
        other = Visitor(running, _settings(server, theirs))
        for visitor in (owner, other):
            assert (await visitor.get()).status == 401
            await visitor.log_in()

        assert stored["job_id"] in (await owner.get()).body.decode()
        unseen = (await other.get("state=dead")).body.decode()
        assert stored["job_id"] not in unseen
        assert "No job matches." in unseen
        await other.post(token=await other.token(), do="retry", sure="yes")
        assert (await call.job(stored["job_id"]))["state"] == "dead"
        token = await owner.token()
        asked = await owner.post(token=token, do="retry", reference="run-1")
        assert "1 job(s) match" in asked.body.decode()
        done = await owner.post(token=token, do="retry", reference="run-1", sure="yes")
        assert (done.status, "of=1" in done.headers["Location"]) == (303, True)
        await until(lambda: call.job(stored["job_id"]), lambda job: job["state"] == "delivered")


async def test_a_workspace_holds_its_own_space_only(running: PluginHost) -> None:
    """Hold everything back means everything of its own."""
    async with DevServer() as server:
        mine, theirs = (
            Caller(running, server, server.key),
            Caller(running, server, other_key := server.provision()),
        )
        for call in (mine, theirs):
            await _delivered(call)
        visitor = Visitor(running, _settings(server, server.key))
        await visitor.log_in()
        await visitor.post(token=await visitor.token(), do="pause")
        held = await mine.done("store", content="held")
        free = await theirs.done("store", content="free")
        await until(lambda: theirs.job(free["job_id"]), lambda job: job["state"] == "delivered")
        assert (await mine.job(held["job_id"]))["state"] == "parked"
        assert "paused" in (await visitor.get()).body.decode()
        await visitor.post(token=await visitor.token(), do="resume")
        await until(lambda: mine.job(held["job_id"]), lambda job: job["state"] == "delivered")
        assert other_key != server.key


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "needs a secret"),
        ({"secret": "short"}, "needs a secret"),
        ({"secret": SECRET}, "API key"),
        ({"secret": SECRET, "api_keys": " , "}, "API key"),
    ],
)
async def test_without_its_settings_there_is_no_page(
    running: PluginHost, settings: dict[str, JsonValue], why: str
) -> None:
    """It says what is missing."""
    answer = await Visitor(running, settings).get()

    assert answer.status == 403
    assert why in answer.body.decode()


async def test_the_cookie_is_for_this_hook_alone(running: PluginHost) -> None:
    """One Set-Cookie, below the hook's path."""
    async with DevServer() as server:
        visitor = Visitor(running, _settings(server, server.key))
        answer = await visitor.post(do="login", secret=SECRET)

    assert "Path=/e/hook1/" in answer.headers["Set-Cookie"]
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
