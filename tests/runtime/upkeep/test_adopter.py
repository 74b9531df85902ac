"""What earlier processes left is taken over in its order, and let go of whatever happens."""

import asyncio
from pathlib import Path

import pytest

from mem9_async.models.job import QueueCommand
from mem9_async.queue.claims import claim_orphans
from mem9_async.queue.journal.adoption import Takeover
from mem9_async.runtime.startup import begun
from mem9_async.runtime.storage.paths import journal_directory
from tests.faults.damage import overwrite_root
from tests.queue.builders import job
from tests.runtime.appkit import (
    Sending,
    fill,
    left_behind,
    open_beside,
    quarantined,
    quick,
)


class _Killed(Exception):
    pass


def _texts(name: str, count: int) -> list[str]:
    return [f"{name}{number:05}" for number in range(count)]


def _broken_off(data: Path, monkeypatch: pytest.MonkeyPatch, *, jobs: int, chunks: int) -> None:
    """B has a newer job, has copied *chunks* of A's, and dies before it removes the last."""
    first, second = open_beside(data), open_beside(data)
    fill(first, *_texts("A", jobs))
    fill(second, "B")
    removed = iter(range(chunks - 1))
    real = Takeover._remove

    def remove(takeover: Takeover, last_seq: object) -> None:
        if next(removed, None) is None:
            raise _Killed
        real(takeover, last_seq)

    with monkeypatch.context() as killed:
        killed.setattr(Takeover, "_remove", remove)
        with pytest.raises(_Killed):
            list(Takeover(second.journal, first.journal).chunks())
    first.close()
    second.close()


@pytest.mark.parametrize("chunks", [1, 2, 5])
async def test_a_takeover_that_was_killed_is_finished_in_order_and_without_duplicates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    """The next process goes on with the journal that had begun it, however small that is."""
    _broken_off(tmp_path, monkeypatch, jobs=3_000, chunks=chunks)
    sending = Sending(tmp_path)

    await sending.run_until(lambda: len(sending.sent) >= 3_001 and not sending.app.lanes.depth)

    assert sending.sent == [*_texts("A", 3_000), "B"]


async def test_a_running_process_finishes_anothers_takeover_before_it_adopts_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A's rest belongs between its beginning, which B has copied, and B's own."""
    own = Sending(tmp_path)
    _broken_off(tmp_path, monkeypatch, jobs=1_200, chunks=1)

    await own.run_until(lambda: len(own.sent) >= 1_201 and not own.app.lanes.depth)

    assert own.sent == [*_texts("A", 1_200), "B"]


async def test_what_another_is_taking_over_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it is in a journal whose owner lives: two would send the same."""
    _broken_off(tmp_path, monkeypatch, jobs=1_200, chunks=1)
    newest = max(journal_directory(tmp_path).glob("*.db"))
    (taker, *others) = claim_orphans(journal_directory(tmp_path))
    assert taker.path == newest
    for claim in others:
        claim.release()
    sending = Sending(tmp_path)

    await sending.run_until(sending.app.parts.adoption.first_round.is_set)

    assert sending.sent == []
    assert len(list(journal_directory(tmp_path).glob("*.db"))) == 3
    taker.release()


async def test_older_journals_go_first_and_nothing_is_sent_before_they_are_here(
    tmp_path: Path,
) -> None:
    """Three processes have died one after the other, the largest in the middle."""
    left_behind(tmp_path, *_texts("a", 30))
    left_behind(tmp_path, *_texts("b", 900))
    left_behind(tmp_path, *_texts("c", 3))
    sending = Sending(tmp_path)

    await sending.run_until(lambda: len(sending.sent) >= 933)

    assert sending.sent == [*_texts("a", 30), *_texts("b", 900), *_texts("c", 3)]


async def test_a_cancelled_adoption_lets_go_of_the_orphan(tmp_path: Path) -> None:
    """The next app of this process, or another process, takes over the rest."""
    left_behind(tmp_path, *_texts("a", 2_000))
    left_behind(tmp_path, "b")
    sending = Sending(tmp_path)
    sending.app.start()
    while not sending.app.parts.adoption._open:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await sending.app.aclose()
    assert sending.sent == []

    again = Sending(tmp_path)
    await again.run_until(lambda: len(again.sent) >= 2_001)

    assert again.sent == [*_texts("a", 2_000), "b"]


async def test_an_abandoned_adoption_lets_go_of_the_orphan(tmp_path: Path) -> None:
    """The loop has ended in the middle of it: no task will ever be cancelled."""
    left_behind(tmp_path, *_texts("a", 2_000))
    left_behind(tmp_path, "b")
    sending = Sending(tmp_path)
    adopting = asyncio.ensure_future(sending.app.parts.adoption.adopt())
    while not sending.app.parts.adoption._open:  # noqa: ASYNC110
        await asyncio.sleep(0)

    sending.app.abandon()

    claims = list(claim_orphans(journal_directory(tmp_path)))
    assert len(claims) == 2
    for claim in claims:
        claim.release()
    adopting.cancel()
    await asyncio.wait([adopting])


@pytest.fixture
def _unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a journal of more than 64 MiB: it is not read through when it is opened."""
    monkeypatch.setattr("mem9_async.queue.journal.file._CHECKED_UP_TO_BYTES", 0)


@pytest.mark.usefixtures("_unread")
@pytest.mark.parametrize("index", ["jobs_by_lane", "sqlite_autoindex_jobs_1", "jobs_waiting_once"])
async def test_damage_that_is_met_while_adopting_is_set_aside_and_rescued(
    tmp_path: Path, index: str
) -> None:
    """The jobs arrive, and nothing is left locked or open."""
    sending = Sending(tmp_path)
    overwrite_root(left_behind(tmp_path, *_texts("a", 800)), index)

    await sending.run_until(lambda: len(sending.sent) >= 800)

    assert sorted(sending.sent) == _texts("a", 800)
    assert len(quarantined(tmp_path)) <= 1
    assert not sending.app.storage.damaged


@pytest.mark.usefixtures("_unread")
@pytest.mark.parametrize("index", ["jobs_by_lane", "jobs_by_batch"])
async def test_damage_that_is_met_while_loading_is_set_aside_and_rescued(
    tmp_path: Path, index: str
) -> None:
    """The start goes on with what can be read."""
    overwrite_root(left_behind(tmp_path, *_texts("a", 800)), index)

    sending = Sending(tmp_path)

    assert sending.app.storage.durability == "process"
    report = sending.app.queue(QueueCommand(space=job("x").lane.space))
    await sending.run_until(lambda: len(sending.sent) >= 800)
    assert sorted(sending.sent) == _texts("a", 800)
    assert len(quarantined(tmp_path)) == 1
    assert "1 damaged journal(s) rescued" in str(report.health_reason)
    assert "lost: 0" in str(report.health_reason)


def test_a_journal_that_cannot_be_loaded_is_not_left_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever went wrong: the file and its lock are free again."""
    left_behind(tmp_path, "a")

    def fail(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mem9_async.runtime.upkeep.lane_loader.LaneLoader.load", fail)
    with pytest.raises(ZeroDivisionError):
        begun(quick(tmp_path), tmp_path)

    (claim,) = claim_orphans(journal_directory(tmp_path))
    claim.release()
