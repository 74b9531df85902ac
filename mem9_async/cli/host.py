"""Runs the plugin as Dify's daemon does: a process of its own, JSON lines over its pipes.

Nothing here imports the SDK. Every wait has an end, and the process is killed on the way
out, as the daemon kills it: SIGKILL, no farewell.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from pydantic import JsonValue

from mem9_async.cli.answers import (
    EndpointAnswer,
    HostError,
    LogLine,
    PluginDied,
    PluginTimeout,
    Reply,
    ToolAnswer,
    endpoint_answer,
)
from mem9_async.cli.requests import Parameters, Request, endpoint_call, tool_call, validation
from mem9_async.runtime.host.line_splitter import LineSplitter

# How the SDK starts its lines (pydantic's field order); anything else is parsed in full.
_SESSION = b'{"event":"session","session_id":"'
_END = b'","data":{"type":"end"'
_HEARTBEAT = b'{"event":"heartbeat"'
_ID_CHARS = 16
_STDERR_KEPT = 16 * 1024


class _Call:
    """One call on its way: lines so far and who waits."""

    __slots__ = ("done", "first_at", "lines", "sent_at")

    def __init__(self, done: asyncio.Future[float]) -> None:
        self.done = done
        self.lines: list[bytes] = []
        self.sent_at = time.monotonic()
        self.first_at: float | None = None

    def fail(self, error: HostError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class PluginHost(asyncio.SubprocessProtocol):
    """One plugin process. Use as a context manager: leaving it kills the process.

    *root* is the plugin's folder, *env* what is added to this process's environment (whose
    own MEM9_ASYNC_ settings are left out, so that a run depends on nothing but *env*).
    With *check_lines* every line is parsed as it comes and `lines_not_json` is exact;
    without, lines of calls are only looked at where they begin.
    `heartbeats` are times of time.monotonic(); `logs` keeps the newest *logs_kept*.
    """

    def __init__(
        self,
        root: Path,
        env: Mapping[str, str] | None = None,
        *,
        python: str = sys.executable,
        module: str = "main",
        provider: str = "mem9_async",
        check_lines: bool = True,
        call_timeout_s: float = 60.0,
        logs_kept: int = 10_000,
        on_log: Callable[[LogLine], None] | None = None,
    ) -> None:
        self.root = root
        self.provider = provider
        self.call_timeout_s = call_timeout_s
        self.manifest: Mapping[str, JsonValue] | None = None
        self.heartbeats: list[float] = []
        self.lines_not_json: list[bytes] = []
        self.errors: list[bytes] = []  #: `error` events outside any call, as they came
        self.logs: deque[LogLine] = deque(maxlen=logs_kept)
        self.exit_code: int | None = None
        self._command = (python, "-m", module)
        self.env = _environment(env or {})
        self._check_lines = check_lines
        self._on_log = on_log
        self._splitter = LineSplitter()
        self._stderr = bytearray()
        self._calls: dict[bytes, _Call] = {}
        self._next_call = 0

    async def __aenter__(self) -> Self:
        """Start the process; does not wait until it is ready (see `started`)."""
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._exited: asyncio.Future[None] = loop.create_future()
        self.spawned_at = time.monotonic()
        await loop.subprocess_exec(
            lambda: self, *self._command, cwd=self.root, env=self.env, start_new_session=True
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill the process if it still runs, and wait until it is gone."""
        self.kill()
        try:
            await self.exited(timeout_s=10)
        finally:
            self._transport.close()

    # The process

    @property
    def pid(self) -> int:
        """The plugin's process id."""
        pid = self._transport.get_pid()
        if pid is None:
            raise HostError("the plugin process was not started")
        return pid

    @property
    def alive(self) -> bool:
        """True until the process has ended."""
        return self.exit_code is None

    @property
    def stderr_tail(self) -> str:
        """The last 16 KiB the process wrote to its standard error."""
        return self._stderr.decode(errors="replace")

    async def started(self, timeout_s: float = 60.0) -> float:
        """Wait for the manifest line and the first heartbeat; return the seconds since the start.

        Raises PluginDied or PluginTimeout, both with what the process said on stderr.
        """
        await self._wait(self._ready, timeout_s, "first heartbeat")
        return self.heartbeats[0] - self.spawned_at

    async def exited(self, timeout_s: float = 10.0) -> int:
        """Wait until the process is gone; return its exit code (negative: the signal)."""
        await self._wait(self._exited, timeout_s, "end of the process")
        return cast(int, self.exit_code)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send *signum* to the process; nothing happens when it is gone already."""
        with suppress(ProcessLookupError):
            self._transport.send_signal(signum)

    # Calls

    async def invoke(
        self,
        tool: str,
        parameters: Parameters,
        credentials: Parameters,
        *,
        user_id: str = "user-1",
        conversation_id: str | None = None,
        app_id: str | None = "app-1",
        provider: str | None = None,
        timeout_s: float | None = None,
    ) -> ToolAnswer:
        """Call *tool* and wait for the end of its answer, a failed call included (`.error`).

        Raises PluginDied or PluginTimeout.
        """
        data = tool_call(provider or self.provider, tool, parameters, credentials, user_id=user_id)
        request = Request(tool, data, conversation_id=conversation_id, app_id=app_id)
        return ToolAnswer(*await self._ask(request, timeout_s))

    async def validate(self, credentials: Parameters, *, timeout_s: float | None = None) -> None:
        """Return when the provider takes *credentials*; raise PluginRefused with its reason."""
        reply = Reply(*await self._ask(validation(self.provider, credentials), timeout_s))
        if reply.error is not None:
            raise reply.error
        if not any(each.get("result") is True for each in reply.messages):
            raise HostError(f"neither taken nor refused: {reply.lines!r}")

    async def endpoint(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        settings: Parameters | None = None,
        timeout_s: float | None = None,
    ) -> EndpointAnswer:
        """Send one HTTP request to the plugin's endpoint at *path*, as Dify forwards it."""
        request = endpoint_call(method, path, headers or {}, body, settings or {})
        return endpoint_answer(Reply(*await self._ask(request, timeout_s)))

    async def _ask(
        self, request: Request, timeout_s: float | None
    ) -> tuple[tuple[bytes, ...], float, float | None]:
        if not self.alive:
            raise self._died()
        self._next_call += 1
        call_id = f"{self._next_call:0{_ID_CHARS}x}"
        call = _Call(asyncio.get_running_loop().create_future())
        self._calls[call_id.encode()] = call
        self._stdin.write(request.line(call_id))
        try:
            async with asyncio.timeout(timeout_s or self.call_timeout_s):
                ended_at = await call.done
        except TimeoutError:
            raise PluginTimeout(f"{request.what}: no end of the answer came in time") from None
        finally:
            del self._calls[call_id.encode()]
        first = None if call.first_at is None else call.first_at - call.sent_at
        return tuple(call.lines), ended_at - call.sent_at, first

    # What the process writes

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take a piece of stdout or stderr."""
        if fd == 1:
            for line in self._splitter.feed(data):
                self._line(line)
        else:
            self._stderr += data
            del self._stderr[:-_STDERR_KEPT]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Judge what was left without a line end."""
        if fd == 1 and (rest := self._splitter.rest()):
            self._line(rest)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the process, which may have ended before anybody waits for its start."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))

    def process_exited(self) -> None:
        """Take no more calls; what the process has written is still being read."""
        self.exit_code = self._transport.get_returncode()

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is gone and everything it wrote is read: fail every call that still waits."""
        for call in self._calls.values():
            call.fail(self._died())
        if not self._ready.done():
            self._ready.set_exception(self._died())
            self._ready.exception()  # nobody need have waited for it
        self._exited.set_result(None)

    def _line(self, line: bytes) -> None:
        if self._check_lines and not _is_object(line):
            self.lines_not_json.append(line)
        elif line.startswith(_SESSION):
            self._session_line(line)
        elif line.startswith(_HEARTBEAT):
            self.heartbeats.append(time.monotonic())
            if self.manifest is not None and not self._ready.done():
                self._ready.set_result(None)
        else:
            self._other_line(line)

    def _session_line(self, line: bytes) -> None:
        id_ends = len(_SESSION) + _ID_CHARS
        call = self._calls.get(line[len(_SESSION) : id_ends])
        if call is None:
            return  # its caller has given up
        now = time.monotonic()
        if line.startswith(_END, id_ends):
            if not call.done.done():
                call.done.set_result(now)
            return
        if call.first_at is None:
            call.first_at = now
        call.lines.append(line)

    def _other_line(self, line: bytes) -> None:
        if not _is_object(line):
            self.lines_not_json.append(line)
            return
        if b'"log"' in line[:16]:
            log = LogLine(line, time.time())
            self.logs.append(log)
            if self._on_log is not None:
                self._on_log(log)
            return
        parsed = json.loads(line)
        if parsed.get("event") == "error":
            self.errors.append(line)
        elif "event" not in parsed and self.manifest is None:
            self.manifest = parsed

    # Waiting

    async def _wait(self, future: asyncio.Future[None], timeout_s: float, what: str) -> None:
        done, _ = await asyncio.wait([future], timeout=timeout_s)
        if not done:
            raise PluginTimeout(f"no {what} within {timeout_s:g} s: {self.stderr_tail}")
        future.result()

    def _died(self) -> PluginDied:
        return PluginDied(f"the plugin ended with {self.exit_code}: {self.stderr_tail}")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith("MEM9_ASYNC_")}
    return kept | {"INSTALL_METHOD": "local"} | dict(added)
