"""Connections that fail for a reason, on real sockets: the reason is what people are told."""

import os
import resource
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from yarl import URL

from mem9_async.client import trust
from mem9_async.client.failures import FAILURES, of_failure
from mem9_async.client.pool import Pool, Request
from mem9_async.models.outcome import ErrorType, Outcome
from tests.client.peers import http, peer, says
from tests.faults import certificates

OK = http(200, b"{}")
E = ErrorType


@asynccontextmanager
async def _pool() -> AsyncIterator[Pool]:
    pool = Pool(limit=2, connect_timeout_s=20.0, total_timeout_s=30.0, keepalive_idle_s=10.0)
    try:
        yield pool
    finally:
        await pool.aclose()


async def _told(url: str) -> Outcome:
    """What became of a GET of *url*; the connection must fail."""
    async with _pool() as pool:
        try:
            await pool.exchange(Request("GET", URL(url), {}))
        except FAILURES as exc:
            return of_failure(exc)
    raise AssertionError("the connection was made")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of the loopback that nobody else is given meanwhile, and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize(
    ("made", "code", "words"),
    [
        ("untrusted", "certificate_untrusted", "SSL_CERT_FILE"),
        ("self-signed", "certificate_untrusted", "REQUESTS_CA_BUNDLE"),
        ("expired", "certificate_expired", "expired"),
        ("wrong host", "certificate_wrong_host", "another name"),
        ("wrong address", "certificate_wrong_host", "address"),
    ],
)
async def test_a_certificate_is_told_by_what_is_wrong_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, code: str, words: str
) -> None:
    """And the setting that trusts an authority is named where that would help."""
    match made:
        case "expired":
            certs = certificates.make(tmp_path, valid=timedelta(days=-1))
        case "wrong host" | "wrong address":
            certs = certificates.make(tmp_path, host="other.test")
        case _:
            certs = certificates.make(tmp_path)
    if made != "untrusted":
        monkeypatch.setenv("SSL_CERT_FILE", str(certs.ca))
    async with peer(says(OK), tls=certs.server_context(good=made != "self-signed")) as mem9:
        name = "127.0.0.1" if made == "wrong address" else "localhost"
        told = await _told(f"https://{name}:{mem9.port}/")

    assert (told.error_type, told.error_code) == (E.TLS_ERROR, code)
    assert words in (told.error or "")


@pytest.mark.parametrize("name", trust.VARIABLES)
async def test_an_authority_of_ones_own_is_trusted_by_each_of_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As OpenSSL, requests and curl read them; a machine may set several."""
    certs = certificates.make(tmp_path)
    for each in trust.VARIABLES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, str(certs.ca))

    async with peer(says(OK), tls=certs.server_context()) as mem9, _pool() as pool:
        assert (await pool.exchange(Request("GET", URL(f"https://localhost:{mem9.port}/"), {}))).ok
        assert trust.authorities() == {name: certs.ca}


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_authorities_that_cannot_be_read_adds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """The authorities of the system are trusted all the same."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))

    assert trust.context().verify_mode is ssl.CERT_REQUIRED


async def test_a_server_with_old_versions_of_tls_only_is_told_as_such() -> None:
    """The remedy is on the server, which says that it knows no version in common."""
    alert = b"\x15\x03\x01\x00\x02\x02\x46"  # fatal, protocol_version
    async with peer(says(alert, then_close=True), reads=False) as mem9:
        told = await _told(f"https://localhost:{mem9.port}/")

    assert (told.error_type, told.error_code) == (E.TLS_ERROR, "tls_version")


async def test_a_connection_that_ends_before_it_is_ready_was_not_refused(tmp_path: Path) -> None:
    """A server that resets in the middle of the handshake listens all the same."""
    old = certificates.make(tmp_path).server_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with peer(says(OK), tls=old) as mem9:
        told = await _told(f"https://localhost:{mem9.port}/")

    assert told.error_code in ("ended_early", "tls_version")
    assert not told.maybe_sent


async def test_a_server_without_tls_is_told_as_such() -> None:
    """Https where http is meant."""
    async with peer(says(b"HTTP/1.1 400 Bad Request\r\n\r\n", then_close=True), reads=False) as it:
        told = await _told(f"https://localhost:{it.port}/")

    assert (told.error_type, told.error_code) == (E.TLS_ERROR, "not_tls")


@pytest.mark.parametrize("url", ["http://mem9.test/", "https://mem9.test/"])
async def test_a_proxy_that_is_gone_is_told_as_the_proxy(
    monkeypatch: pytest.MonkeyPatch, closed_port: int, url: str
) -> None:
    """Not as a mem9 that refuses."""
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port}")

    told = await _told(url)

    assert (told.error_type, told.error_code) == (E.CONNECTION_REFUSED, "proxy_failed")
    assert "proxy" in (told.error or "")


async def test_a_proxy_whose_name_is_unknown_is_told_as_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """mem9's own name was not even looked up."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:3128")

    assert (await _told("http://mem9.test/")).error_code == "proxy_failed"


@pytest.mark.parametrize(
    ("status", "code"), [(403, "proxy_denied"), (502, "proxy_denied"), (407, "proxy_auth_required")]
)
async def test_a_proxy_that_denies_the_tunnel_is_told_with_its_status(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    """mem9 has seen nothing."""
    async with peer(says(http(status, b"no"), then_close=True)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

        told = await _told("https://mem9.test/")

    assert (told.error_type, told.error_code) == (E.CONNECTION_REFUSED, code)
    assert not told.maybe_sent


async def test_a_proxy_of_another_kind_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes around it."""
    async with peer(says(OK)) as mem9:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{mem9.port}")

        told = await _told(mem9.url)

        assert told.error_code == "proxy_unsupported"
        assert "socks5" in (told.error or "")
        assert mem9.connections == 0


@pytest.mark.parametrize(
    "headers", [[b"Set-Cookie: a=" + b"x" * 70_000], [b"X-A: b"] * 200], ids=["long", "many"]
)
async def test_headers_over_a_limit_are_named(headers: list[bytes]) -> None:
    """Whoever runs the gateway learns what to look for."""
    async with peer(says(http(200, b"{}", *headers))) as mem9:
        told = await _told(mem9.url)

    assert (told.error_type, told.error_code) == (E.PROTOCOL_ERROR, "headers_too_long")
    assert "64 KiB" in (told.error or "")


@contextmanager
def _no_file_descriptors() -> Iterator[None]:
    """Leave no descriptor free meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_machine_without_file_descriptors_is_told_as_such() -> None:
    """The remedy is a limit of the daemon, not the base URL."""
    async with peer(says(OK)) as mem9, _pool() as pool:
        await pool.exchange(Request("GET", URL(mem9.url), {}))  # what is opened once, is
        await pool.aclose()
        with _no_file_descriptors():
            try:
                await pool.exchange(Request("GET", URL(mem9.url), {}))
                told = None
            except FAILURES as exc:
                told = of_failure(exc)

    assert told is not None
    assert told.error_code == "no_file_descriptors"
    assert "ulimit" in (told.error or "")
