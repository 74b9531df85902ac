"""The pooled session against raw sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from mem9_async.client.failures import FAILURES, of_failure
from mem9_async.client.pool import Pool, Request, Response
from mem9_async.models.outcome import ErrorType
from tests.client.peers import Peer, Script, floods, hangs, http, peer, resets, says

BAD_CHUNK = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
OK = http(200, b'{"status":"ok"}')


def pool(*, limit: int = 4, connect_s: float = 60.0, total_s: float = 120.0) -> Pool:
    """A pool with time for the slowest machine, where a test does not say otherwise."""
    return Pool(
        limit=limit, connect_timeout_s=connect_s, total_timeout_s=total_s, keepalive_idle_s=45.0
    )


@pytest.fixture
async def quick() -> AsyncIterator[Pool]:
    """A pool that soon gives up waiting for an answer."""
    quick = pool(connect_s=60.0, total_s=0.5)
    yield quick
    await quick.aclose()


@pytest.fixture
async def patient() -> AsyncIterator[Pool]:
    """A pool with time enough."""
    patient = pool()
    yield patient
    await patient.aclose()


def post(to: Peer) -> Request:
    """A write to *to*."""
    return Request("POST", URL(to.url), {"X-API-Key": "k"}, b"{}", body_max=1_000)


def get(to: Peer, *, may_resend: bool = False) -> Request:
    """A read from *to*."""
    return Request("GET", URL(to.url), {"X-API-Key": "k"}, may_resend=may_resend)


async def failure(pool: Pool, request: Request) -> ErrorType | None:
    """How *request* fails."""
    with pytest.raises(FAILURES) as caught:
        await pool.exchange(request)

    return of_failure(caught.value).error_type


async def test_connections_are_reused(patient: Pool) -> None:
    """One connection serves one request after the other."""
    async with peer(says(OK)) as mem9:
        for _ in range(5):
            await patient.exchange(post(mem9))

        assert mem9.connections == 1
        assert len(mem9.requests) == 5


async def test_a_redirect_is_not_followed(patient: Pool) -> None:
    """The key would travel along."""
    async with peer(says(http(307, b"", b"Location: /elsewhere"))) as mem9:
        answer = await patient.exchange(post(mem9))

        assert answer.status == 307
        assert len(mem9.requests) == 1


async def test_cookies_are_not_kept(patient: Pool) -> None:
    """No answer leaves a trace in the next request."""
    async with peer(says(http(200, b"{}", b"Set-Cookie: a=b; Path=/"))) as mem9:
        await patient.exchange(get(mem9))
        await patient.exchange(get(mem9))

        assert b"cookie" not in mem9.requests[1].lower()


async def test_both_retry_after_headers_are_seen(patient: Pool) -> None:
    """A proxy may add one of its own."""
    raw = http(429, b"{}", b"Retry-After: 3", b"Retry-After: soon")
    async with peer(says(raw)) as mem9:
        answer = await patient.exchange(get(mem9))

        assert answer.retry_after == ("3", "soon")


@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_over_the_limit_is_cut(patient: Pool, status: int) -> None:
    """Ten megabytes are not read, and the connection is not used again."""
    async with peer(says(http(status, b"x" * 10_000_000)), says(OK)) as mem9:
        big = await patient.exchange(post(mem9))
        small = await patient.exchange(post(mem9))

        assert (big.whole, big.overflowed) == (False, True)
        assert len(big.body) <= 64 * 1024
        assert small.whole
        assert mem9.connections == 2


async def test_a_body_that_unpacks_beyond_the_limit_is_cut(patient: Pool) -> None:
    """The limit is on what comes out."""
    packed = gzip.compress(b"x" * 10_000_000)
    async with peer(says(http(200, packed, b"Content-Encoding: gzip"))) as mem9:
        answer = await patient.exchange(post(mem9))

        assert not answer.whole
        assert len(answer.body) == 1_000


@pytest.mark.parametrize(
    "script",
    [
        says(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{}", then_close=True),
        says(http(200, b"no gzip", b"Content-Encoding: gzip")),
    ],
    ids=["cut short", "bad encoding"],
)
async def test_a_broken_body_is_an_answer_that_is_not_whole(patient: Pool, script: Script) -> None:
    """Its status is known all the same."""
    async with peer(script) as mem9:
        answer = await patient.exchange(post(mem9))

        assert answer.status == 200
        assert (answer.whole, answer.overflowed) == (False, False)


async def test_the_long_headers_of_a_gateway_are_read(patient: Pool) -> None:
    """A policy or a cookie of 60,000 bytes is no fault of the answer."""
    long = b"Content-Security-Policy: " + b"x" * 60_000
    async with peer(says(http(200, b"{}", long, b"Set-Cookie: a=" + b"y" * 20_000))) as mem9:
        answer = await patient.exchange(get(mem9))

        assert (answer.ok, answer.body) == (True, b"{}")


@pytest.mark.parametrize(
    ("script", "error_type"),
    [
        (resets(), ErrorType.CONNECTION_RESET),
        (says(b"", then_close=True), ErrorType.CONNECTION_RESET),
        (says(b"HTTP/1.1 20", then_close=True), ErrorType.CONNECTION_RESET),
        (hangs(), ErrorType.READ_TIMEOUT),
        (says(b"HTTP/1.1 200 X\r\n"), ErrorType.READ_TIMEOUT),
        (says(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n{"), ErrorType.READ_TIMEOUT),
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), ErrorType.PROTOCOL_ERROR),
        (says(BAD_CHUNK), ErrorType.PROTOCOL_ERROR),
        (says(b"HTTP/1.1 200 X\r\nX: " + b"x" * 140_000), ErrorType.PROTOCOL_ERROR),
        (floods(b"HTTP/1.1 200 X\r\n", b"X-Y: z\r\n" * 500), ErrorType.PROTOCOL_ERROR),
    ],
    ids=[
        "reset",
        "closed",
        "half a status",
        "hang",
        "half a head",
        "half a body",
        "no http",
        "bad chunk",
        "long header",
        "header flood",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_each_fault_ends_in_its_failure(
    quick: Pool, patient: Pool, script: Script, error_type: ErrorType, method: str
) -> None:
    """Within the time allowed, and after one request."""
    fitting = quick if error_type is ErrorType.READ_TIMEOUT else patient
    async with peer(script) as mem9:
        request = Request(method, URL(mem9.url), {}, b"{}" if method == "POST" else None)

        assert await failure(fitting, request) is error_type
        assert len(mem9.requests) == 1


async def test_a_slow_body_ends_with_the_whole_time(quick: Pool) -> None:
    """Bytes that trickle in do not buy more."""

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 9999\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with peer(trickle) as mem9:
        assert await failure(quick, get(mem9)) is ErrorType.READ_TIMEOUT


async def test_nothing_listening_is_refused(quick: Pool) -> None:
    """Nothing was sent."""
    async with peer(says(OK)) as mem9:
        gone = get(mem9)

    assert await failure(quick, gone) is ErrorType.CONNECTION_REFUSED


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", f"http://{'a' * 64}.invalid"])
async def test_a_name_without_an_address_is_a_dns_error(quick: Pool, url: str) -> None:
    """A name that cannot exist as well."""
    assert await failure(quick, Request("GET", URL(url), {})) is ErrorType.DNS_ERROR


@pytest.mark.parametrize("url", ["ftp://mem9.test", "mem9.test/path", "http:///path"])
async def test_an_address_that_cannot_be_asked_fails_like_an_unknown_one(
    quick: Pool, url: str
) -> None:
    """It never reaches the network."""
    assert await failure(quick, Request("GET", URL(url), {})) is ErrorType.DNS_ERROR


async def test_a_server_without_tls_is_a_tls_error(quick: Pool) -> None:
    """A secure request to an open port."""
    async with peer(says(b"HTTP/1.1 400 X\r\n\r\n", then_close=True), reads=False) as mem9:
        request = Request("GET", URL(mem9.url.replace("http:", "https:")), {})

        assert await failure(quick, request) is ErrorType.TLS_ERROR


async def test_a_handshake_that_hangs_is_a_connect_timeout(quick: Pool) -> None:
    """Nothing was sent yet."""
    async with peer(hangs(), reads=False) as mem9:
        request = Request("GET", URL(mem9.url.replace("http:", "https:")), {})

        assert await failure(quick, request) is ErrorType.CONNECT_TIMEOUT


async def test_a_connection_that_never_comes_free_is_a_pool_timeout() -> None:
    """It waits for the connect timeout and no longer."""
    narrow = pool(limit=1, connect_s=0.1)
    async with peer(hangs()) as mem9:
        first = asyncio.create_task(narrow.exchange(get(mem9)))
        await asyncio.sleep(0)

        assert await failure(narrow, get(mem9)) is ErrorType.POOL_TIMEOUT
        first.cancel()
        await asyncio.wait([first])
    await narrow.aclose()


async def test_waiting_for_a_connection_counts_towards_the_whole_time(
    patient: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waited is sent with what the wait has left; told by the time given, not by a clock."""
    given: list[float | None] = []
    send = Pool._send

    async def noted(pool: Pool, request: Request, timeout: aiohttp.ClientTimeout) -> Response:
        given.append(timeout.total)
        return await send(pool, request, timeout)

    monkeypatch.setattr(Pool, "_send", noted)
    async with peer(hangs()) as mem9:
        taken = [asyncio.create_task(patient.exchange(get(mem9))) for _ in range(4)]
        await mem9.asked(4)
        waiting = asyncio.create_task(patient.exchange(get(mem9)))
        await asyncio.sleep(0.01)
        taken[0].cancel()
        await mem9.asked(5)

        assert given[4] is not None
        assert given[3] is not None
        assert given[4] <= given[3] - 0.01
        for task in (*taken, waiting):
            task.cancel()
        await asyncio.wait([*taken, waiting])


async def test_no_more_connections_than_the_limit() -> None:
    """Requests beyond it wait their turn."""
    narrow = pool(limit=2)
    async with peer(says(OK)) as mem9:
        await asyncio.gather(*(narrow.exchange(get(mem9)) for _ in range(20)))

        assert mem9.connections <= 2
        assert len(mem9.requests) == 20
    await narrow.aclose()


async def test_a_cancelled_request_gives_its_place_back() -> None:
    """And its connection is dropped."""
    narrow = pool(limit=1)
    async with peer(hangs(), says(OK)) as mem9:
        first = asyncio.create_task(narrow.exchange(get(mem9)))
        await mem9.asked(1)
        first.cancel()
        await asyncio.wait([first])

        assert (await narrow.exchange(get(mem9))).ok
    await narrow.aclose()


@pytest.mark.parametrize(("may_resend", "sent"), [(True, 3), (False, 2)])
async def test_a_dead_kept_connection_is_tried_again_where_allowed(
    patient: Pool, may_resend: bool, sent: int
) -> None:
    """Once, for a read; what is metered fails instead."""
    async with peer(says(OK), resets(), says(OK)) as mem9:
        await patient.exchange(get(mem9))
        if may_resend:
            assert (await patient.exchange(get(mem9, may_resend=True))).ok
        else:
            assert await failure(patient, get(mem9)) is ErrorType.CONNECTION_RESET

        assert len(mem9.requests) == sent


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_write_is_never_sent_twice_by_itself(patient: Pool, method: str) -> None:
    """Whether to repeat it is the queue's business."""
    async with peer(says(OK), resets(), says(OK)) as mem9:
        await patient.exchange(get(mem9))

        request = Request(method, URL(mem9.url), {}, b"{}")
        assert await failure(patient, request) is ErrorType.CONNECTION_RESET
        assert len(mem9.requests) == 2


async def test_a_proxy_from_the_environment_is_used(
    patient: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its credentials, which go to nobody else."""
    async with peer(says(OK)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:pass@127.0.0.1:{proxy.port}")
        request = Request("POST", URL("http://mem9.test/v1"), {"X-API-Key": "k"}, b"{}")
        await patient.exchange(request)
        await patient.exchange(request)

        for seen in proxy.requests:
            assert seen.startswith(b"POST http://mem9.test/v1 HTTP/1.1")
            assert b"Proxy-Authorization: Basic dXNlcjpwYXNz" in seen
        assert proxy.connections == 1


async def test_a_proxy_that_refuses_the_tunnel_is_a_refused_connection(
    patient: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mem9 has seen nothing."""
    async with peer(says(http(407, b"who?"), then_close=True)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        request = Request("POST", URL("https://mem9.test/v1"), {"X-API-Key": "secret"}, b"{}")

        assert await failure(patient, request) is ErrorType.CONNECTION_REFUSED
        assert proxy.requests[0].startswith(b"CONNECT mem9.test:443")
        assert b"secret" not in proxy.requests[0]


async def test_a_closed_pool_opens_again_when_asked() -> None:
    """Closing twice, or before the first request, does no harm."""
    fresh = pool()
    await fresh.aclose()
    async with peer(says(OK)) as mem9:
        assert (await fresh.exchange(get(mem9))).ok
        await fresh.aclose()
        await fresh.aclose()
