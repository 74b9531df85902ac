"""A mem9 on raw sockets that answers each request as its script says, and remembers it.

Loopback only, TLS when given certificates. It knows just enough of mem9 to be asked what
the plugin asks: store, key status, a list, an empty search.
"""

import asyncio
import json
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from tests.faults.exchange import Connection, Exchange, PeerGone, parse_head
from tests.faults.record import Record, Records
from tests.faults.scripts import INVALID_KEY, Script, accept, invalid_key

_HOST = "127.0.0.1"


class FaultServer:
    """An async context manager. `url` is its base URL; `records` holds every request.

    The next store requests play the scripts of `queued`, then those `decide` chooses
    (default: accept). `connects` holds what happens to the next new connections before
    anything is read: `reset`, `hang` or None. `refused_keys` are unknown to this mem9.
    `idle_close_s` closes kept-alive connections that are idle that long.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, idle_close_s: float | None = None
    ) -> None:
        self.records = Records()
        self.queued: deque[Script] = deque()
        self.connects: deque[str | None] = deque()
        self.decide: Callable[[Record], Script] = _always_accept
        self.refused_keys: set[str] = set()
        self.idle_close_s = idle_close_s
        self.connections = 0
        self._tls = tls
        self._handlers: set[asyncio.Task[None]] = set()
        self._connected_now: set[Connection] = set()
        self._server: asyncio.Server | None = None
        # Bound and never listening: keeps the port ours while the server is down.
        self._reserve = _bound_socket(0)
        self.port: int = self._reserve.getsockname()[1]

    @property
    def url(self) -> str:
        """The base URL; by name where TLS is on, since the certificate is for the name."""
        return f"https://localhost:{self.port}" if self._tls else f"http://{_HOST}:{self.port}"

    def __repr__(self) -> str:
        state = "up" if self._server else "down"
        return f"<FaultServer {self.url} {state}, {self.connections} connections, {self.records}>"

    async def __aenter__(self) -> "FaultServer":
        await self.up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.down()
        self._reserve.close()

    async def up(self) -> None:
        """Listen; nothing happens when it already does."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, sock=_bound_socket(self.port), ssl=self._tls, limit=1 << 20
            )

    async def down(self) -> None:
        """Refuse connections and reset those there are; what was sent is remembered."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        handlers = list(self._handlers)
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        for connection in self._connected_now:  # whose handler was cancelled before it began
            if connection.open:
                connection.reset()
        self._connected_now.clear()

    def script(self, *scripts: Script) -> None:
        """Play *scripts* for the next store requests, one each."""
        self.queued.extend(scripts)

    def clear(self) -> None:
        """Answer well from now on."""
        self.queued.clear()
        self.connects.clear()
        self.refused_keys.clear()
        self.decide = _always_accept

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = Connection(self.connections, reader, writer)
        if self._server is None:  # accepted by the kernel before we went down
            connection.reset()
            return
        self._connected_now.add(connection)
        handler = asyncio.create_task(self._serve(connection))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _serve(self, connection: Connection) -> None:
        fate = self.connects.popleft() if self.connects else None
        try:
            if fate == "reset":
                connection.reset()
            elif fate == "hang":
                await connection.wait_closed_by_peer()
            while connection.open and await self._serve_request(connection):
                pass
        except PeerGone:
            pass
        except asyncio.CancelledError:
            connection.reset()
            raise
        finally:
            if connection.open:
                await connection.close()
            self._connected_now.discard(connection)

    async def _serve_request(self, connection: Connection) -> bool:
        try:
            async with asyncio.timeout(self.idle_close_s if connection.requests else None):
                head = await connection.read_head()
        except TimeoutError:
            return False
        if head is None:
            return False
        connection.requests += 1
        record = parse_head(
            head,
            number=len(self.records),
            connection=connection,
            arrived_at=time.monotonic(),
        )
        if record is None:
            return False
        self.records.all.append(record)
        exchange = Exchange(connection, record, self.records)
        try:
            await self._answer(exchange)
        finally:
            exchange.finish()
        return True

    async def _answer(self, exchange: Exchange) -> None:
        record = exchange.record
        if record.is_store:
            script = self._next_script(record)
            record.script = script.name
            await script.play(exchange)
            return
        await exchange.read()
        known = record.key not in self.refused_keys
        if record.path.endswith("/status"):
            status, body = (
                (200, {"status": "active"}) if known else (404, {"error": "key not found"})
            )
        elif not known:
            status, body = 400, {"error": INVALID_KEY}
        elif record.path.endswith("/memories"):
            await exchange.answer(200, self._list(record))
            return
        elif record.path == "/healthz":
            status, body = 200, {"status": "ok"}
        else:
            status, body = 404, {"error": "not found"}
        await exchange.answer(status, json.dumps(body).encode())

    def _next_script(self, record: Record) -> Script:
        if self.queued:
            return self.queued.popleft()
        if record.key in self.refused_keys:
            return invalid_key()
        return self.decide(record)

    def _list(self, asked: Record) -> bytes:
        # Without extraction only pinned memories ever become visible here.
        memories = [
            {"id": f"memory-{record.number}", "content": record.store.content,
             "memory_type": "pinned", "tags": record.store.tags,
             "metadata": record.store.metadata, "state": "active"}
            for record in reversed(self.records.taken(key=asked.key))
            if record.store is not None and record.store.memory_type == "pinned"
        ]  # fmt: skip
        page = {"memories": memories, "total": len(memories), "limit": 200, "offset": 0}
        return json.dumps(page).encode()


class RefusedPort:
    """A context manager around a loopback port that is ours and on which nobody listens."""

    def __init__(self) -> None:
        self._socket = _bound_socket(0)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{_HOST}:{self.port}"

    def __enter__(self) -> "RefusedPort":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


_ACCEPT = accept()


def _always_accept(_: Record) -> Script:
    return _ACCEPT


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((_HOST, port))
    return bound
