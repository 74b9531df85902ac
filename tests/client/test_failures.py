"""Requests that ended without an answer."""

import errno
import ssl
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from mem9_async.client.failures import FAILURES, of_failure
from mem9_async.client.pool import ConnectionDied, PoolTimeout
from mem9_async.client.proxies import UnusableProxy
from mem9_async.models.outcome import ErrorType
from tests.client.builders import KEY

E = ErrorType
WHERE = ConnectionKey("mem9.test", 443, True, True, None, None, None)
REFUSED = ConnectionRefusedError(111, KEY)


@pytest.mark.parametrize(
    ("failure", "error_type", "maybe_sent", "code"),
    [
        (aiohttp.ClientConnectorDNSError(WHERE, OSError(-2, KEY)), E.DNS_ERROR, False, None),
        (aiohttp.ClientConnectorError(WHERE, REFUSED), E.CONNECTION_REFUSED, False, None),
        (
            aiohttp.ClientConnectorError(WHERE, TimeoutError(110, KEY)),
            E.CONNECT_TIMEOUT,
            False,
            None,
        ),
        (
            aiohttp.ClientProxyConnectionError(WHERE, REFUSED),
            E.CONNECTION_REFUSED,
            False,
            "proxy_failed",
        ),
        (
            aiohttp.ClientHttpProxyError(Mock(), (), status=502, message=KEY),
            E.CONNECTION_REFUSED,
            False,
            "proxy_denied",
        ),
        (
            aiohttp.ClientHttpProxyError(Mock(), (), status=407, message=KEY),
            E.CONNECTION_REFUSED,
            False,
            "proxy_auth_required",
        ),
        (UnusableProxy("socks5"), E.CONNECTION_REFUSED, False, "proxy_unsupported"),
        (
            aiohttp.ClientConnectorError(WHERE, OSError(errno.EMFILE, KEY)),
            E.CONNECTION_REFUSED,
            False,
            "no_file_descriptors",
        ),
        (
            aiohttp.ClientConnectorError(WHERE, OSError(errno.EHOSTUNREACH, KEY)),
            E.CONNECTION_REFUSED,
            False,
            "host_unreachable",
        ),
        (aiohttp.ConnectionTimeoutError(KEY), E.CONNECT_TIMEOUT, False, None),
        (aiohttp.ClientConnectorSSLError(WHERE, ssl.SSLError(1, KEY)), E.TLS_ERROR, False, None),
        (
            aiohttp.ClientConnectorCertificateError(WHERE, ssl.SSLCertVerificationError(1, KEY)),
            E.TLS_ERROR,
            False,
            "certificate_invalid",
        ),
        (PoolTimeout(), E.POOL_TIMEOUT, False, None),
        (ConnectionDied(KEY), E.CONNECTION_RESET, True, None),
        (aiohttp.ClientOSError(104, KEY), E.CONNECTION_RESET, True, None),
        (aiohttp.ServerDisconnectedError(KEY), E.CONNECTION_RESET, True, None),
        (aiohttp.ClientConnectionResetError(KEY), E.CONNECTION_RESET, True, None),
        (aiohttp.ClientPayloadError(KEY), E.CONNECTION_RESET, True, None),
        (BrokenPipeError(32, KEY), E.CONNECTION_RESET, True, None),
        (ssl.SSLError(1, KEY), E.CONNECTION_RESET, True, None),
        (aiohttp.SocketTimeoutError(KEY), E.READ_TIMEOUT, True, None),
        (TimeoutError(), E.READ_TIMEOUT, True, None),
        (aiohttp.ClientResponseError(Mock(), (), message=KEY), E.PROTOCOL_ERROR, True, None),
        (aiohttp.InvalidURL(KEY), E.DNS_ERROR, False, "invalid_url"),
        (aiohttp.NonHttpUrlClientError(KEY), E.DNS_ERROR, False, "invalid_url"),
        (UnicodeError(KEY), E.DNS_ERROR, False, "invalid_url"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_each_failure_has_one_meaning(
    failure: BaseException, error_type: ErrorType, maybe_sent: bool, code: str | None
) -> None:
    """Type and ambiguity of every row; the sentence speaks of the connection, never of the key."""
    outcome = of_failure(failure, duration_s=1.5)

    assert isinstance(failure, FAILURES)
    assert outcome.error_type is error_type
    assert outcome.maybe_sent is maybe_sent
    assert outcome.error_code == code
    assert outcome.error is not None
    assert "reach" in outcome.error or "connection" in outcome.error
    assert KEY not in outcome.model_dump_json()
    assert outcome.duration_s == 1.5
