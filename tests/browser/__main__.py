"""`python -m tests.browser --driver PYTHON [--shots FOLDER]`: the page in a real Chromium.

Starts the embedded mem9, the plugin over its pipes and `queue dashboard`, puts the page that Dify
would serve behind a small gateway, and has a driver with Playwright look at both.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.devserver.faults import Fault
from mem9_async.devserver.server import DevServer
from tests.host.process import until

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the page"
_WITHIN_S = 300.0
_PASSED = ("Cookie", "Content-Type")
_SETTINGS = {
    "MEM9_ASYNC_LINGER_MS": "20",
    "MEM9_ASYNC_LINGER_MAX_MS": "60",
    "MEM9_ASYNC_CONFIRMATION": "accepted",
}


@asynccontextmanager
async def gateway(host: PluginHost, settings: dict[str, JsonValue]) -> AsyncIterator[str]:
    """Hands requests to the plugin's page as Dify does; yields the address."""

    async def forward(request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        answer = await host.endpoint(
            f"/queue?{request.query_string}",
            method=request.method,
            headers={**headers, "Dify-Hook-Id": "hook1"},
            body=await request.read(),
            settings=settings,
        )
        kept = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
        return web.Response(status=answer.status, headers=kept, body=answer.body)

    app = web.Application()
    app.router.add_route("*", "/e/hook1/queue", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/e/hook1/queue"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def dashboard(data: Path) -> AsyncIterator[str]:
    """`queue dashboard` as a person starts it; yields the address that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mem9_async", "queue", "dashboard"),
        *("--port", "0", "--data-dir", str(data)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _WITHIN_S)
        yield line.decode().split()[0]
    finally:
        process.terminate()
        await process.wait()


async def _dead(host: PluginHost, keys: dict[str, JsonValue]) -> JsonValue:
    counts = (await host.invoke("memory_queue", {}, keys)).json["counts"]
    return counts.get("dead") if isinstance(counts, dict) else None


async def some(host: PluginHost, mem9: DevServer, number: int) -> None:
    """So many stores more."""
    keys: dict[str, JsonValue] = {
        "auth_mode": "single_space",
        "mem9_base_url": mem9.base_url,
        "mem9_api_key": mem9.key,
    }
    for each in range(number):
        await host.invoke("memory_store", {"content": f"fact {number} {each}"}, keys)


async def stored(host: PluginHost, mem9: DevServer) -> None:
    """Two dead letters, and a few that were delivered."""
    keys: dict[str, JsonValue] = {
        "auth_mode": "single_space",
        "mem9_base_url": mem9.base_url,
        "mem9_api_key": mem9.key,
    }
    mem9.faults.add(Fault(times=2, method="POST", status=400, body={"error": "<b>too odd</b>"}))
    for number in range(2):
        given: dict[str, JsonValue] = {
            "content": f"refused {number}",
            "session_id": f"odd-{number}",
            "reference": "<script>document.title='owned'</script>",
        }
        await host.invoke("memory_store", given, keys)
    await until(lambda: _dead(host, keys), lambda dead: dead == 2, within_s=_WITHIN_S)
    await some(host, mem9, 40)


async def main(driver: str, shots: Path, turns: int) -> int:
    """0 when everything was seen that has to be."""
    with tempfile.TemporaryDirectory(prefix="mem9_page_") as folder:
        data = Path(folder)
        env = {"MEM9_ASYNC_DATA_DIR": folder, **_SETTINGS}
        async with DevServer() as mem9, PluginHost(ROOT, env) as host:
            await host.started()
            await stored(host, mem9)
            for number in range(turns):  # the charts have a point in ten seconds
                await asyncio.sleep(10.5)
                await some(host, mem9, 7 * (number % 5))
            stranger: dict[str, JsonValue] = {
                "secret": SECRET,
                "base_url": mem9.base_url,
                "api_keys": mem9.provision(),
            }
            own: dict[str, JsonValue] = {**stranger, "api_keys": mem9.key}
            async with (
                dashboard(data) as page,
                gateway(host, own) as mine,
                gateway(host, stranger) as theirs,
            ):
                told = {"page": page, "mine": mine, "theirs": theirs, "secret": SECRET,
                        "shots": str(shots)}  # fmt: skip
                process = await asyncio.create_subprocess_exec(
                    driver, str(Path(__file__).with_name("driver.py")), json.dumps(told)
                )
                return await asyncio.wait_for(process.wait(), _WITHIN_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make browser", description=__doc__)
    parser.add_argument("--driver", required=True, help="a Python with Playwright")
    parser.add_argument("--shots", type=Path, help="keep the pictures there")
    parser.add_argument("--turns", type=int, default=1, help="points in the charts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mem9_shots_") as kept:
        raise SystemExit(asyncio.run(main(given.driver, given.shots or Path(kept), given.turns)))
