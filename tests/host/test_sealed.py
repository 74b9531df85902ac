"""Keys and contents stand nowhere in clear: not on disk, not in the logs."""

from pathlib import Path

from mem9_async.cli.requests import Parameters
from tests.faults import canary
from tests.faults.scripts import invalid_key
from tests.faults.server import FaultServer
from tests.host.process import HELD_BACK, QUICK, credentials, eventually, plugin

KEY = "sk-c4n4ry-5ecret-key"
CONTENT = "User keeps the canary in the kitchen cupboard"
QUERY = "where does the canary live these days"
NEEDLES = canary.needles([KEY], [CONTENT, QUERY])


async def test_key_and_content_are_unreadable_while_jobs_wait_and_after_a_kill(
    tmp_path: Path,
) -> None:
    """In a batch held back, in one that was refused, and in what a killed process leaves."""
    data = tmp_path / "data"
    logs: list[bytes] = []
    async with FaultServer() as server:
        keys = credentials(server.url, KEY)
        server.decide = lambda _: invalid_key()
        for settings in (HELD_BACK, QUICK):
            async with plugin(data, settings) as host:
                parameters = {"content": f"{CONTENT} {len(logs)}", "session_id": "conv-1"}
                assert (await host.invoke("memory_store", parameters, keys)).json["ok"] is True
                pinned: Parameters = {
                    "content": f"{CONTENT} {len(logs)}",
                    "pinned": True,
                    "tags": "home",
                }
                await host.invoke("memory_store", pinned, keys)
                await host.invoke("memory_search", {"query": QUERY}, keys)
                queue = (await host.invoke("memory_queue", {}, keys)).json
                if settings is QUICK:
                    await eventually(lambda: len(server.records.stores()) >= 1)
                assert isinstance(queue["depth"], int)
                assert queue["depth"] >= 2
                assert canary.in_directory(data, NEEDLES) == []
            logs += [log.raw for log in host.logs] + [host.stderr_tail.encode()]
            assert canary.in_directory(data, NEEDLES) == []

    assert sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) > 10_000
    assert len(logs) > 4
    assert canary.in_lines(logs, NEEDLES, "logs") == []


async def test_the_data_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Folders 0700, files 0600."""
    data = tmp_path / "data"
    async with plugin(data, HELD_BACK) as host:
        await host.invoke(
            "memory_store", {"content": CONTENT}, credentials("http://x.invalid", KEY)
        )
        paths = [data, *data.rglob("*")]

        assert len(paths) > 2
        for path in paths:
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path.name
