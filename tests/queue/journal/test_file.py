"""Opening a journal: ours, an older one's, a newer one's, somebody else's, none."""

import sqlite3
from pathlib import Path

import pytest

from mem9_async.models.job import JobState
from mem9_async.queue.journal import Journal, JournalCorrupt, JournalError, JournalNewer
from mem9_async.queue.journal.census import Census
from mem9_async.queue.journal.migrations import MIGRATIONS
from mem9_async.queue.journal.schema import VERSION
from mem9_async.queue.journal.takes import Takes
from mem9_async.queue.sealing import Sealer
from tests.queue.builders import HOUR_S, START, event, job
from tests.queue.desk import SEALER, Desk, texts
from tests.queue.journal.fixtures import build

FIXTURES = Path(__file__).parent / "fixtures"


def _copy(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    path.write_bytes((FIXTURES / name).read_bytes())
    return path


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_journal_of_every_version_opens_with_all_that_it_holds(
    tmp_path: Path, version: int
) -> None:
    """The stored files: waiting, frozen, dead, parked, counted."""
    desk = Desk(_copy(tmp_path, f"journal-v{version}.db"), sealer=build.SEALER)
    assert desk.journal.file.db.execute("PRAGMA user_version").fetchone()[0] == VERSION
    desk.recovery.recover(START, max_due_in_s=HOUR_S)

    waiting = {backlog.lane_id: backlog for backlog in desk.recovery.backlogs()}
    frozen = [texts(desk.restart(ref.row)) for each in waiting.values() for ref in each.frozen]
    fresh = [texts(batch) for lane_id in waiting if (batch := desk.freeze(lane_id)) is not None]

    assert frozen == [["frozen 1", "frozen 2"]]
    assert fresh == [["waiting"], ["pinned"]]
    counts = desk.stats(build.KEY).counts
    assert counts[JobState.DEAD] == 1
    assert [park.reason for park in desk.journal.parks.all()] == ["quota_exhausted"]
    taken = int(version >= 3)
    assert [each.batch.payloads[0].text for each in Takes(desk.journal).all(START)] == [
        "taken"
    ] * taken
    told = int(version >= 5)
    gone = taken + told
    assert desk.journal.counters() == {"accepted": 6 + gone, "delivered": 1 + gone, "dead": 1}
    assert desk.difference() == 0
    (again,) = desk.append(event("observed", "run:1", key=build.KEY))
    assert again.deduplicated is bool(told)


def test_the_stored_journal_is_what_this_version_writes() -> None:
    """A changed schema needs a new version, a migration and a new file beside this one."""
    stored = sqlite3.connect(FIXTURES / f"journal-v{VERSION}.db")
    desk = Desk(None)

    def tables(db: sqlite3.Connection) -> list[tuple[str, str]]:
        return db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()

    assert tables(desk.journal.file.db) == tables(stored)
    stored.close()


def test_a_migration_that_breaks_off_has_changed_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends it in the middle: the next start finds the old version, whole."""

    def fails(db: sqlite3.Connection, sealer: Sealer) -> None:
        migrate(db, sealer)
        raise JournalError("the disk broke")

    migrate = MIGRATIONS[1]
    path = _copy(tmp_path, "journal-v1.db")
    monkeypatch.setitem(MIGRATIONS, 1, fails)
    with pytest.raises(JournalError):
        Desk(path, sealer=build.SEALER)
    monkeypatch.undo()

    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone()[0] == 1
    db.close()
    letters = Census(Desk(path, sealer=build.SEALER).journal).dead_letters()
    assert [letter.content for letter in letters] == ["dead"]


def test_a_damaged_job_stays_damaged_through_a_migration(tmp_path: Path) -> None:
    """It is not sealed anew as if it were whole: its turn comes, and it is set aside."""
    path = _copy(tmp_path, "journal-v1.db")
    db = sqlite3.connect(path)
    db.execute("UPDATE jobs SET sealed = zeroblob(40) WHERE pinned = 1")
    db.commit()
    db.close()

    desk = Desk(path, sealer=build.SEALER)
    pinned = "SELECT lane_id FROM jobs WHERE pinned = 1"
    (lane_id,) = desk.journal.file.db.execute(pinned).fetchone()

    assert desk.freeze(lane_id) is None
    assert desk.stats(build.KEY).counts[JobState.DEAD] == 2


def test_a_newer_journal_is_left_untouched(desk: Desk, tmp_path: Path) -> None:
    """Not one byte changes: the version that wrote it will want it back."""
    desk.append(job("a"))
    desk.journal.file.db.execute(f"PRAGMA user_version = {VERSION + 1}")
    desk.journal.close()
    path = tmp_path / "journal.db"
    before = path.read_bytes()

    with pytest.raises(JournalNewer, match="newer"):
        Journal(path, SEALER)

    assert path.read_bytes() == before


def test_a_database_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    """An SQLite file, but not ours."""
    path = tmp_path / "foreign.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE jobs (note TEXT)")
    db.close()
    before = path.read_bytes()

    with pytest.raises(JournalCorrupt, match="not a journal"):
        Journal(path, SEALER)

    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all, only text" * 50, b"\x00" * 5_000])
def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path, content: bytes) -> None:
    """Garbage, or nothing but zeros."""
    path = tmp_path / "journal.db"
    path.write_bytes(content)

    with pytest.raises(JournalCorrupt):
        Journal(path, SEALER)


def test_an_empty_file_is_a_new_journal(tmp_path: Path) -> None:
    """A process that died before its first write leaves this."""
    path = tmp_path / "journal.db"
    path.touch()
    desk = Desk(path)

    assert desk.append(job("a"))
    assert desk.difference() == 0


def test_a_journal_sealed_with_another_key_says_what_to_do(desk: Desk, tmp_path: Path) -> None:
    """It is not damaged: the key has to be put back."""
    desk.append(job("a"))
    desk.journal.close()

    with pytest.raises(JournalError, match="MEM9_ASYNC_JOURNAL_KEY"):
        Journal(tmp_path / "journal.db", Sealer(b"another secret"))

    assert Desk(tmp_path / "journal.db").pending() == 1


@pytest.mark.parametrize("table", ["meta", "jobs"])
def test_a_journal_that_has_lost_a_table_is_corrupt(desk: Desk, tmp_path: Path, table: str) -> None:
    """It says it is ours, and cannot be used."""
    desk.journal.file.db.execute("PRAGMA foreign_keys = OFF")
    desk.journal.file.db.execute(f"DROP TABLE {table}")
    desk.journal.close()

    with pytest.raises(JournalError):
        Journal(tmp_path / "journal.db", SEALER)


def test_a_directory_in_the_journals_place_is_an_error_of_ours(tmp_path: Path) -> None:
    """Nothing but a JournalError ever leaves the constructor."""
    (tmp_path / "journal.db").mkdir()

    with pytest.raises(JournalError):
        Journal(tmp_path / "journal.db", SEALER)


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability_is_what_was_asked_for(
    tmp_path: Path, durability: str, synchronous: int
) -> None:
    """NORMAL survives a kill, FULL a power cut; both write ahead, and shrink again."""
    journal = Journal(tmp_path / "journal.db", SEALER, durability=durability)

    def pragma(name: str) -> object:
        return journal.file.db.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("synchronous") == synchronous
    assert pragma("journal_mode") == "wal"
    assert pragma("auto_vacuum") == 2
    assert pragma("foreign_keys") == 1
    journal.close()


def test_the_gauge_falls_when_jobs_leave(desk: Desk) -> None:
    """Bytes in use, free pages excepted; a checkpoint gives the disk its room back."""
    (first, *_) = desk.append(*(job(f"{number} " + "x" * 2_000) for number in range(500)))
    desk.journal.file.checkpoint()
    full, size = desk.journal.file.live_bytes(), (desk.path or Path()).stat().st_size
    while (batch := desk.freeze(first.lane_id)) is not None:
        desk.journal.delivered(batch.row, redelivered=False)
    desk.journal.file.checkpoint()

    assert full > 1_000_000
    assert desk.journal.file.live_bytes() < full / 10
    assert (desk.path or Path()).stat().st_size < size / 2
    assert desk.journal.file.wal_bytes() == 0
