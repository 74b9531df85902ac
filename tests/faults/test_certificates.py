"""The certificates are trusted by exactly those who should trust them."""

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.faults import certificates
from tests.faults.server import FaultServer


async def _shake_hands(port: int, context: ssl.SSLContext) -> None:
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    writer.close()
    await writer.wait_closed()


async def test_who_trusts_the_authority_trusts_localhost(tmp_path: Path) -> None:
    """The good certificate passes verification by name."""
    certs = certificates.make(tmp_path)
    async with FaultServer(tls=certs.server_context()) as server:
        await _shake_hands(server.port, certs.client_context())

        assert server.connections == 1


async def test_nobody_trusts_the_self_signed_certificate(tmp_path: Path) -> None:
    """The bad certificate fails verification."""
    certs = certificates.make(tmp_path)
    async with FaultServer(tls=certs.server_context(good=False)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await _shake_hands(server.port, certs.client_context())


def test_private_keys_are_for_the_owner_only(tmp_path: Path) -> None:
    """Both keys are 0600."""
    certs = certificates.make(tmp_path)

    assert {certs.key.stat().st_mode & 0o777, certs.bad_key.stat().st_mode & 0o777} == {0o600}
