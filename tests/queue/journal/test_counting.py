"""The numbers add up: at every step, and for the next process."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mem9_async.models.outcome import ErrorType
from mem9_async.queue.journal import JournalFull
from mem9_async.queue.journal.adoption import Takeover
from mem9_async.queue.journal.rekeying import Readdress
from mem9_async.queue.journal.repair.salvage import salvage
from mem9_async.queue.journal.takes import Takes
from tests.queue.builders import HOUR_S, START, failure, job, space
from tests.queue.desk import SEALER, Desk

REFUSED = failure(ErrorType.REJECTED, status=400)


def _balanced(desk: Desk) -> bool:
    """Nothing lost, nothing counted twice: now, and after the process is gone."""
    before = desk.journal.counters()
    now = desk.difference()
    desk.reopen()
    return now == 0 and desk.difference() == 0 and desk.journal.counters() == before


def test_the_sum_holds_at_every_step_and_after_every_restart(desk: Desk) -> None:
    """Accepted + adopted = delivered + dead + expired + discarded + pending."""
    (first, *_) = desk.append(*(job(f"{number}") for number in range(6)))
    assert _balanced(desk)
    batch = desk.frozen(first.lane_id, max_jobs=2)
    assert _balanced(desk)
    desk.recovery.recover(START, max_due_in_s=HOUR_S)
    assert _balanced(desk)
    desk.restart(batch.row)
    desk.journal.delivered(batch.row, redelivered=True)
    assert _balanced(desk)
    batch = desk.frozen(first.lane_id, max_jobs=2)
    left, _ = desk.journal.split(batch.row, due_at=START)
    assert _balanced(desk)
    desk.restart(left.row)
    desk.journal.bury(left.row, REFUSED, now=START)
    assert _balanced(desk)
    assert desk.reports.replay(first.space_id, None, START)[0] == 1
    assert _balanced(desk)
    desk.retention.expire(START + 100, deadline_s=10)
    assert _balanced(desk)
    desk.retention.forget_dead(START + 1_000, retention_s=10, max_bytes=1_000_000)
    assert _balanced(desk)
    counters = desk.journal.counters()
    assert (counters["accepted"], counters["delivered"]) == (6, 2)


def test_what_is_accepted_after_everything_had_left_is_counted_too(desk: Desk) -> None:
    """An emptied journal numbers on: jobs that reused old numbers would be missed by the count."""
    (first, *_) = desk.append(*(job(f"{number}") for number in range(5)))
    batch = desk.frozen(first.lane_id)
    desk.journal.delivered(batch.row, redelivered=False)
    desk.reopen()
    desk.append(job("x"), job("y"))

    assert _balanced(desk)
    assert desk.journal.counters()["accepted"] == 7


def test_a_dead_letter_that_is_dropped_for_its_equal_is_counted(desk: Desk) -> None:
    """Sent again while the same content waits: taken once, and told."""
    (first,) = desk.append(job("same"))
    batch = desk.frozen(first.lane_id)
    desk.journal.bury(batch.row, REFUSED, now=START)
    desk.append(job("same"))

    replayed, lanes = desk.reports.replay(first.space_id, None, START)

    assert (replayed, lanes) == (0, [first.lane_id])
    assert desk.journal.counters()["discarded"] == 1
    assert _balanced(desk)


def test_jobs_that_follow_a_replaced_key_are_counted_once(desk: Desk) -> None:
    """Two equal jobs of the old and the new key become one."""
    (old,) = desk.append(job("same", key="old-key"))
    (new, _) = desk.append(job("same", key="new-key"), job("other", key="new-key"))

    Readdress(desk.journal).move(old.space_id, new.space_id, now=START)

    assert desk.pending() == 2
    assert _balanced(desk)


class _Disk:
    """A connection whose n-th COMMIT finds no room."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """As the connection does, unless the disk is full."""
        if self.full and statement == "COMMIT":
            raise JournalFull("no room")
        return self._db.execute(statement, values)


@pytest.mark.parametrize("verb", ["delivered", "bury", "append", "replay"])
def test_a_commit_that_finds_no_room_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """It is refused as a whole, the counts with it, and works when there is room again."""
    (first, *_) = desk.append(job("a"), job("b"), job("c", session="conv-2"))
    batch = desk.frozen(first.lane_id)
    act: dict[str, Callable[[], object]] = {
        "delivered": lambda: desk.journal.delivered(batch.row, redelivered=False),
        "bury": lambda: desk.journal.bury(batch.row, REFUSED, now=START),
        "append": lambda: desk.append(job("d")),
        "replay": lambda: desk.reports.replay(first.space_id, None, START),
    }
    if verb == "replay":
        act["bury"]()
    disk = _Disk(desk.journal.file.db)
    monkeypatch.setattr(desk.journal.file, "db", disk)
    disk.full = True
    with pytest.raises(JournalFull):
        act[verb]()
    assert desk.difference() == 0
    disk.full = False

    act[verb]()

    monkeypatch.undo()
    assert _balanced(desk)


def test_a_full_disk_does_not_end_the_tidying(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting old lanes fails as every other verb does: with an error of the journal."""
    desk.append(job("a"))
    disk = _Disk(desk.journal.file.db)
    monkeypatch.setattr(desk.journal.file, "db", disk)
    disk.full = True

    with pytest.raises(JournalFull):
        desk.journal.addresses.prune()


def test_lanes_without_jobs_are_forgotten_and_numbered_anew(desk: Desk) -> None:
    """Old sessions do not pile up; a lane that comes back is a lane like any other."""
    (first, kept) = desk.append(job("a"), job("b", session="conv-2"))
    batch = desk.frozen(first.lane_id)
    desk.journal.delivered(batch.row, redelivered=False)

    desk.journal.addresses.prune()

    lanes = desk.journal.file.db.execute("SELECT lane_id FROM lanes").fetchall()
    assert lanes == [(kept.lane_id,)]
    (again,) = desk.append(job("c"))
    assert again.lane_id not in (first.lane_id, kept.lane_id)
    assert desk.journal.addresses.find_space(space()) == first.space_id


def _with_everything(desk: Desk) -> None:
    """One job that waits, one dead letter, and two that mem9 has taken and are watched."""
    desk.append(job("waits"))
    (dead, *_) = desk.append(job("dead", session="conv-2"))
    desk.journal.bury(desk.frozen(dead.lane_id).row, REFUSED, now=START)
    (taken, _) = desk.append(job("taken", session="conv-3"), job("too", session="conv-3"))
    batch = desk.frozen(taken.lane_id)
    desk.journal.delivered(batch.row, redelivered=False, taken_at=START)


def test_what_is_adopted_is_counted_as_what_it_is(desk: Desk, tmp_path: Path) -> None:
    """A batch that is watched came as delivered; lost then, it waits like any other."""
    orphan = Desk(tmp_path / "orphan.db")
    _with_everything(orphan)

    for _ in Takeover(desk.journal, orphan.journal).chunks():
        assert desk.difference() == 0

    counters = desk.journal.counters()
    assert (counters["adopted"], counters["delivered"], counters["dead"]) == (4, 2, 1)
    takes = Takes(desk.journal)
    takes.lost([take.row for take in takes.all(START)], "server_restarted", START)
    assert (desk.journal.counters()["delivered"], desk.pending()) == (0, 3)
    assert _balanced(desk)


def test_what_is_read_out_of_a_damaged_journal_is_counted_as_what_it_is(tmp_path: Path) -> None:
    """Its counters are not to be trusted: the count begins anew, with what was saved."""
    damaged = Desk(tmp_path / "damaged.db")
    _with_everything(damaged)
    orphan = Desk(tmp_path / "orphan.db")
    orphan.append(job("adopted", session="conv-9"))
    for _ in Takeover(damaged.journal, orphan.journal).chunks():
        pass
    damaged.journal.close()

    saved, lost = salvage(tmp_path / "damaged.db", tmp_path / "rescued.db", sealer=SEALER)

    desk = Desk(tmp_path / "rescued.db")
    assert (saved, lost) == (5, 0)
    counters = desk.journal.counters()
    assert (counters["accepted"], counters["adopted"]) == (4, 1)
    assert (counters["delivered"], counters["dead"], desk.pending()) == (2, 1, 2)
    assert _balanced(desk)
