"""Snapshots come at intervals, and at once when something gets worse."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mem9_async.models.status_snapshot import Sdk, StatusSnapshot, from_json
from mem9_async.runtime.status import publisher as module
from mem9_async.runtime.status.process import Process
from mem9_async.runtime.status.publisher import Publisher
from mem9_async.runtime.status.status_files import StatusFiles, status_directory
from tests.runtime.appkit import Sending

PROCESS = Process("b007", 1, "0.1.0", 1_000.0, Sdk(None))
HANG_S = 120.0


class _Files(StatusFiles):
    """Files of which each writing is noted; *broken* of them fail."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, PROCESS.boot_id, metrics=None)
        self.written: list[StatusSnapshot] = []
        self.broken = 0
        self.came = asyncio.Event()

    def write(self, snapshot: StatusSnapshot) -> None:
        """As it does, and noted."""
        self.came.set()
        if self.broken:
            self.broken -= 1
            raise OSError(28, "no space left")
        super().write(snapshot)
        self.written.append(snapshot)


async def _here(function: Callable[[], object]) -> object:
    await asyncio.sleep(0)
    return function()


class _Stage:
    def __init__(self, data: Path) -> None:
        self.app = Sending(data).app
        self.files = _Files(data)
        self.publisher = Publisher(
            source=lambda: self.app.status, files=self.files, process=PROCESS, aside=_here
        )

    async def turn(self) -> int:
        """One look; how many snapshots there were until then."""
        await self.publisher._turn()
        return len(self.files.written)

    async def close(self) -> None:
        await self.publisher.close()
        await self.app.aclose()


@pytest.fixture
async def stage(tmp_path: Path) -> _Stage:
    """A publisher of an app that sends nothing."""
    return _Stage(tmp_path)


async def test_the_first_is_written_at_once_and_the_next_when_it_is_due(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that finds nothing new writes nothing."""
    assert await stage.turn() == 1
    assert await stage.turn() == 1
    monkeypatch.setattr(module, "INTERVAL_S", 0.0)
    assert await stage.turn() == 2
    await stage.close()


async def test_what_gets_worse_is_written_at_once_and_what_gets_better_is_not(
    stage: _Stage,
) -> None:
    """A better state can wait for its interval."""
    await stage.turn()
    stage.app.health.degraded("disk", "the disk is full")
    assert await stage.turn() == 2
    assert stage.files.written[-1].health == "degraded"
    stage.app.health.over("disk")
    assert await stage.turn() == 2
    await stage.close()


async def test_a_disk_that_takes_nothing_is_told_once_and_tried_again(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fifteen seconds a warning would say no more than the first."""
    warned: list[str] = []
    monkeypatch.setattr(module.log, "warning", lambda event, **_: warned.append(event))
    monkeypatch.setattr(module, "INTERVAL_S", 0.0)
    stage.files.broken = 2
    assert [await stage.turn() for _ in range(3)] == [0, 0, 1]
    assert warned == ["status.write_failed"]
    stage.files.broken = 1
    await stage.turn()
    assert len(warned) == 2
    await stage.close()


async def test_it_goes_on_whatever_goes_wrong(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task has nobody who would begin it again."""
    monkeypatch.setattr(module, "_TICK_S", 0.01)
    take = stage.app.status.take
    faults = [ZeroDivisionError(), ZeroDivisionError()]

    def broken(*args: object, **named: object) -> StatusSnapshot:
        if faults:
            raise faults.pop()
        return take(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.app.status, "take", broken)
    monkeypatch.setattr(module, "INTERVAL_S", 0.0)
    task = asyncio.create_task(stage.publisher.run())
    async with asyncio.timeout(HANG_S):
        await stage.files.came.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert not faults
    await stage.close()


async def test_a_clean_end_takes_the_files_away_after_what_is_being_written(
    stage: _Stage, tmp_path: Path
) -> None:
    """Cancelled in the middle of a write, nothing of it is left."""
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly(function: Callable[[], object]) -> object:
        begun.set()
        await goes_on.wait()
        return function()

    stage.publisher._aside = slowly
    task = asyncio.create_task(stage.publisher.run())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    closing = asyncio.create_task(stage.publisher.close())
    await asyncio.sleep(0)
    assert not closing.done()
    goes_on.set()
    await closing

    assert len(stage.files.written) == 1
    assert list(status_directory(tmp_path).iterdir()) == []
    await stage.app.aclose()


async def test_the_file_says_how_the_app_stands(stage: _Stage, tmp_path: Path) -> None:
    """With the process's name and how often it is written."""
    await stage.turn()
    (path,) = status_directory(tmp_path).glob("*.json")
    told = from_json(path.read_bytes())

    assert path.stem == told.boot_id == PROCESS.boot_id
    assert (told.health, told.interval_s, told.depth) == ("ok", module.INTERVAL_S, 0)
    await stage.close()
