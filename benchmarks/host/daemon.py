"""Dify's plugin daemon: its process, and what Dify's server asks of it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp
from pydantic import JsonValue

from benchmarks.host.programs import Programs
from benchmarks.host.services import Services, free_port, listening, run

_KEY = "a key of this run"
_INSTALL_S = 600.0
_CALL_S = 120.0
_GOOD = b'data: {"code":0,'
_TICKS = os.sysconf("SC_CLK_TCK")
# What installing needs from the surroundings: the way to a package index, and its certificate.
_PASSED_ON = ("PATH", "HOME", "PIP_MIRROR_URL", "PIP_EXTRA_ARGS", "UV_CACHE_DIR", "SSL_CERT_FILE",
              "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")  # fmt: skip


class Refused(Exception):
    """The daemon did not do what it was asked; the text is its own."""


@dataclass
class Daemon:
    """One process of it, and one tenant. `tenant` is a UUID."""

    programs: Programs
    services: Services
    place: Path
    tenant: str = field(default_factory=lambda: str(uuid4()))
    port: int = field(default_factory=free_port)

    @asynccontextmanager
    async def running(self, log: Path) -> AsyncIterator["Daemon"]:
        """Start it, and end it afterwards."""
        await self.start(log)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            try:
                yield self
            finally:
                await self.stop()

    async def start(self, log: Path) -> None:
        """Start the process and wait until it answers."""
        with log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                str(self.programs.daemon), env=self._environment(), cwd=self.place,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        await listening(self.port)

    async def stop(self, signum: int = signal.SIGTERM) -> None:
        """End it, and wait until it is gone."""
        if self.process.returncode is None:
            self.process.send_signal(signum)
            await self.process.wait()

    async def migrate(self) -> None:
        """Make the tables, once for each database."""
        await run(str(self.programs.cli), "migrate", env=self._environment(), cwd=self.place)

    def cpu_s(self) -> float:
        """The processor time the daemon itself has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def plugin_pid(self, name: str) -> int | None:
        """The process that the daemon runs for the plugin *name*, by its folder."""
        for entry in Path("/proc").iterdir():
            try:
                status = (entry / "status").read_text()
                parent = int(status.split("PPid:\t")[1].split("\n")[0])
                working = str((entry / "cwd").readlink())
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and f"/{name}-" in working:
                return int(entry.name)
        return None

    async def upload(self, package: Path) -> str:
        """Hand over a package; its unique identifier."""
        form = aiohttp.FormData({"verify_signature": "false"})
        content = await asyncio.to_thread(package.read_bytes)
        form.add_field("dify_pkg", content, filename=package.name)
        said = await self._ask("POST", "management/install/upload/package", data=form)
        return str(_in(said, "unique_identifier"))

    async def install(self, identifier: str) -> None:
        """Install, and wait for the end. Raises Refused."""
        said = await self._ask("POST", "management/install/identifiers", json={
            "plugin_unique_identifiers": [identifier], "source": "package", "metas": [{}],
        })  # fmt: skip
        await self._done(said)

    async def upgrade(self, before: str, after: str) -> None:
        """Put one version in the place of another, and wait for the end. Raises Refused."""
        said = await self._ask("POST", "management/install/upgrade", json={
            "original_plugin_unique_identifier": before, "new_plugin_unique_identifier": after,
            "source": "package", "meta": {},
        })  # fmt: skip
        await self._done(said)

    async def invoke(
        self,
        plugin: str,
        tool: str,
        parameters: Mapping[str, JsonValue],
        credentials: Mapping[str, JsonValue],
    ) -> list[dict[str, JsonValue]]:
        """Call a tool; its messages. Raises Refused, aiohttp.ClientError, TimeoutError."""
        return _messages(await self.answer(plugin, tool, parameters, credentials))

    async def answer(
        self,
        plugin: str,
        tool: str,
        parameters: Mapping[str, JsonValue],
        credentials: Mapping[str, JsonValue],
    ) -> bytes:
        """Call a tool; what the daemon wrote, unread but for a refusal. Raises as `invoke`."""
        name = plugin.rpartition("/")[2]
        data: dict[str, JsonValue] = {
            "provider": name, "tool": tool, "tool_parameters": dict(parameters),
            "credentials": dict(credentials), "credential_type": "api-key",
        }  # fmt: skip
        raw = await self._dispatched("tool/invoke", plugin, {"app_id": "app-1"}, data)
        if raw.count(_GOOD) != raw.count(b"data:"):
            _messages(raw)
        return raw

    async def validate(self, plugin: str, credentials: Mapping[str, JsonValue]) -> None:
        """Have credentials checked. Raises Refused with the plugin's words."""
        name = plugin.rpartition("/")[2]
        data: dict[str, JsonValue] = {"provider": name, "credentials": dict(credentials)}
        _messages(await self._dispatched("tool/validate_credentials", plugin, {}, data))

    async def _dispatched(
        self, what: str, plugin: str, more: dict[str, JsonValue], data: dict[str, JsonValue]
    ) -> bytes:
        url = f"http://127.0.0.1:{self.port}/plugin/{self.tenant}/dispatch/{what}"
        headers = {"X-Api-Key": _KEY, "X-Plugin-ID": plugin}
        body = {"user_id": "user-1", **more, "data": data}
        async with (
            asyncio.timeout(_CALL_S),
            self._session.post(url, json=body, headers=headers) as answer,
        ):
            raw = await answer.read()
            if answer.status != 200:
                raise Refused(f"HTTP {answer.status}: {raw.decode(errors='replace')}")
            return raw

    async def _done(self, started: JsonValue) -> None:
        if _in(started, "all_installed"):
            return
        task = _in(started, "task_id")
        async with asyncio.timeout(_INSTALL_S):
            while True:
                said = await self._ask("GET", f"management/install/tasks/{task}")
                match _in(said, "status"):
                    case "success":
                        return
                    case "failed":
                        raise Refused(json.dumps(said)[:1500])
                await asyncio.sleep(0.5)

    async def _ask(self, method: str, path: str, **body: object) -> JsonValue:
        url = f"http://127.0.0.1:{self.port}/plugin/{self.tenant}/{path}"
        async with self._session.request(
            method,
            url,
            headers={"X-Api-Key": _KEY},
            **body,  # type: ignore[arg-type]
        ) as answer:
            said = await answer.json(content_type=None)
        if said.get("code") != 0:
            raise Refused(f"{path}: {said.get('message')}")
        data: JsonValue = said["data"]
        return data

    def _environment(self) -> dict[str, str]:
        database = {"HOST": "127.0.0.1", "PORT": str(self.services.postgres_port),
                    "USERNAME": "postgres", "PASSWORD": "none", "DATABASE": "dify_plugin",
                    "DEFAULT_DATABASE": "postgres", "SSL_MODE": "disable",
                    "TYPE": "postgresql"}  # fmt: skip
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            **{f"DB_{name}": value for name, value in database.items()},
            "SERVER_HOST": "127.0.0.1", "SERVER_PORT": str(self.port), "SERVER_KEY": _KEY,
            "PLATFORM": "local", "GIN_MODE": "release",
            "DIFY_INNER_API_URL": f"http://127.0.0.1:{self.services.redis_port}",
            "DIFY_INNER_API_KEY": "none",
            "PLUGIN_STORAGE_TYPE": "local",
            "PLUGIN_STORAGE_LOCAL_ROOT": str(self.place / "storage"),
            "PLUGIN_INSTALLED_PATH": "plugin", "PLUGIN_WORKING_PATH": str(self.place / "work"),
            "PERSISTENCE_STORAGE_PATH": "persistence",
            "PLUGIN_REMOTE_INSTALLING_HOST": "127.0.0.1",
            "PLUGIN_REMOTE_INSTALLING_PORT": str(free_port()),
            "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.services.redis_port),
            "PYTHON_INTERPRETER_PATH": str(self.programs.python),
            "UV_PATH": str(self.programs.uv), "FORCE_VERIFYING_SIGNATURE": "false",
            "PIP_MIRROR_AUTO_DETECT": "false", "PYTHON_ENV_INIT_TIMEOUT": "600",
            "MEM9_ASYNC_LOG_LEVEL": "warning",
        }  # fmt: skip


def _messages(raw: bytes) -> list[dict[str, JsonValue]]:
    """The messages of an answer. Raises Refused."""
    messages: list[dict[str, JsonValue]] = []
    for line in raw.splitlines():
        if line.startswith(b"data:"):
            said = json.loads(line[5:])
            if said.get("code") != 0:
                raise Refused(str(said.get("message")))
            messages.append(said["data"])
    return messages


def _in(said: JsonValue, name: str) -> JsonValue:
    return said.get(name) if isinstance(said, dict) else None
