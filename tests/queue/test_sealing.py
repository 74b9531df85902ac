"""What is sealed opens only as it was, where it was, with the same secret."""

import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.queue.sealing import SealBroken, Sealer, load_secret

SEALER = Sealer(b"secret")


@given(data=st.binary(max_size=200), place=st.binary(max_size=40))
def test_what_was_sealed_opens_at_its_place(data: bytes, place: bytes) -> None:
    """Sealing and unsealing gives the same bytes back."""
    assert SEALER.unseal(SEALER.seal(data, place), place) == data


@given(data=st.binary(min_size=1, max_size=60), draw=st.data())
def test_a_single_changed_bit_is_noticed(data: bytes, draw: st.DataObject) -> None:
    """No bit of nonce, content or tag can change unseen."""
    sealed = bytearray(SEALER.seal(data, b"place"))
    bit = draw.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(SealBroken):
        SEALER.unseal(bytes(sealed), b"place")


@given(cut=st.integers(0, 40))
def test_a_truncated_seal_is_broken(cut: int) -> None:
    """Fewer bytes than were written never open, not even none at all."""
    sealed = SEALER.seal(b"twelve bytes", b"place")

    with pytest.raises(SealBroken):
        SEALER.unseal(sealed[: min(cut, len(sealed) - 1)], b"place")


def test_sealed_bytes_do_not_open_elsewhere() -> None:
    """A job's content moved to another lane is not that lane's content."""
    with pytest.raises(SealBroken):
        SEALER.unseal(SEALER.seal(b"content", b"lane 1"), b"lane 2")


def test_another_secret_opens_nothing() -> None:
    """A journal copied without its key tells nothing."""
    other = Sealer(b"another secret")

    with pytest.raises(SealBroken):
        other.unseal(SEALER.seal(b"content", b"place"), b"place")
    assert other.check != SEALER.check
    assert other.digest(b"key", 16) != SEALER.digest(b"key", 16)


def test_equal_content_is_sealed_differently_each_time() -> None:
    """Equal seals would tell which jobs say the same."""
    assert SEALER.seal(b"content", b"place") != SEALER.seal(b"content", b"place")


def test_a_fingerprint_is_eight_hex_digits_of_a_keyed_hash() -> None:
    """Logs name a lane the same way every time, and by nothing that can be guessed."""
    assert SEALER.fingerprint(b"lane") == Sealer(b"secret").fingerprint(b"lane")
    assert len(SEALER.fingerprint(b"lane")) == 8
    assert int(SEALER.fingerprint(b"lane"), 16) >= 0
    assert SEALER.fingerprint(b"lane") != SEALER.digest(b"lane", 4).hex()


def test_a_configured_secret_needs_no_file(tmp_path: Path) -> None:
    """With MEM9_ASYNC_JOURNAL_KEY nothing is written."""
    assert load_secret("word", tmp_path / "key") == load_secret("word", tmp_path / "key")
    assert not (tmp_path / "key").exists()


def test_the_random_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    """The key file is 0600 and stays the same; no draft is left beside it."""
    path = tmp_path / "keys" / "journal.key"

    first = load_secret(None, path)

    assert load_secret(None, path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["journal.key"]


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    """Whoever links its draft first wins; the others read that one."""
    barrier, secrets = threading.Barrier(8), []

    def start() -> None:
        barrier.wait()
        secrets.append(load_secret(None, tmp_path / "journal.key"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(secrets) == 8
    assert len(set(secrets)) == 1


def test_a_key_file_of_another_length_is_refused(tmp_path: Path) -> None:
    """Half a key file must not silently become another key."""
    path = tmp_path / "journal.key"
    path.write_bytes(b"short")

    with pytest.raises(OSError, match="5 bytes"):
        load_secret(None, path)
