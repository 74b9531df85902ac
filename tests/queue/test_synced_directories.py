"""What is made for the first time is still found after a power cut."""

import os
from pathlib import Path

import pytest

from mem9_async.queue.claims import prepare
from mem9_async.queue.sealing import load_secret


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[str]]:
    """The names in each directory, by its inode, when it was last synced."""
    names: dict[int, set[str]] = {}
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        if path.is_dir():
            names[path.stat().st_ino] = {each.name for each in path.iterdir()}

    monkeypatch.setattr(os, "fsync", noted)
    return names


def _lasting(path: Path, synced: dict[int, set[str]]) -> bool:
    return path.name in synced.get(path.parent.stat().st_ino, ())


def test_a_new_data_directory_outlasts_a_power_cut(
    tmp_path: Path, synced: dict[int, set[str]]
) -> None:
    """Each directory on the way that was missing is synced into the one above it."""
    prepare(tmp_path / "data" / "journal")

    assert _lasting(tmp_path / "data", synced)
    assert _lasting(tmp_path / "data" / "journal", synced)


def test_a_new_sealing_key_outlasts_a_power_cut(
    tmp_path: Path, synced: dict[int, set[str]]
) -> None:
    """Without its key a journal that was synced to the last byte could not be opened."""
    path = tmp_path / "key" / "journal.key"
    load_secret(None, path)

    assert _lasting(path, synced)
    assert _lasting(path.parent, synced)


def test_a_directory_that_cannot_be_synced_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems refuse it."""

    def refuses(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir():
            raise OSError("not supported")

    monkeypatch.setattr(os, "fsync", refuses)
    prepare(tmp_path / "data")

    assert load_secret(None, tmp_path / "data" / "key") == load_secret(
        None, tmp_path / "data" / "key"
    )
