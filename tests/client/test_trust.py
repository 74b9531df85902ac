"""Whom a connection trusts, and that no file is read twice to find out."""

import ssl
from pathlib import Path

import pytest

from mem9_async.client import trust
from tests.faults import certificates


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A new authority, which no variable names yet."""
    for name in trust.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return certificates.make(tmp_path).ca


def _trusted(context: ssl.SSLContext, authority: Path) -> bool:
    wanted = ssl.PEM_cert_to_DER_cert(authority.read_text())
    return wanted in context.get_ca_certs(binary_form=True)


@pytest.mark.parametrize("name", trust.VARIABLES)
def test_an_authority_is_trusted_whichever_variable_names_it(
    name: str, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by nobody who names none."""
    assert not _trusted(trust.context(), authority)

    monkeypatch.setenv(name, str(authority))

    assert _trusted(trust.context(), authority)


def test_a_folder_that_openssl_does_not_take_for_a_file_is_added(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL reads SSL_CERT_FILE as a file only."""
    added: list[Path] = []
    monkeypatch.setattr(trust, "add", lambda _, path: added.append(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.parent))

    trust.context()

    assert added == [authority.parent.resolve()]


@pytest.mark.parametrize(("openssl_reads_it", "reads"), [(True, 0), (False, 1)])
def test_a_file_that_several_variables_name_is_read_once(
    openssl_reads_it: bool,
    reads: int,
    authority: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By OpenSSL where it does so by itself; under another name too."""
    (link := authority.parent / "link.pem").symlink_to(authority)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(link))
    if openssl_reads_it:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    added: list[Path] = []
    add = trust.add

    def counting(to: ssl.SSLContext, path: Path) -> None:
        added.append(path)
        add(to, path)

    monkeypatch.setattr(trust, "add", counting)

    assert _trusted(trust.context(), authority)
    assert len(added) == reads
