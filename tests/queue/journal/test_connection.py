"""Whatever SQLite notices, and wherever, leaves the journal as an error of ours."""

import sqlite3
from pathlib import Path

import pytest

from mem9_async.queue.journal import JournalCorrupt, JournalError, JournalFull
from mem9_async.queue.journal.connection import connect
from tests.queue.builders import START, job
from tests.queue.desk import Desk

PAGE_BYTES = 4096


def _spoil(path: Path, root: int) -> None:
    """Overwrite one page, as a failing disk would; nobody has the file open."""
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * PAGE_BYTES : root * PAGE_BYTES] = b"\xa5" * PAGE_BYTES
    path.write_bytes(raw)


def _read_everything(path: Path, lane_id: int) -> None:
    """Opening may notice the damage; if it does not, one of these must."""
    broken = Desk(path)
    space_id = broken.journal.addresses.know_space(job("x").lane.space)
    list(broken.recovery.backlogs())
    broken.journal.addresses.forget()
    broken.freeze(lane_id)
    broken.journal.restart(1, START)
    broken.journal.counters()
    broken.reports.stats(space_id, parked=False, now=START, errors=5)
    broken.retention.expire(START + 1e9, deadline_s=1.0)


@pytest.mark.parametrize("name", ["jobs", "jobs_by_lane", "lanes", "batches", "counters"])
def test_damage_met_by_a_plain_read_is_told_as_damage(tmp_path: Path, name: str) -> None:
    """Each way of reading: freezing, listing, counting, reporting, tidying."""
    path = tmp_path / "journal.db"
    desk = Desk(path)
    accepted = desk.append(*(job(f"job {n}", session=f"s{n % 7}") for n in range(300)))
    desk.frozen(accepted[0].lane_id)
    desk.journal.file.checkpoint()
    (root,) = desk.journal.file.db.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)
    ).fetchone()
    desk.journal.close()
    _spoil(path, root)

    with pytest.raises(JournalCorrupt):
        _read_everything(path, accepted[1].lane_id)


def test_a_full_disk_is_no_damage() -> None:
    """Its jobs are safe, and it may end any time."""
    db = connect(None)
    db.execute("PRAGMA max_page_count = 4").fetchall()
    db.execute("CREATE TABLE t (x)")

    with pytest.raises(JournalFull):
        db.executemany("INSERT INTO t VALUES (?)", [(b"x" * 4_000,)] * 10)


def test_a_closed_connection_is_no_damage_either() -> None:
    """Nothing must be set aside because somebody came too late."""
    db = connect(None)
    db.close()

    with pytest.raises(JournalError, match="closed") as caught:
        db.execute("SELECT 1")
    assert not isinstance(caught.value, JournalCorrupt)


def test_text_that_cannot_be_read_is_damage() -> None:
    """The driver stumbles over it, not SQLite."""
    db = connect(None)

    with pytest.raises(JournalCorrupt):
        db.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
    with pytest.raises(JournalCorrupt):
        list(db.execute("SELECT CAST(x'ff' AS TEXT)"))


def test_the_cause_is_kept() -> None:
    """For whoever looks at it with a debugger."""
    with pytest.raises(JournalError) as caught:
        connect(None).execute("SELECT * FROM nowhere")

    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
