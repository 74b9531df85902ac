"""AES-256-GCM over keys and content at rest, and the keyed hashes that stand for them.

It protects copies and backups of the journal, not against somebody who can read this
process's memory or its key file.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mem9_async.queue import synced_directories

_NONCE_BYTES = 12
_KEY_BYTES = 32


class SealBroken(Exception):
    """The sealed bytes were changed, moved to another place, or sealed with another key."""


class Sealer:
    """Seals and unseals bytes under one secret, bound to the place where they lie."""

    def __init__(self, secret: bytes) -> None:
        self._aead = AESGCM(_derive(secret, b"seal"))
        self._mac_key = _derive(secret, b"digest")
        self.check = self.digest(b"mem9_async journal key", 16)

    def seal(self, data: bytes, place: bytes) -> bytes:
        """Encrypt *data* so that it opens only with the same *place* (what it belongs to)."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, place)

    def unseal(self, sealed: bytes, place: bytes) -> bytes:
        """Give back what was sealed at *place*. Raises SealBroken for a single changed bit."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as exc:
            raise SealBroken("sealed bytes failed their integrity check") from exc

    def digest(self, data: bytes, size: int) -> bytes:
        """A keyed hash of *data*, *size* bytes: equal data are found, nothing can be guessed."""
        return hmac.digest(self._mac_key, data, "sha256")[:size]

    def fingerprint(self, data: bytes) -> str:
        """The keyed hash that stands for *data* in logs and answers: 8 hex digits."""
        return self.digest(b"fingerprint:" + data, 4).hex()


def load_secret(configured: str | None, key_file: Path, *, known: bytes | None = None) -> bytes:
    """The journal's secret: *configured* if given, else the random one kept in *key_file*.

    Creates the file (0600) if it is missing, with *known* (the secret in use, should somebody
    have removed the file) or a new one; processes that start together agree on one.
    Raises OSError when it can be neither read nor made.
    """
    if configured:
        return hashlib.sha256(configured.encode()).digest()
    if not key_file.exists():
        synced_directories.make(key_file.parent)
        _make_secret(key_file, known or secrets.token_bytes(_KEY_BYTES))
    # Whoever made it: a journal must not outlast the name of its key.
    synced_directories.sync(key_file.parent)
    return _read_secret(key_file)


def _make_secret(key_file: Path, secret: bytes) -> None:
    draft = key_file.with_name(f"{key_file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secret)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        # link() fails if another process was first: unlike rename(), it never replaces a key.
        os.link(draft, key_file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read_secret(key_file: Path) -> bytes:
    secret = key_file.read_bytes()
    if len(secret) != _KEY_BYTES:
        raise OSError(f"{key_file.name} holds {len(secret)} bytes, not a key of {_KEY_BYTES}")
    return secret


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=b"mem9_async " + purpose).derive(
        secret
    )
