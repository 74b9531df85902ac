"""One request on a raw connection: read it as far as wanted, answer it as badly as wanted."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Sequence
from http import HTTPStatus

from tests.faults.record import Record, Records

_HEAD_LIMIT_BYTES = 64 * 1024
_JSON = "application/json"


class PeerGone(Exception):
    """The client closed the connection."""


class Connection:
    """A client's connection. `number` counts connections from 1."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.requests = 0
        self.open = True
        self._reader = reader
        self._writer = writer

    async def read_head(self) -> bytes | None:
        """The next request's head; None when the client closed in between."""
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        except (ConnectionError, asyncio.LimitOverrunError):
            return None

    async def read_exactly(self, size: int) -> bytes:
        """The next *size* bytes. Raises PeerGone."""
        try:
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            raise PeerGone from exc

    async def read_line(self) -> bytes:
        """The next line with its end. Raises PeerGone."""
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise PeerGone
        return line

    async def send(self, data: bytes) -> None:
        """Write *data* and wait until the kernel has it. Raises PeerGone."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as exc:
            raise PeerGone from exc

    async def wait_closed_by_peer(self) -> None:
        """Wait until the client gives up; what it still sends is thrown away."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(64 * 1024):
                pass

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.open = False
        raw = self._writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):  # the peer may have been faster
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def half_close(self) -> None:
        """Send no more, and keep reading."""
        raw = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        """End the connection in order, within a second."""
        self.open = False
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (TimeoutError, ConnectionError):
            self._writer.transport.abort()


class Exchange:
    """One request whose head has been read, and the means to answer it."""

    def __init__(self, connection: Connection, record: Record, records: Records) -> None:
        self.connection = connection
        self.record = record
        self._records = records
        self._left = 0 if self._chunked else self._content_length

    @property
    def _content_length(self) -> int:
        return int(self.record.headers.get("content-length", "0"))

    @property
    def _chunked(self) -> bool:
        return "chunked" in self.record.headers.get("transfer-encoding", "").lower()

    async def read_part(self, share: float) -> None:
        """Read only *share* (0 to 1) of the announced body."""
        part = int(self._left * share)
        await self.connection.read_exactly(part)
        self._left -= part

    async def read(self) -> Record:
        """Read the whole body into the record, once. Raises PeerGone."""
        if self.record.body is None:
            body = await (self._read_chunks() if self._chunked else self._read_plain())
            self.record.read(body)
        return self.record

    async def _read_plain(self) -> bytes:
        body = await self.connection.read_exactly(self._left)
        self._left = 0
        return body

    async def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := int((await self.connection.read_line()).split(b";")[0], 16):
            parts.append(await self.connection.read_exactly(size))
            await self.connection.read_exactly(2)
        while await self.connection.read_line() != b"\r\n":
            pass
        return b"".join(parts)

    def take(self) -> None:
        """Act on the request: from here on its memories have arrived."""
        self._records.take(self.record)

    async def answer(
        self,
        status: int,
        body: bytes,
        *,
        headers: Sequence[tuple[str, str]] = (),
        content_type: str = _JSON,
        announced: int | None = None,
    ) -> None:
        """Send a whole response; *announced* lies about the body's length."""
        await self.send_head(
            status,
            (*headers, ("content-length", str(len(body) if announced is None else announced))),
            content_type=content_type,
        )
        await self.connection.send(body)

    async def send_head(
        self,
        status: int,
        headers: Sequence[tuple[str, str]],
        *,
        content_type: str = _JSON,
    ) -> None:
        """Send the status line and all headers."""
        self.record.status = status
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}"]
        if content_type:
            lines.append(f"content-type: {content_type}")
        lines.extend(f"{name}: {value}" for name, value in headers)
        await self.connection.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    def finish(self) -> None:
        """Note that the server is done with this request."""
        self.record.finished_at = time.monotonic()


def parse_head(
    data: bytes, *, number: int, connection: Connection, arrived_at: float
) -> Record | None:
    """The record of a request from its head; None when it is not HTTP."""
    if len(data) > _HEAD_LIMIT_BYTES:
        return None
    first, *rest = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    try:
        method, target, _version = first.split(" ")
    except ValueError:
        return None
    headers: dict[str, str] = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    path, _, query = target.partition("?")
    return Record(
        number=number,
        connection=connection.number,
        on_connection=connection.requests,
        method=method,
        path=path,
        query=query,
        headers=headers,
        arrived_at=arrived_at,
    )
