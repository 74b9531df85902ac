"""The control socket: `<data>/run/<boot_id>.sock`, one JSON object a line in, one out.

Whoever may connect may see and change the whole queue, so directory and socket are closed to
others, and the peer's user is looked at besides. Nobody who asks slowly, much or nonsense holds up
the loop: lines, connections and times are limited.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from mem9_async.models.inspection import PROTOCOL, REQUESTS, Request
from mem9_async.models.status_snapshot import StatusSnapshot
from mem9_async.queue.journal import JournalError
from mem9_async.queue.troubles import place_of
from mem9_async.runtime.control.address import reachable
from mem9_async.runtime.desk.desk import Unanswerable

log = structlog.get_logger()

LINE_MOST = 65_536
CONNECTIONS_MOST = 32
_IDLE_S = 60.0
_WRITE_S = 10.0
_CREDENTIALS = struct.Struct("3i")

Answers = Callable[[Request], Awaitable[BaseModel | StatusSnapshot]]


class ControlServer:
    """One process's socket; belongs to the loop's thread."""

    def __init__(self, path: Path, answers: Answers) -> None:
        """*answers* raises Unanswerable with what to do instead."""
        self.path = path
        self._answers = answers
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> bool:
        """Listen; False, and a line in the log, where that cannot be."""
        try:
            listener = _listening(self.path)
        except OSError as exc:
            log.warning("control.unavailable", reason=exc.strerror or str(exc))
            return False
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listener, limit=LINE_MOST
        )
        return True

    async def close(self) -> None:
        """Stop listening, and take the socket away."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        with suppress(OSError):
            self.path.unlink()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._open.add(task)
        try:
            if len(self._open) > CONNECTIONS_MOST:
                await self._say(writer, _refused("too many connections; close some"))
            elif not _is_ours(writer):
                await self._say(writer, _refused("only the plugin's own user may ask"))
            else:
                await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # gone, or too slow; or we end
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(_IDLE_S):
                    line = await reader.readuntil()
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                await self._say(writer, _refused(f"a line has at most {LINE_MOST} bytes"))
                return
            await self._say(writer, await self._answer(line))

    async def _answer(self, line: bytes) -> bytes:
        try:
            request = REQUESTS.validate_json(line)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"]))
            return _refused(f"the request cannot be read: {where}: {first['msg']}")
        try:
            told = await self._answers(request)
        except Unanswerable as exc:
            return _refused(str(exc))
        except JournalError as exc:
            return _refused(f"the journal cannot be read now: {exc}")
        except Exception as exc:
            log.error("worker.crashed", stage="control", error_type="bug", reason=place_of(exc))
            return _refused("this failed inside the plugin; its log says where")
        return to_json({"protocol": PROTOCOL, "ok": True, "result": told}) + b"\n"

    async def _say(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        writer.write(line)
        async with asyncio.timeout(_WRITE_S):
            await writer.drain()


def _refused(why: str) -> bytes:
    return to_json({"protocol": PROTOCOL, "ok": False, "error": why}) + b"\n"


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    peer: socket.socket = writer.get_extra_info("socket")
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return user in (os.geteuid(), 0)


def _listening(path: Path) -> socket.socket:
    """A listening socket at *path*, whatever its length; directory 0700, socket 0600."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(CONNECTIONS_MOST)
        listener.settimeout(0)
    except BaseException:
        listener.close()
        raise
    return listener
