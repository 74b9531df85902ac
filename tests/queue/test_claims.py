"""One owner for each journal file, whatever ends or starts."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mem9_async.queue.claims import Claim, claim_new, claim_orphans, prepare

_OWNER = """
import sys, pathlib
from mem9_async.queue.claims import claim_new
claim = claim_new(pathlib.Path(sys.argv[1]))
claim.path.write_bytes(b"journal")
print(claim.path.name, flush=True)
sys.stdin.read()
"""


@contextmanager
def _owner(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that owns a new journal until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _orphan(directory: Path, name: str, size: int = 1) -> Path:
    path = directory / f"{name}.db"
    path.write_bytes(b"x" * size)
    return path


def _claimed(directory: Path) -> list[Claim]:
    return list(claim_orphans(directory))


def test_a_journal_is_free_as_soon_as_its_owner_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves nothing to clean up: the kernel has released the lock."""
    with _owner(tmp_path) as (process, name):
        assert _claimed(tmp_path) == []

        process.send_signal(signal.SIGKILL)
        process.wait()

        (claim,) = _claimed(tmp_path)
        assert claim.path.name == name
        claim.release()


def test_what_we_own_is_no_orphan(tmp_path: Path) -> None:
    """A process never adopts its own journal."""
    claim = claim_new(tmp_path)
    claim.path.write_bytes(b"journal")

    assert _claimed(tmp_path) == []

    claim.release()
    (again,) = _claimed(tmp_path)
    again.release()


def test_an_orphan_has_one_adopter(tmp_path: Path) -> None:
    """Eight adopters at the same moment share fifty orphans without taking one twice."""
    for number in range(50):
        _orphan(tmp_path, f"orphan-{number}")
    barrier, claims = threading.Barrier(8), []

    def adopt() -> None:
        barrier.wait()
        claims.extend(_claimed(tmp_path))

    threads = [threading.Thread(target=adopt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claim.path.name for claim in claims) == sorted(
        f"orphan-{number}.db" for number in range(50)
    )
    for claim in claims:
        claim.release()


def test_the_newest_orphan_comes_first(tmp_path: Path) -> None:
    """Names are uuid7: at the start the newest goes on, and the older ones go below it."""
    _orphan(tmp_path, "0199-older", 1_000)
    _orphan(tmp_path, "0200-newer", 10)

    claims = _claimed(tmp_path)

    assert [claim.path.stem for claim in claims] == ["0200-newer", "0199-older"]
    for claim in claims:
        claim.release()


def test_an_adopter_that_came_too_late_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal was removed between our look and our lock: no lock file is left behind."""
    path = _orphan(tmp_path, "gone")
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        path.unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)

    assert _claimed(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_removed_lock_file_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first owner removed the file that we had opened: another may lock the name anew."""
    path = _orphan(tmp_path, "raced")
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        path.with_suffix(".lock").unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)

    assert _claimed(tmp_path) == []


def test_a_lock_file_made_anew_under_our_hands_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same name, another file: the lock that counts is the other one."""
    path = _orphan(tmp_path, "raced")
    lock = path.with_suffix(".lock")
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        lock.rename(tmp_path / "old")  # kept, so that its inode is not used again
        lock.touch()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)

    assert _claimed(tmp_path) == []


def test_a_journal_that_vanishes_while_we_look_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process removes what it has adopted while we list the directory."""
    kept = _orphan(tmp_path, "kept")
    real = Path.glob
    monkeypatch.setattr(
        Path, "glob", lambda self, pattern: [self / "vanished.db", *real(self, pattern)]
    )

    claims = _claimed(tmp_path)

    assert [claim.path for claim in claims] == [kept]
    claims[0].release()


def test_a_removed_claim_leaves_nothing(tmp_path: Path) -> None:
    """Database, log, shared memory and lock go together."""
    claim = claim_new(tmp_path)
    for name in ("", "-wal", "-shm"):
        Path(f"{claim.path}{name}").write_bytes(b"x")

    claim.remove()

    assert list(tmp_path.iterdir()) == []


def _damaged(directory: Path) -> Claim:
    """A claimed file with its log, and a finished draft of what is to take its place."""
    claim = claim_new(directory)
    claim.path.write_bytes(b"damaged")
    Path(f"{claim.path}-wal").write_bytes(b"log")
    claim.draft.write_bytes(b"rescued")
    return claim


def test_a_replaced_file_keeps_every_byte_and_is_not_found_again(tmp_path: Path) -> None:
    """A damaged journal is kept with its log under a name that nobody adopts."""
    claim = _damaged(tmp_path)

    aside = claim.replace_by_draft()
    claim.release()

    assert aside.read_bytes() == b"damaged"
    assert Path(f"{aside}-wal").read_bytes() == b"log"
    assert claim.path.read_bytes() == b"rescued"
    assert not Path(f"{claim.path}-wal").exists()
    (again,) = _claimed(tmp_path)
    assert again.path == claim.path
    again.release()


@pytest.mark.parametrize("renames", range(4))
def test_a_replacement_that_was_broken_off_is_finished_by_the_next_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Killed after any rename: the rescued file comes without the damaged one's log."""
    claim = _damaged(tmp_path)
    real, left = Path.rename, [None] * renames

    def rename(path: Path, target: Path) -> Path:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return real(path, target)

    with monkeypatch.context() as killed:
        killed.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            claim.replace_by_draft()
    claim.release()

    (again,) = _claimed(tmp_path)

    if renames == 0:  # the draft did not count yet
        assert again.path.read_bytes() == b"damaged"
        assert Path(f"{again.path}-wal").read_bytes() == b"log"
    else:
        assert again.path.read_bytes() == b"rescued"
        assert not Path(f"{again.path}-wal").exists()
        kept = sorted(path.read_bytes() for path in tmp_path.glob("*.corrupt-*"))
        assert kept == [b"damaged", b"log"]
    assert not again.draft.exists()
    again.release()


def test_lock_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """0600, like everything in the data directory."""
    claim = claim_new(tmp_path)

    assert stat.S_IMODE(claim.path.with_suffix(".lock").stat().st_mode) == 0o600
    claim.release()


def test_a_claim_is_not_inherited_by_child_processes(tmp_path: Path) -> None:
    """A lock held on by a forgotten child would keep the journal from being adopted."""
    claim = claim_new(tmp_path)

    assert not os.get_inheritable(claim.descriptor)
    claim.release()


def test_a_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """0700, and the probe leaves no trace."""
    prepare(tmp_path / "data")

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert list((tmp_path / "data").iterdir()) == []


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    """An OSError says so at once, not at the first store."""
    (tmp_path / "data").write_text("a file")

    with pytest.raises(OSError, match="data"):
        prepare(tmp_path / "data")
