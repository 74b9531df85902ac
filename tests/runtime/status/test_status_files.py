"""Files that are whole or not there, and that go when nobody writes them."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from mem9_async.models.status_snapshot import from_json, to_json
from mem9_async.runtime.status.status_files import (
    StatusFiles,
    default_metrics_file,
    status_directory,
)
from tests.models.test_status_snapshot import SNAPSHOT

NOW = SNAPSHOT.taken_at
NO_PROCESS = 2**22 + 1  # above Linux's largest number


def _files(data: Path) -> StatusFiles:
    return StatusFiles(data, SNAPSHOT.boot_id, metrics=default_metrics_file(data))


def _left(data: Path, boot_id: str, **more: object) -> Path:
    """The snapshot of another process."""
    path = status_directory(data) / f"{boot_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(replace(SNAPSHOT, boot_id=boot_id, **more)))  # type: ignore[arg-type]
    return path


def _names(data: Path) -> set[str]:
    return {path.name for path in data.rglob("*") if path.is_file()}


def test_both_files_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    """The snapshot for its owner; the metrics may be read by the node exporter's user, too."""
    files = _files(tmp_path)
    files.write(SNAPSHOT)
    later = replace(SNAPSHOT, taken_at=NOW + 15)
    files.write(later)
    snapshot = status_directory(tmp_path) / f"{SNAPSHOT.boot_id}.json"
    metrics = default_metrics_file(tmp_path)

    assert from_json(snapshot.read_bytes()) == later
    assert b"mem9_async_journal_jobs" in metrics.read_bytes()
    assert _names(tmp_path) == {snapshot.name, metrics.name}
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
    assert stat.S_IMODE(snapshot.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(metrics.parent.stat().st_mode) == 0o755


def test_a_write_that_breaks_off_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads meets the old one, whole, and no half of the new one."""
    files = _files(tmp_path)
    files.write(SNAPSHOT)

    def fail(self: Path, target: Path) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="full"):
        files.write(replace(SNAPSHOT, depth=99))

    left = status_directory(tmp_path) / f"{SNAPSHOT.boot_id}.json"
    assert from_json(left.read_bytes()) == SNAPSHOT
    assert _names(tmp_path) == {left.name, "mem9_async.prom"}


def test_without_a_metrics_file_the_snapshot_alone_is_written(tmp_path: Path) -> None:
    """MEM9_ASYNC_METRICS_FILE=off."""
    StatusFiles(tmp_path, SNAPSHOT.boot_id, metrics=None).write(SNAPSHOT)

    assert _names(tmp_path) == {f"{SNAPSHOT.boot_id}.json"}


def test_a_configured_directory_is_not_made(tmp_path: Path) -> None:
    """Made by us it would be closed to the exporter; the snapshot is written all the same."""
    elsewhere = tmp_path / "textfile" / "mem9.prom"
    files = StatusFiles(tmp_path / "data", SNAPSHOT.boot_id, metrics=elsewhere)
    with pytest.raises(FileNotFoundError):
        files.write(SNAPSHOT)
    assert _names(tmp_path) == {f"{SNAPSHOT.boot_id}.json"}

    elsewhere.parent.mkdir()
    files.write(SNAPSHOT)
    assert elsewhere.exists()


def test_the_youngest_process_writes_the_metrics(tmp_path: Path) -> None:
    """Two would make each other's counters jump; an old one goes on once the young one is gone."""
    files = _files(tmp_path)
    younger = _left(tmp_path, "younger", started_at=SNAPSHOT.started_at + 1)
    files.write(SNAPSHOT)
    assert not default_metrics_file(tmp_path).exists()
    files.remove()
    assert _names(tmp_path) == {younger.name}

    files = _files(tmp_path)
    files.write(replace(SNAPSHOT, taken_at=NOW + 100))
    assert default_metrics_file(tmp_path).exists()


@pytest.mark.parametrize(
    ("more", "goes"),
    [
        ({"taken_at": NOW - 46, "pid": NO_PROCESS}, True),
        ({"taken_at": NOW - 44, "pid": NO_PROCESS}, False),
        ({"taken_at": NOW - 46, "pid": os.getpid()}, False),
        ({"taken_at": NOW - 3_601, "pid": os.getpid()}, True),
    ],
    ids=["dead", "written just now", "stuck", "its number is another's"],
)
def test_a_newcomer_tidies_what_the_dead_have_left(
    tmp_path: Path, more: dict[str, float], goes: bool
) -> None:
    """Three intervals old, and no process of that number any more; a stuck one stays shown."""
    left = _left(tmp_path, "0ther", **more)
    own = _left(tmp_path, SNAPSHOT.boot_id, taken_at=NOW - 9_999, pid=NO_PROCESS)

    assert _files(tmp_path).tidy(NOW) == goes
    assert left.exists() is not goes
    assert own.exists()


def test_what_is_no_snapshot_is_tidied_too(tmp_path: Path) -> None:
    """Of an older shape, or damaged; and drafts of processes that were killed."""
    torn = status_directory(tmp_path) / "torn.json"
    torn.parent.mkdir()
    torn.write_text("{")
    draft = torn.with_name(".x.json.y.tmp")
    draft.touch()
    os.utime(draft, (NOW - 4_000, NOW - 4_000))
    _files(tmp_path).tidy(NOW)

    assert _names(tmp_path) == set()


def test_files_go_with_a_process_that_ends_by_itself(tmp_path: Path) -> None:
    """What is still being written then does not come back."""
    files = _files(tmp_path)
    files.write(SNAPSHOT)
    files.remove()
    files.write(SNAPSHOT)

    assert _names(tmp_path) == set()
