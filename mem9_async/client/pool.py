"""Pooled connections to mem9: one request in, one bounded answer out.

Nothing here retries, follows a redirect or keeps a cookie. Failures are aiohttp's exceptions
and `PoolTimeout`; outcomes.py says what they mean.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from yarl import URL

from mem9_async.client.proxies import proxy_for
from mem9_async.client.trust import context
from mem9_async.version import VERSION

KIB = 1024
MIB = 1024 * KIB
STORE_BODY_MAX = 64 * KIB  # mem9's answers to writes are a line
SEARCH_BODY_MAX = 8 * MIB  # 100 memories of 50,000 bytes, and room
LIST_BODY_MAX = 32 * MIB  # 200 of them, and room for metadata, which may quote whole messages
ERROR_BODY_MAX = 64 * KIB
DNS_TTL_S = 30

_HEADER_MAX = 64 * KIB  # one line; policies and cookies of gateways reach 20 kB
_HEADERS_MAX = 128
_SHORTEST_S = 0.001  # aiohttp takes 0 for "no limit"
_CONNECT_SHARE = 0.9  # of the whole time: else which timer ends a slow connect is a toss-up


class PoolTimeout(TimeoutError):
    """Every connection stayed in use for the whole connect timeout."""


class ConnectionDied(aiohttp.ClientConnectionError):
    """The connection ended after sending had begun."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to go. `may_resend` allows aiohttp one more try on a dead connection."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None = None
    params: Mapping[str, str] | None = None
    body_max: int = STORE_BODY_MAX
    may_resend: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. `whole` is False where the body was cut, by the peer or by our limit.

    `overflowed` says that it was our limit. `key` is the API key that was sent: servers may
    repeat it in what they say.
    """

    status: int
    retry_after: tuple[str, ...]
    body: bytes
    whole: bool
    overflowed: bool = False
    key: str = field(default="", repr=False)
    date: str | None = None  #: the server's clock, as it writes it

    @property
    def ok(self) -> bool:
        """True for a 2xx."""
        return 200 <= self.status < 300


class Pool:
    """One aiohttp session with connections of its own, opened on the loop that first uses it."""

    def __init__(
        self,
        *,
        limit: int,
        connect_timeout_s: float,
        total_timeout_s: float,
        keepalive_idle_s: float,
    ) -> None:
        self._limit = limit
        self._connect_timeout_s = connect_timeout_s
        self._keepalive_idle_s = keepalive_idle_s
        self._timeout = self._client_timeout(total_timeout_s)
        self._slots = asyncio.Semaphore(limit)
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[URL, URL | None] = {}

    async def aclose(self) -> None:
        """Close every connection; requests under way end as died connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def exchange(self, request: Request, *, timeout_s: float | None = None) -> Response:
        """Send *request* once; return what came back, whatever its status.

        Waits for a free connection at most the connect timeout, and for the whole at most
        *timeout_s* (None: the pool's own). Raises PoolTimeout, TimeoutError, ValueError (an
        address that cannot be asked) and aiohttp.ClientError.
        Cancelled: the connection is dropped; mem9 may have acted.
        """
        timeout = self._timeout if timeout_s is None else self._client_timeout(timeout_s)
        if self._slots.locked():
            timeout = await self._wait_for_slot(timeout)
        else:
            await self._slots.acquire()
        try:
            return await self._send(request, timeout)
        finally:
            self._slots.release()

    async def _wait_for_slot(self, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientTimeout:
        """Take a slot when one comes free; return what the wait has left of *timeout*."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(timeout.connect):
                await self._slots.acquire()
        except TimeoutError as exc:
            raise PoolTimeout from exc
        return self._client_timeout((timeout.total or 0) - (clock() - began))

    async def _send(self, request: Request, timeout: aiohttp.ClientTimeout) -> Response:
        send = self._opened().request
        if not request.may_resend and request.method != "POST":  # aiohttp never resends a POST
            send = partial(send, middlewares=(_send_once,))
        proxy = self._proxy(request.url)
        try:
            async with send(
                request.method,
                request.url,
                params=request.params,
                headers=request.headers,
                data=request.body,
                proxy=proxy,
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                limit = request.body_max if response.status < 300 else ERROR_BODY_MAX
                body, whole, overflowed = await _read(response, limit)
                if not whole:
                    response.close()
                retry_after = tuple(response.headers.getall("Retry-After", ()))
                key = request.headers.get("X-API-Key", "")
                date = response.headers.get("Date")
                return Response(response.status, retry_after, body, whole, overflowed, key, date)
        except aiohttp.ClientConnectorDNSError as exc:
            if proxy is None or exc.host != proxy.host:
                raise
            # The name of the proxy cannot be resolved: nothing is said about mem9's.
            raise aiohttp.ClientProxyConnectionError(exc._conn_key, exc.os_error) from exc

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._limit,
                    keepalive_timeout=self._keepalive_idle_s,
                    ttl_dns_cache=DNS_TTL_S,
                    ssl=context(),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"mem9-async/{VERSION}"},
                max_line_size=_HEADER_MAX,
                max_field_size=_HEADER_MAX,
                max_headers=_HEADERS_MAX,
            )
        return self._session

    def _proxy(self, url: URL) -> URL | None:
        origin = url.origin()
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(origin)
        return self._proxies[origin]

    def _client_timeout(self, total_s: float) -> aiohttp.ClientTimeout:
        total_s = max(total_s, _SHORTEST_S)
        connect_s = min(self._connect_timeout_s, _CONNECT_SHARE * total_s)
        return aiohttp.ClientTimeout(
            total=total_s,
            connect=connect_s,
            ceil_threshold=total_s + 1,  # above it aiohttp rounds deadlines up to whole seconds
        )


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool, bool]:
    """Read at most *limit* bytes; say whether that is the whole, and whether there is more."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                return b"".join(chunks)[:limit], False, True
    except TimeoutError:
        raise
    except (aiohttp.ClientConnectionError, OSError):
        if response.status == 200:  # says nothing yet: what answers there is told by the body
            raise
        return b"".join(chunks), False, False
    except aiohttp.ClientError:
        return b"".join(chunks), False, False
    return b"".join(chunks), True, False


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request by itself: what is metered is repeated by plan."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise ConnectionDied from exc
