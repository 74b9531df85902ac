"""How one request is answered. A script reads as far as it wants and answers as it wants.

A script that leaves the connection open lets the client use it again.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.faults.exchange import Exchange
from tests.faults.record import Record

ACCEPTED = b'{"status":"accepted"}\n'
INVALID_KEY = "invalid API key"
_TEN_MB = 10 * 1024 * 1024
_FLOOD_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Script:
    """A named way to answer. `taken` says whether the server acts on the request."""

    name: str
    play: Callable[[Exchange], Awaitable[None]]
    taken: bool = False


def accept(*, delay_s: float = 0.0, close: bool = False) -> Script:
    """Take the request as mem9 does: 202, 200 when synchronous, 201 when pinned.

    *close* drops the kept-alive connection afterwards without a word.
    """

    async def play(exchange: Exchange) -> None:
        record = await exchange.read()
        if delay_s:
            await asyncio.sleep(delay_s)
        exchange.take()
        status, body = taken_answer(record)
        await exchange.answer(status, body)
        if close:
            await exchange.connection.close()

    return Script("accept", play, taken=True)


def taken_answer(record: Record) -> tuple[int, bytes]:
    """mem9's status and body for a request it took."""
    store = record.store
    if store is not None and store.memory_type == "pinned":
        memory = {
            "id": f"memory-{record.number}",
            "content": store.content,
            "memory_type": "pinned",
            "tags": store.tags,
            "metadata": store.metadata,
        }
        return 201, json.dumps(memory).encode()
    if store is not None and store.sync:
        return 200, b'{"status":"ok"}\n'
    return 202, ACCEPTED


def answer(
    status: int,
    body: bytes = b"",
    *,
    name: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    content_type: str = "application/json",
    take: bool = False,
    delay_s: float = 0.0,
) -> Script:
    """Read the request, act on it or not, and give exactly this answer."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        if delay_s:
            await asyncio.sleep(delay_s)
        if take:
            exchange.take()
        await exchange.answer(status, body, headers=headers, content_type=content_type)

    return Script(name or f"status_{status}", play, taken=take)


def error(
    status: int, text: str, *, headers: Sequence[tuple[str, str]] = (), name: str | None = None
) -> Script:
    """A refusal in mem9's form."""
    return answer(status, json.dumps({"error": text}).encode(), headers=headers, name=name)


def invalid_key() -> Script:
    """What mem9 says of a wrong key, and of its own database's hiccup."""
    return error(400, INVALID_KEY, name="invalid_key")


def reset_after_headers() -> Script:
    """Reset while the body is still in the socket."""

    async def play(exchange: Exchange) -> None:
        exchange.connection.reset()

    return Script("reset_after_headers", play)


def reset_mid_body() -> Script:
    """Reset with half of the body read."""

    async def play(exchange: Exchange) -> None:
        await exchange.read_part(0.5)
        exchange.connection.reset()

    return Script("reset_mid_body", play)


def reset_after_body(*, take: bool = True) -> Script:
    """Take the request and reset instead of answering."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        if take:
            exchange.take()
        exchange.connection.reset()

    return Script("reset_after_body", play, taken=take)


def close_after_body(*, take: bool = True) -> Script:
    """Take the request and close in order instead of answering."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        if take:
            exchange.take()
        await exchange.connection.close()

    return Script("close_after_body", play, taken=take)


def reset_after_response_headers() -> Script:
    """Take the request, send a 202's headers, reset."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        await exchange.send_head(202, [("content-length", str(len(ACCEPTED)))])
        await asyncio.sleep(0.02)  # so that the headers leave before the reset overtakes them
        exchange.connection.reset()

    return Script("reset_after_response_headers", play, taken=True)


def reset_mid_response_body() -> Script:
    """Take the request, send half of a 202's body, reset."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        await exchange.answer(202, ACCEPTED[:8], announced=len(ACCEPTED))
        await asyncio.sleep(0.02)
        exchange.connection.reset()

    return Script("reset_mid_response_body", play, taken=True)


def truncated_body() -> Script:
    """Announce more than is sent and close in order."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        await exchange.answer(202, ACCEPTED, announced=10 * len(ACCEPTED))
        await exchange.connection.close()

    return Script("truncated_body", play, taken=True)


def hang(*, take: bool = True) -> Script:
    """Take the request and never answer; ends when the client gives up."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        if take:
            exchange.take()
        await exchange.connection.wait_closed_by_peer()
        await exchange.connection.close()

    return Script("hang", play, taken=take)


def half_close() -> Script:
    """Take the request, shut the sending side, keep listening."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        exchange.connection.half_close()
        await exchange.connection.wait_closed_by_peer()
        await exchange.connection.close()

    return Script("half_close", play, taken=True)


def slow_body(*, interval_s: float = 0.5) -> Script:
    """Take the request and send a 202's body one byte per *interval_s* seconds."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        await exchange.send_head(202, [("content-length", str(len(ACCEPTED)))])
        for byte in ACCEPTED:
            await asyncio.sleep(interval_s)
            await exchange.connection.send(bytes([byte]))

    return Script("slow_body", play, taken=True)


def endless_headers() -> Script:
    """Never end the response's headers; gives up after 64 MiB."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        await exchange.connection.send(b"HTTP/1.1 202 Accepted\r\n")
        line = b"x-filler: " + b"a" * 1000 + b"\r\n"
        for _ in range(_FLOOD_LIMIT_BYTES // len(line)):
            await exchange.connection.send(line)
            await asyncio.sleep(0)
        exchange.connection.reset()

    return Script("endless_headers", play, taken=True)


def garbage() -> Script:
    """Answer with bytes that are no HTTP."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        await exchange.connection.send(bytes(range(256)) * 4 + b"\r\n\r\n")
        await exchange.connection.close()

    return Script("garbage", play, taken=True)


def chunked_garbage() -> Script:
    """A chunked answer whose chunk sizes are no numbers."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        await exchange.send_head(202, [("transfer-encoding", "chunked")])
        await exchange.connection.send(b"zz;\r\n!!!!\r\n-4\r\n{}\r\n\r\n")
        await exchange.connection.close()

    return Script("chunked_garbage", play, taken=True)


def half_json() -> Script:
    """A complete 200 whose JSON is cut."""
    return answer(200, b'{"status":"acce', name="half_json", take=True)


def html_200() -> Script:
    """What a proxy's sign-in page looks like."""
    return answer(
        200,
        b"<!doctype html><title>Sign in</title>",
        name="html_200",
        content_type="text/html; charset=utf-8",
    )


def empty_200() -> Script:
    """Success with no body at all."""
    return answer(200, b"", name="empty_200", content_type="")


def ten_megabytes() -> Script:
    """A 200 of 10 MB."""
    return answer(200, b'{"x":"' + b"y" * _TEN_MB + b'"}', name="ten_megabytes")


def closes_connection() -> Script:
    """Take the request, announce the end of the connection, close it."""

    async def play(exchange: Exchange) -> None:
        await exchange.read()
        exchange.take()
        status, body = taken_answer(exchange.record)
        await exchange.answer(status, body, headers=[("connection", "close")])
        await exchange.connection.close()

    return Script("closes_connection", play, taken=True)


def poisoned(
    bad: Callable[[str], bool], refusal: Script, *, otherwise: Script | None = None
) -> Script:
    """Refuse a request that holds a content for which *bad* is true; else play *otherwise*."""
    normal = otherwise or accept()

    async def play(exchange: Exchange) -> None:
        record = await exchange.read()
        script = refusal if any(bad(content) for content in record.contents) else normal
        await script.play(exchange)

    return Script("poisoned", play, taken=True)
