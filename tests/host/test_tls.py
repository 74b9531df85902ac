"""Names and certificates: resolved and checked on the loop's thread of the real process."""

from pathlib import Path

import pytest

from mem9_async.cli.answers import PluginRefused
from mem9_async.cli.requests import Parameters
from tests.faults import certificates
from tests.faults.server import FaultServer
from tests.host.process import QUICK, credentials, plugin

KEY = "sk-tls"


async def test_https_by_name_works_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    """Credentials, a store that waits, and a search; SSL_CERT_FILE names whom to trust."""
    certs = certificates.make(tmp_path)
    settings = {**QUICK, "SSL_CERT_FILE": str(certs.ca)}
    async with (
        FaultServer(tls=certs.server_context()) as server,
        plugin(tmp_path / "data", settings) as host,
    ):
        keys = credentials(server.url, KEY)
        assert server.url.startswith("https://localhost:")
        await host.validate(keys)
        parameters: Parameters = {"content": "User likes tea", "wait": True}
        stored = await host.invoke("memory_store", parameters, keys)
        found = await host.invoke("memory_search", {"query": "tea"}, keys)

        assert stored.json["ok"] is True
        assert found.json["ok"] is True
        assert server.records.arrived == {"User likes tea"}


async def test_a_certificate_that_nobody_trusts_is_refused_and_the_job_kept(
    tmp_path: Path,
) -> None:
    """Nothing is sent to a server that cannot prove who it is."""
    certs = certificates.make(tmp_path)
    async with (
        FaultServer(tls=certs.server_context(good=False)) as server,
        plugin(tmp_path / "data", {**QUICK, "SSL_CERT_FILE": str(certs.ca)}) as host,
    ):
        keys = credentials(server.url, KEY)
        with pytest.raises(PluginRefused):
            await host.validate(keys)
        parameters: Parameters = {"content": "User likes tea", "wait": True}
        stored = (await host.invoke("memory_store", parameters, keys)).json
        found = (await host.invoke("memory_search", {"query": "tea"}, keys)).json

        assert (stored["ok"], stored["accepted"], stored["code"]) == (False, True, "tls_error")
        assert (found["ok"], found["code"]) == (False, "tls_error")
        assert len(server.records) == 0
