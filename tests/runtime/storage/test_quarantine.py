"""A damaged journal is replaced by what can be read of it, whenever the process dies meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from mem9_async.queue.claims import claim_orphans
from mem9_async.queue.journal import JournalFull
from mem9_async.runtime.storage import quarantine
from mem9_async.runtime.storage.paths import journal_directory
from mem9_async.runtime.storage.storage import Storage, open_storage
from tests.faults.damage import overwrite_root
from tests.runtime.appkit import left_behind, quarantined, quick

_START = """
import sys
from pathlib import Path
from mem9_async.runtime.storage.storage import open_storage
from tests.runtime.appkit import quick
data = Path(sys.argv[1])
open_storage(quick(data), data)
"""
_TEXTS = [f"text {number}" for number in range(300)]


@pytest.fixture(autouse=True)
def _plain_structlog() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A place with one damaged journal, of which every job can still be read."""
    path = left_behind(tmp_path, *_TEXTS)
    overwrite_root(path, "jobs_by_lane")
    return tmp_path


def _rows(storage: Storage) -> int:
    rows: int = storage.journal.file.db.execute("SELECT count(*) FROM jobs").fetchone()[0]
    return rows


def _pages(path: Path) -> bytes:
    # SQLite counts in the first page how often it has opened the file.
    return path.read_bytes()[4096:]


def _open(data: Path) -> Storage:
    return open_storage(quick(data), data)


def test_a_damaged_journal_is_rescued_under_its_own_name(damaged: Path) -> None:
    """What others know it by stays; the damaged file is kept beside it, and all of it is told."""
    (path,) = journal_directory(damaged).glob("*.db")
    before = _pages(path)
    with capture_logs() as events:
        storage = _open(damaged)

    assert storage.claim
    assert storage.claim.path == path
    assert _rows(storage) == len(_TEXTS)
    (aside,) = quarantined(damaged)
    assert _pages(aside) == before
    told = {event["event"]: event for event in events}
    assert told["journal.quarantined"]["file"] == aside.name
    assert (told["journal.corrupted"]["jobs"], told["journal.corrupted"]["lost"]) == (300, 0)
    storage.close()


@pytest.mark.parametrize(
    "point", ["quarantine.before", "quarantine.salvaged", "quarantine.renamed"]
)
def test_a_rescue_that_is_killed_is_done_by_the_next_start(damaged: Path, point: str) -> None:
    """Every job is there once, and one damaged file is kept."""
    for _ in range(2):  # killed again while it is made good
        killed = subprocess.run(
            [sys.executable, "-c", _START, str(damaged)],
            env={**os.environ, "MEM9_ASYNC_FAILPOINT": f"{point}:1"},
            check=False,
            timeout=60,
            capture_output=True,
        )
        assert killed.returncode == -signal.SIGKILL, "the failpoint was not reached"

    first, second = _open(damaged), _open(damaged)

    assert (_rows(first), _rows(second)) == (len(_TEXTS), 0)
    assert len(quarantined(damaged)) == 1
    first.close()
    second.close()
    left = {path.suffix for path in journal_directory(damaged).iterdir()}
    assert not left & {".rescuing", ".rescued", ".scratch"}


def test_a_rescue_without_room_is_tried_again_later(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged file stays as it is, the start goes on, and nobody tries all the time."""
    (path,) = journal_directory(damaged).glob("*.db")
    before = _pages(path)
    tries = []

    def full(*arguments: object, **more: object) -> tuple[int, int]:
        tries.append(1)
        raise JournalFull("no room")

    with monkeypatch.context() as no_room:
        no_room.setattr(quarantine, "salvage", full)
        storage = _open(damaged)
        assert storage.durability == "process"
        assert _pages(path) == before
        assert quarantined(damaged) == []
        rescues = storage.rescues
        again = open_storage(quick(damaged), damaged, rescues=rescues)
        assert len(tries) == 1
        again.close()
    storage.close()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 100.0)

    for claim in claim_orphans(journal_directory(damaged)):
        if claim.path != path:
            claim.remove()
        else:
            claim.release()
    last = open_storage(quick(damaged), damaged, rescues=rescues)

    assert _rows(last) == len(_TEXTS)
    last.close()


def test_a_disk_without_room_for_a_copy_loses_nothing(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy breaks off half-way: no half draft is left, and none is taken for whole."""
    (path,) = journal_directory(damaged).glob("*.db")
    before = _pages(path)

    def copy(source: Path, target: str) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as no_room:
        no_room.setattr(shutil, "copyfile", copy)
        _open(damaged).close()

    assert _pages(path) == before
    assert not list(journal_directory(damaged).glob("*.resc*"))


def test_damage_in_use_leaves_the_rescued_journal_to_the_next_opening(tmp_path: Path) -> None:
    """The journal is closed, replaced, and free."""
    left_behind(tmp_path, *_TEXTS)
    storage = _open(tmp_path)
    assert storage.claim
    storage.journal.file.checkpoint()
    path = storage.claim.path
    storage.damaged = "met in use"

    storage.rescue_if_damaged()
    again = open_storage(quick(tmp_path), tmp_path, rescues=storage.rescues)

    assert again.claim
    assert again.claim.path == path
    assert _rows(again) == len(_TEXTS)
    assert len(quarantined(tmp_path)) == 1
    again.close()
