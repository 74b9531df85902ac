"""The cheapest thing that answers like mem9: a load target that leaves the processor alone.

It speaks just enough HTTP/1.1 for both plugins: keep-alive, `Connection: close`, bodies with
a Content-Length. One port per delay; the ports are the first line on stdout.
"""

import asyncio
import json
import sys
from functools import partial
from typing import cast

import uvloop

_MEMORIES = [
    {
        "id": f"0192f0c1-0000-7000-8000-0000000000{n:02d}",
        "content": f"The person of conversation {n} prefers short answers and drinks green tea.",
        "memory_type": "insight",
        "tags": ["preference"],
        "confidence": 95 - n,
        "score": round(1.0 - n / 40, 3),
        "relative_age": f"{n + 1} hours ago",
        "created_at": "2026-11-01T10:00:00Z",
        "updated_at": "2026-11-01T10:00:00Z",
        "state": "active",
        "version": 1,
        "agent_id": "dify",
        "session_id": f"session-{n}",
    }
    for n in range(20)
]


def _response(status: str, body: object) -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    return head.encode() + b"\r\n\r\n" + data


_ACCEPTED = _response("202 Accepted", {"status": "accepted"})
_FOUND = _response(
    "200 OK", {"memories": _MEMORIES, "total": len(_MEMORIES), "limit": 30, "offset": 0}
)


class _Connection(asyncio.Protocol):
    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head_ends := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:head_ends].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            request_ends = head_ends + 4 + length
            if len(self._buffer) < request_ends:
                return
            self._buffer = self._buffer[request_ends:]
            answer = _ACCEPTED if head.startswith(b"post") else _FOUND
            close = b"connection: close" in head
            if self._delay_s:
                self._loop.call_later(self._delay_s, partial(self._answer, answer, close=close))
            else:
                self._answer(answer, close=close)

    def _answer(self, answer: bytes, *, close: bool) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        if close:
            self._transport.close()


async def _serve(delays_ms: list[int]) -> None:
    loop = asyncio.get_running_loop()
    ports = {}
    for delay_ms in delays_ms:
        connection = partial(_Connection, delay_ms / 1000)
        server = await loop.create_server(connection, "127.0.0.1", 0, backlog=1024)
        ports[delay_ms] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # ends with the process that started it


if __name__ == "__main__":
    uvloop.run(_serve([int(each) for each in sys.argv[1:]]))
