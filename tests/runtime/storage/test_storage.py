"""The journal is opened whatever state its place is in, and what was in it is kept or counted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from mem9_async.models.job import Message, NewJob, Turn
from mem9_async.models.space import Lane, Space
from mem9_async.queue.claims import claim_orphans
from mem9_async.queue.journal import JournalFile
from mem9_async.runtime.storage import mounts
from mem9_async.runtime.storage.paths import journal_directory, key_file
from mem9_async.runtime.storage.storage import Storage, open_claimed, open_storage
from mem9_async.settings import Settings
from tests.faults.damage import damage_once

LANE = Lane(
    space=Space(base_url="http://mem9.test", api_key=SecretStr("sk-canary-key")),
    agent_id="dify",
    session_id="s",
)


@pytest.fixture(autouse=True)
def _plain_structlog() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def _settings(data: Path, **more: Any) -> Settings:
    return Settings(data_dir=data, **more)


def _job(text: str) -> NewJob:
    return NewJob(lane=LANE, payload=Turn(messages=(Message(role="user", content=text),)))


def _filled(data: Path, jobs: int) -> Path:
    storage = open_storage(_settings(data), data)
    storage.journal.append([_job(f"canary content {number} " * 20) for number in range(jobs)], 1.0)
    assert storage.claim
    path = storage.claim.path
    storage.close()
    return path


def _held(storage: Storage) -> int:
    held: int = storage.journal.file.db.execute("SELECT count(*) FROM jobs").fetchone()[0]
    return held


def _adopted(storage: Storage, data: Path) -> int:
    found = 0
    for claim in claim_orphans(journal_directory(data)):
        journal = open_claimed(claim, storage.sealer, _settings(data), storage.rescues)
        if journal is not None:
            found += journal.file.db.execute("SELECT count(*) FROM jobs").fetchone()[0]
            journal.close()
            claim.release()
    return found


class TestPlaces:
    """Where there is nothing to build on."""

    def test_jobs_of_the_last_process_are_there_again(self, tmp_path: Path) -> None:
        """An orphaned journal becomes our own."""
        path = _filled(tmp_path, 5)

        storage = open_storage(_settings(tmp_path), tmp_path)

        assert storage.claim
        assert storage.claim.path == path
        assert _held(storage) == 5
        storage.close()

    def test_two_processes_never_share_a_journal(self, tmp_path: Path) -> None:
        """While one is open, the next gets a file of its own."""
        first = open_storage(_settings(tmp_path), tmp_path)
        second = open_storage(_settings(tmp_path), tmp_path)

        assert first.claim
        assert second.claim
        assert first.claim.path != second.claim.path
        first.close()
        second.close()

    def test_directory_that_cannot_be_made_means_memory_only_and_a_reason(
        self, tmp_path: Path
    ) -> None:
        """The plugin starts, and says what it does not promise."""
        (tmp_path / "file").touch()

        storage = open_storage(_settings(tmp_path / "file" / "below"), tmp_path)

        assert storage.durability == "none"
        assert storage.reason
        assert "data directory" in storage.reason
        storage.close()

    def test_a_place_that_may_not_last_is_told_and_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A container's own layer keeps what a killed process needs, and no more."""
        listed = tmp_path / "mountinfo"
        listed.write_text("30 1 0:28 / / rw - overlay overlay rw\n")
        monkeypatch.setattr(mounts, "_MOUNTS", listed)
        with capture_logs() as logged:
            storage = open_storage(_settings(tmp_path / "data"), tmp_path)

        told = [event for event in logged if event["event"] == "storage.not_lasting"]
        assert [event["log_level"] for event in told] == ["warning"]
        assert storage.weakness == told[0]["reason"]
        assert "overlay" in told[0]["reason"]
        assert (storage.durability, storage.reason) == ("process", None)
        storage.close()

    def test_files_are_for_their_owner_only(self, tmp_path: Path) -> None:
        """Directories 0700, the key and the journal 0600 or behind such a directory."""
        storage = open_storage(_settings(tmp_path / "data"), tmp_path)

        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert journal_directory(tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert key_file(tmp_path / "data").stat().st_mode & 0o777 == 0o600
        storage.close()

    def test_removed_file_is_noticed(self, tmp_path: Path) -> None:
        """What is written to an unlinked file is kept nowhere."""
        storage = open_storage(_settings(tmp_path), tmp_path)
        assert not storage.vanished
        assert storage.claim

        storage.claim.path.unlink()
        storage.look()

        assert storage.vanished
        storage.close()


class TestTrouble:
    """Files that cannot be used as they are."""

    def test_file_of_another_kind_is_set_aside_with_its_bytes(self, tmp_path: Path) -> None:
        """Whatever it is, it is somebody's."""
        path = _filled(tmp_path, 1)
        path.write_bytes(b"this is no database, but it is mine" * 200)

        storage = open_storage(_settings(tmp_path), tmp_path)

        (aside,) = journal_directory(tmp_path).glob("*.corrupt-*")
        assert aside.read_bytes().startswith(b"this is no database")
        assert storage.durability == "process"
        storage.close()

    def test_rows_on_intact_pages_are_saved(self, tmp_path: Path) -> None:
        """A damaged page costs its own rows, and the loss is counted aloud."""
        path = _filled(tmp_path, 200)
        raw = bytearray(path.read_bytes())
        middle = len(raw) // 4096 // 2 * 4096
        raw[middle : middle + 4096] = bytes(4096)
        path.write_bytes(raw)
        with capture_logs() as events:
            storage = open_storage(_settings(tmp_path), tmp_path)
            # The damage may be met only when the rows are read.
            try:
                rows = list(storage.journal.file.db.execute("SELECT sealed FROM jobs"))
            except Exception:
                storage.damaged = "damaged page"
                storage.rescue_if_damaged()
                storage = open_storage(_settings(tmp_path), tmp_path)
                rows = list(storage.journal.file.db.execute("SELECT sealed FROM jobs"))

        assert 150 <= len(rows) + _adopted(storage, tmp_path) <= 200
        assert len(rows) == 200 or any(e["event"] == "journal.corrupted" for e in events)
        storage.close()

    def test_newer_schema_is_left_untouched(self, tmp_path: Path) -> None:
        """A downgrade must not destroy what the newer version kept."""
        path = _filled(tmp_path, 3)
        storage = open_storage(_settings(tmp_path), tmp_path)
        storage.journal.file.db.execute("PRAGMA user_version = 999")
        storage.close()
        before = path.read_bytes()

        again = open_storage(_settings(tmp_path), tmp_path)

        assert path.read_bytes() == before
        assert again.claim
        assert again.claim.path != path
        assert again.durability == "process"
        again.close()

    def test_other_sealing_key_leaves_the_file_for_the_right_one(self, tmp_path: Path) -> None:
        """Setting the key back brings the jobs back."""
        path = _filled(tmp_path, 3)

        other = open_storage(_settings(tmp_path, journal_key="another"), tmp_path)
        assert _held(other) == 0
        other.close()
        for claim in claim_orphans(journal_directory(tmp_path)):
            if claim.path != path:
                claim.remove()
            else:
                claim.release()
        right = open_storage(_settings(tmp_path), tmp_path)

        assert _held(right) == 3
        right.close()

    @pytest.mark.parametrize("seed", range(60))
    def test_no_damage_stops_the_start(self, tmp_path: Path, seed: int) -> None:
        """Flipped bits, cut ends, strange files: there is a journal, and a loss is told."""
        assert damage_once(tmp_path, seed).problems == ()


def test_key_and_content_are_nowhere_in_the_files(tmp_path: Path) -> None:
    """What lies on the disk tells nothing without the sealing key."""
    storage = open_storage(_settings(tmp_path), tmp_path)
    storage.journal.append([_job("canary content")], 1.0)

    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert b"SQLite format 3" in raw or storage.journal.file.wal_bytes() > 0
    assert b"canary" not in raw
    storage.close()


def test_reserve_is_left_behind_by_nobody(tmp_path: Path) -> None:
    """An adopted journal takes its reserve with it."""
    _filled(tmp_path, 0)
    for claim in claim_orphans(journal_directory(tmp_path)):
        claim.remove()

    assert list(journal_directory(tmp_path).iterdir()) == []


def test_journal_file_is_opened_by_one_connection(tmp_path: Path) -> None:
    """EXCLUSIVE locking: a second connection in another process cannot write beside us."""
    storage = open_storage(_settings(tmp_path), tmp_path)
    storage.journal.append([_job("mine")], 1.0)

    assert not Path(f"{storage.claim and storage.claim.path}-shm").exists()
    assert isinstance(storage.journal.file, JournalFile)
    storage.close()
