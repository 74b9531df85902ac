"""The fault server does each fault as named, and remembers what it was sent."""

import asyncio
import json
import time
from dataclasses import dataclass

import pytest

from tests.faults import scripts
from tests.faults.drain import until
from tests.faults.scripts import Script
from tests.faults.server import FaultServer, RefusedPort

_PATH = "/v1alpha2/mem9s/memories"


class Client:
    """A connection that sends store requests and hands back raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, server: FaultServer) -> "Client":
        """A new connection to *server*."""
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def send(self, *contents: str, key: str = "k1", session: str = "s1") -> None:
        """Send one store request with these messages."""
        body = json.dumps(
            {
                "messages": [{"role": "user", "content": content} for content in contents],
                "session_id": session,
                "agent_id": "dify",
            }
        ).encode()
        self.writer.write(
            f"POST {_PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nx-mnemo-agent-id: dify\r\n"
            f"idempotency-key: b-{key}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await self.writer.drain()

    async def read_all(self) -> bytes:
        """Everything until the server closes; ConnectionResetError when it resets."""
        async with asyncio.timeout(120):
            return await self.reader.read()

    async def answer(self) -> tuple[int, bytes]:
        """The next response's status and body."""
        async with asyncio.timeout(120):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return int(head.split(b" ")[1]), await self.reader.readexactly(length)

    def close(self) -> None:
        """Drop the connection."""
        self.writer.transport.abort()


async def test_an_unscripted_store_is_accepted_and_remembered() -> None:
    """The record holds who asked, for what, with which bytes."""
    async with FaultServer() as server:
        client = await Client.to(server)
        await client.send("one", "two", key="k9", session="s7")

        assert await client.answer() == (202, scripts.ACCEPTED)

        (record,) = server.records.taken(key="k9")
        assert (record.agent_id, record.session_id) == ("dify", "s7")
        assert record.contents == ("one", "two")
        assert record.idempotency_key == "b-k9"
        assert record.sha256 is not None
        assert server.records.taken(key="k1") == []
        client.close()


async def test_a_connection_serves_many_requests() -> None:
    """Keep-alive works until a script ends it."""
    async with FaultServer() as server:
        client = await Client.to(server)
        for _ in range(3):
            await client.send("x")
            await client.answer()

        assert [record.on_connection for record in server.records] == [1, 2, 3]
        assert server.connections == 1
        client.close()


async def test_scripts_are_played_in_order_and_then_decide_chooses() -> None:
    """Queued scripts come first, one per store request."""
    async with FaultServer() as server:
        server.script(scripts.error(503, "later"), scripts.error(429, "rate limit exceeded"))
        server.decide = lambda record: (
            scripts.answer(418) if record.key == "k1" else (scripts.accept())
        )
        client = await Client.to(server)
        statuses = []
        for _ in range(3):
            await client.send("x")
            statuses.append((await client.answer())[0])

        assert statuses == [503, 429, 418]
        assert server.records.taken() == []
        client.close()


@dataclass(frozen=True)
class Ending:
    """What the client sees of a script, and whether the request counts as taken."""

    script: Script
    resets: bool = False
    contains: bytes = b""
    lacks: bytes = b"\0\0\0"
    taken: bool = True


_ENDINGS = [
    Ending(scripts.reset_after_headers(), resets=True, taken=False),
    Ending(scripts.reset_mid_body(), resets=True, taken=False),
    Ending(scripts.reset_after_body(), resets=True),
    Ending(scripts.close_after_body(), lacks=b"HTTP"),
    Ending(scripts.reset_after_response_headers(), resets=True),
    Ending(scripts.reset_mid_response_body(), resets=True),
    Ending(scripts.truncated_body(), contains=b"content-length: 220"),
    Ending(scripts.garbage(), contains=bytes(range(256)), lacks=b"HTTP"),
    Ending(scripts.chunked_garbage(), contains=b"zz;"),
    Ending(scripts.closes_connection(), contains=b"connection: close"),
    Ending(scripts.accept(close=True), contains=b"accepted", lacks=b"connection: close"),
]


@pytest.mark.parametrize("ending", _ENDINGS, ids=lambda ending: ending.script.name)
async def test_a_script_ends_the_connection_as_its_name_says(ending: Ending) -> None:
    """Reset or orderly end, with the bytes before it, and the request taken or not."""
    async with FaultServer() as server:
        server.script(ending.script)
        client = await Client.to(server)
        await client.send("x" * 2000)
        if ending.resets:
            with pytest.raises(ConnectionResetError):
                await client.read_all()
        else:
            seen = await client.read_all()
            assert ending.contains in seen
            assert ending.lacks not in seen

        assert ending.taken == bool(server.records.taken())
        assert ending.script.taken == ending.taken
        client.close()


@pytest.mark.parametrize(
    ("script", "status", "body"),
    [
        (scripts.half_json(), 200, b'{"status":"acce'),
        (scripts.html_200(), 200, b"<!doctype html><title>Sign in</title>"),
        (scripts.invalid_key(), 400, b'{"error": "invalid API key"}'),
        (scripts.error(409, "conflict"), 409, b'{"error": "conflict"}'),
    ],
    ids=lambda value: value.name if isinstance(value, Script) else None,
)
async def test_a_scripted_answer_is_sent_as_it_stands(
    script: Script, status: int, body: bytes
) -> None:
    """Status and body reach the client unchanged."""
    async with FaultServer() as server:
        server.script(script)
        client = await Client.to(server)
        await client.send("x")

        assert (status, body) == await client.answer()
        client.close()


async def test_ten_megabytes_are_ten_megabytes() -> None:
    """The big body arrives in full."""
    async with FaultServer() as server:
        server.script(scripts.ten_megabytes())
        client = await Client.to(server)
        await client.send("x")
        _, body = await client.answer()

        assert len(body) > 10 * 1024 * 1024
        client.close()


async def test_a_hanging_request_ends_with_its_client() -> None:
    """Nothing is answered, and the handler is done once the client has left."""
    async with FaultServer() as server:
        server.script(scripts.hang())
        client = await Client.to(server)
        await client.send("x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.reader.read(1)
        (record,) = server.records
        assert record.finished_at is None

        client.close()
        assert await until(lambda: record.finished_at is not None, 120.0)


async def test_a_half_closed_connection_says_nothing_and_reads_on() -> None:
    """The client sees the end of the stream and can still send."""
    async with FaultServer() as server:
        server.script(scripts.half_close())
        client = await Client.to(server)
        await client.send("x")

        assert await client.read_all() == b""
        client.writer.write(b"more")
        await client.writer.drain()
        client.close()


async def test_a_slow_body_comes_byte_by_byte() -> None:
    """The pause between two bytes is the one asked for."""
    async with FaultServer() as server:
        server.script(scripts.slow_body(interval_s=0.02))
        client = await Client.to(server)
        await client.send("x")
        await client.reader.readuntil(b"\r\n\r\n")
        started = time.monotonic()
        async with asyncio.timeout(120):
            await client.reader.readexactly(len(scripts.ACCEPTED))

        assert time.monotonic() - started >= 0.02 * (len(scripts.ACCEPTED) - 1)
        client.close()


async def test_endless_headers_go_on_after_a_megabyte() -> None:
    """There is no blank line in the first megabyte."""
    async with FaultServer() as server:
        server.script(scripts.endless_headers())
        client = await Client.to(server)
        await client.send("x")
        async with asyncio.timeout(120):
            seen = await client.reader.readexactly(1024 * 1024)

        assert b"\r\n\r\n" not in seen
        client.close()


async def test_a_new_connection_can_be_reset_before_anything_is_read() -> None:
    """No request is recorded."""
    async with FaultServer() as server:
        server.connects.append("reset")
        client = await Client.to(server)
        with pytest.raises(ConnectionError):
            await client.read_all()

        assert len(server.records) == 0
        client.close()


async def test_an_idle_connection_is_closed_in_time() -> None:
    """mem9 does that after 60 s."""
    async with FaultServer(idle_close_s=0.05) as server:
        client = await Client.to(server)
        await client.send("x")
        await client.answer()

        assert await client.read_all() == b""
        client.close()


async def test_a_server_that_went_down_comes_back_on_its_port() -> None:
    """Down means refused; what was recorded is kept."""
    async with FaultServer() as server:
        client = await Client.to(server)
        await client.send("x")
        await client.answer()
        await server.down()
        with pytest.raises(ConnectionError):
            await client.read_all()
        with pytest.raises(ConnectionRefusedError):
            await Client.to(server)
        client.close()

        await server.up()
        again = await Client.to(server)
        await again.send("y")
        await again.answer()
        assert [record.contents for record in server.records] == [("x",), ("y",)]
        again.close()


async def test_a_refused_port_refuses() -> None:
    """Nobody listens on it while it is held."""
    with RefusedPort() as refused, pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", refused.port)


async def test_a_refused_key_is_unknown_on_every_route() -> None:
    """A store gets mem9's ambiguous 400, the status route decides it."""
    async with FaultServer() as server:
        server.refused_keys.add("k1")
        client = await Client.to(server)
        await client.send("x")
        assert await client.answer() == (400, b'{"error": "invalid API key"}')
        client.writer.write(b"GET /v1alpha2/status HTTP/1.1\r\nx-api-key: k1\r\n\r\n")

        assert (await client.answer())[0] == 404
        client.close()


async def test_one_poisoned_content_refuses_its_whole_request() -> None:
    """A request without it passes."""
    async with FaultServer() as server:
        script = scripts.poisoned(lambda text: "bad" in text, scripts.error(400, "no"))
        server.decide = lambda _: script
        client = await Client.to(server)
        await client.send("good", "bad")
        assert (await client.answer())[0] == 400
        await client.send("good")

        assert (await client.answer())[0] == 202
        assert [record.contents for record in server.records.taken()] == [("good",)]
        client.close()
