"""What it means that a request ended without an answer."""

import ssl

import aiohttp

from mem9_async.client.pool import PoolTimeout
from mem9_async.client.proxies import UnusableProxy
from mem9_async.client.responses.transport_errors import cause_of
from mem9_async.models.outcome import ErrorType, Outcome

# Everything `Pool.exchange` raises for what a network, a server or an address can do.
# ValueError: an address that yarl or the resolver cannot take (UnicodeError is one).
FAILURES = (aiohttp.ClientError, OSError, TimeoutError, ValueError)

# First match wins: subclasses stand before their bases.
_TYPES: tuple[tuple[type[BaseException], ErrorType], ...] = (
    (PoolTimeout, ErrorType.POOL_TIMEOUT),
    (UnusableProxy, ErrorType.CONNECTION_REFUSED),
    (aiohttp.ConnectionTimeoutError, ErrorType.CONNECT_TIMEOUT),
    (aiohttp.ClientConnectorDNSError, ErrorType.DNS_ERROR),
    (aiohttp.ClientSSLError, ErrorType.TLS_ERROR),
    (aiohttp.ServerFingerprintMismatch, ErrorType.TLS_ERROR),
    (aiohttp.ClientConnectorError, ErrorType.CONNECTION_REFUSED),
    (aiohttp.ClientHttpProxyError, ErrorType.CONNECTION_REFUSED),
    (aiohttp.ClientResponseError, ErrorType.PROTOCOL_ERROR),
    (TimeoutError, ErrorType.READ_TIMEOUT),
    (ssl.SSLError, ErrorType.CONNECTION_RESET),
    (ValueError, ErrorType.DNS_ERROR),
    (aiohttp.NonHttpUrlClientError, ErrorType.DNS_ERROR),
    (aiohttp.ClientConnectionError, ErrorType.CONNECTION_RESET),
    (OSError, ErrorType.CONNECTION_RESET),
)

_SENTENCES = {
    ErrorType.DNS_ERROR: "Could not reach mem9: its address could not be resolved. "
    "Check the base URL and this machine's name resolution.",
    ErrorType.CONNECTION_REFUSED: "Could not reach mem9: the connection was refused. "
    "Check the base URL and that the server is running.",
    ErrorType.CONNECT_TIMEOUT: "Could not reach mem9: no connection within the time allowed.",
    ErrorType.TLS_ERROR: "Could not reach mem9: the secure connection failed. "
    "Check the server's certificate.",
    ErrorType.POOL_TIMEOUT: "Could not reach mem9: every connection to it stayed in use.",
    ErrorType.CONNECTION_RESET: "The connection to mem9 broke before it answered.",
    ErrorType.READ_TIMEOUT: "The connection to mem9 was made, but no answer came in time.",
    ErrorType.PROTOCOL_ERROR: "The connection to mem9 brought an answer that is not proper HTTP.",
}

_NOT_SENT = frozenset(
    {
        ErrorType.POOL_TIMEOUT,
        ErrorType.CONNECT_TIMEOUT,
        ErrorType.DNS_ERROR,
        ErrorType.TLS_ERROR,
        ErrorType.CONNECTION_REFUSED,
    }
)


def of_failure(exc: BaseException, *, duration_s: float = 0.0) -> Outcome:
    """Say what *exc*, one of FAILURES, means. Never quotes it: it may hold an address or a key."""
    error_type = _type(exc)
    cause = cause_of(exc)
    return Outcome(
        error_type=error_type,
        maybe_sent=error_type not in _NOT_SENT,
        error=cause.sentence if cause else _SENTENCES[error_type],
        error_code=cause.code if cause else _code(exc),
        duration_s=duration_s,
    )


def _type(exc: BaseException) -> ErrorType:
    if isinstance(exc, aiohttp.ClientConnectorError) and isinstance(exc.os_error, TimeoutError):
        return ErrorType.CONNECT_TIMEOUT  # the system gave up before we did
    for kind, error_type in _TYPES:
        if isinstance(exc, kind):
            return error_type
    return ErrorType.CONNECTION_RESET


def _code(exc: BaseException) -> str | None:
    if isinstance(exc, ValueError | aiohttp.NonHttpUrlClientError):
        return None if isinstance(exc, ssl.SSLError) else "invalid_url"
    return None
