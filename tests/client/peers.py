"""Servers on raw loopback sockets that do to a connection what a test needs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A listening server: where it is, what it was asked, over how many connections."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def remember(self, request: bytes) -> None:
        """Keep *request*, and wake whoever waits for it."""
        self.requests.append(request)
        self._arrived.set()

    async def asked(self, count: int) -> None:
        """Wait until that many requests have come."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()


@asynccontextmanager
async def peer(
    *scripts: Script, tls: ssl.SSLContext | None = None, reads: bool = True
) -> AsyncIterator[Peer]:
    """Run a server that plays one script per request, the last one for ever.

    With *reads* a request is read whole before its script starts. A script that closes the
    writer ends the connection; else the next request on it is read.
    """
    state = Peer()
    tasks: list[asyncio.Task[None]] = []
    played = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal played
        state.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while not writer.is_closing():
                    if reads:
                        state.remember(await _request(reader))
                    script = scripts[min(played, len(scripts) - 1)]
                    played += 1
                    await script(reader, writer)
        finally:
            writer.close()

    # A task of ours, not the stream's: Python 3.12.1 logs an error when that one is cancelled.
    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the transports close


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + await reader.readexactly(length)


def says(raw: bytes, *, then_close: bool = False) -> Script:
    """Write *raw* and keep the connection, or end it."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_close:
            writer.close()

    return script


def http(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    """A whole HTTP answer."""
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def resets() -> Script:
    """End the connection with a reset, without a word."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    return script


def hangs() -> Script:
    """Never answer; ends with the connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    return script


def floods(start: bytes, chunk: bytes) -> Script:
    """Write *start*, then *chunk* for as long as anybody reads."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(chunk)
            await writer.drain()

    return script
