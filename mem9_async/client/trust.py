"""Whom TLS connections trust: the system's authorities, and those that the environment adds."""

import os
import ssl
from contextlib import suppress
from pathlib import Path

#: Where a file (or a folder) of additional authorities may be named; each that is set counts.
#: OpenSSL reads SSL_CERT_FILE by itself, requests and curl the others.
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def authorities() -> dict[str, Path]:
    """Return the variables that are set, each with the path in it."""
    return {name: Path(text) for name in VARIABLES if (text := os.environ.get(name, "").strip())}


def context() -> ssl.SSLContext:
    """Make a client's context that trusts the authorities of the system and of the environment.

    A file that cannot be read adds none: connections then fail as untrusted, and name the
    setting, where an error here would end the ones that need no addition as well.
    """
    made = ssl.create_default_context()
    for path in _additional():
        with suppress(OSError):  # SSLError, for a file without a certificate, is one
            add(made, path)
    return made


def _additional() -> set[Path]:
    """What OpenSSL has not read by itself, each path once.

    The variables often name one file, and to read a system's authorities takes 30 ms.
    """
    named = authorities()
    paths = {path.resolve() for path in named.values()}
    read = named.get("SSL_CERT_FILE")
    return paths - {read.resolve()} if read is not None and read.is_file() else paths


def add(to: ssl.SSLContext, path: Path) -> None:
    """Let *to* trust the authorities in the file or folder *path*. Raises OSError."""
    if path.is_dir():
        to.load_verify_locations(capath=str(path))
    else:
        to.load_verify_locations(cafile=str(path))
