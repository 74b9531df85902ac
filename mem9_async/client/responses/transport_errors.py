"""Why a connection could not be made, in words that name what to change.

Only numbers and reasons are read from an exception: its text may hold an address or a key.
"""

import errno
import ssl
from dataclasses import dataclass

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from mem9_async.client.proxies import UnusableProxy
from mem9_async.client.trust import VARIABLES

_UNREACHABLE = "Could not reach mem9: "
_TRUST = f"{VARIABLES[0]} (or {' or '.join(VARIABLES[1:])}) names a file of authorities to trust."


@dataclass(frozen=True, slots=True)
class Cause:
    """A stable code, and a sentence for a person."""

    code: str
    sentence: str


def _cause(code: str, words: str) -> Cause:
    return Cause(code, _UNREACHABLE + words)


_FILES = _cause(
    "no_file_descriptors",
    "this machine has no file descriptors left for a connection. Raise the limit of open files "
    "(ulimit -n) of the plugin daemon.",
)
_SYSTEM = {
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENETUNREACH: _cause(
        "network_unreachable", "no route leads to its network. Check this machine's network."
    ),
    errno.EHOSTUNREACH: _cause(
        "host_unreachable", "no route leads to its host. Check the base URL and the network."
    ),
    errno.EACCES: _cause(
        "connection_forbidden", "this machine forbids the connection. Check its firewall."
    ),
    errno.EPERM: _cause(
        "connection_forbidden", "this machine forbids the connection. Check its firewall."
    ),
    errno.EADDRNOTAVAIL: _cause(
        "no_local_address",
        "this machine has no address or port left for a connection. Check the base URL, and how "
        "many connections are open.",
    ),
}

_EARLY = _cause(
    "ended_early",
    "the connection was ended before it was ready. A firewall or a proxy may do that, or a server "
    "that wants another version of TLS.",
)

_UNTRUSTED = _cause(
    "certificate_untrusted",
    "its certificate is signed by an authority that this machine does not trust. " + _TRUST,
)
# X509_V_ERR_* of OpenSSL.
_CERTIFICATES = {
    9: _cause(
        "certificate_not_yet_valid",
        "its certificate is not valid yet. Check this machine's clock, then the server's "
        "certificate.",
    ),
    10: _cause(
        "certificate_expired",
        "its certificate has expired. Renew it on the server; check this machine's clock.",
    ),
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: _cause(
        "certificate_wrong_host",
        "its certificate is for another name than that in the base URL. Use a name that the "
        "certificate holds.",
    ),
    64: _cause(
        "certificate_wrong_host",
        "its certificate is not for the address in the base URL. Use a name that the certificate "
        "holds.",
    ),
}
_CERTIFICATE = _cause(
    "certificate_invalid", "its certificate does not hold up. Check it on the server. " + _TRUST
)

_VERSION = _cause(
    "tls_version",
    "it and this machine have no version of TLS in common. The server must offer TLS 1.2 or newer.",
)
_NO_TLS = _cause(
    "not_tls",
    "what answers at that address and port speaks no TLS. Check the port, or use http:// if the "
    "server is meant to be asked without TLS.",
)
_TLS = {
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSION,
    "NO_PROTOCOLS_AVAILABLE": _VERSION,
    "VERSION_TOO_LOW": _VERSION,
    "WRONG_SSL_VERSION": _VERSION,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
}

_HEADERS = Cause(
    "headers_too_long",
    "The connection to mem9 brought an answer with a header of more than 64 KiB, or more than 128 "
    "headers. Look at what a gateway before mem9 adds (cookies, policies).",
)

_PROXY_GONE = _cause(
    "proxy_failed",
    "the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) could not be "
    "reached. Check its address, or except mem9's host from it with NO_PROXY.",
)
_PROXY_ASKS = _cause(
    "proxy_auth_required",
    "the proxy wants a user name and a password. Put them into its address in HTTPS_PROXY.",
)


def cause_of(exc: BaseException) -> Cause | None:
    """Return what is known of why *exc* happened; None where its kind already says all."""
    if isinstance(exc, UnusableProxy):
        return _unusable(exc)
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return _denied(exc.status)
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        error = exc.certificate_error
        return _CERTIFICATES.get(getattr(error, "verify_code", 0), _CERTIFICATE)
    if isinstance(exc, aiohttp.ClientConnectorError):
        return _of_connect(exc)
    if isinstance(exc, aiohttp.ClientResponseError):
        return _HEADERS if _too_long(exc) else None
    if isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError):  # its numbers are others
        return _SYSTEM.get(exc.errno or 0)
    return None


def _of_connect(exc: aiohttp.ClientConnectorError) -> Cause | None:
    system = exc.os_error
    known = _SYSTEM.get(system.errno or 0)
    if known is not None and not isinstance(system, ssl.SSLError):
        return known
    if isinstance(exc, aiohttp.ClientProxyConnectionError):
        return _PROXY_GONE
    if isinstance(system, ssl.SSLError):
        return _TLS.get(getattr(system, "reason", None) or "")
    return _EARLY if isinstance(system, ConnectionResetError) else None


def _too_long(exc: aiohttp.ClientResponseError) -> bool:
    """Whether a limit of ours on headers was crossed; aiohttp wraps what says so."""
    inner: BaseException | None = exc
    while inner is not None:
        if isinstance(inner, LineTooLong):
            return True
        inner = inner.__cause__ or inner.__context__
    return exc.message == "Too many headers received"


def _denied(status: int) -> Cause:
    if status == 407:
        return _PROXY_ASKS
    return _cause(
        "proxy_denied",
        f"the proxy refused to connect to it (status {status}). Ask whoever runs the proxy to "
        "allow mem9's host, or except it with NO_PROXY.",
    )


def _unusable(exc: UnusableProxy) -> Cause:
    what = f"of the kind {exc.scheme}" if exc.scheme.isalnum() else "with an address that is none"
    return _cause(
        "proxy_unsupported",
        f"the environment names a proxy {what}; only http:// and https:// proxies can be used. "
        "Change HTTPS_PROXY or ALL_PROXY, or except mem9's host with NO_PROXY.",
    )
