"""What can be read of a damaged journal is saved, and what cannot is counted."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mem9_async.models.history import Step, StepKind
from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal.errors import JournalForeignKey
from mem9_async.queue.journal.repair.salvage import salvage
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.sealing import Sealer
from tests.queue.builders import ENDPOINT_LIMITS, LIMITS, START, job
from tests.queue.desk import SEALER, Desk

_JOBS, _SESSIONS, _PAGE_BYTES = 600, 50, 4096


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A journal with jobs of many lanes, closed."""
    desk = Desk(tmp_path / "damaged.db")
    desk.append(*(job(f"{n} " + "x" * 300, session=f"s{n % _SESSIONS}") for n in range(_JOBS)))
    desk.journal.close()
    return tmp_path / "damaged.db"


def _pages(path: Path, table: str) -> list[int]:
    """The root of a table or index, then its leaves, by number."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    raw = path.read_bytes()

    def leaves(number: int) -> list[int]:
        page = raw[(number - 1) * _PAGE_BYTES : number * _PAGE_BYTES]
        if page[0] in (0x0A, 0x0D):
            return [number]
        cells = int.from_bytes(page[3:5], "big")
        places = (int.from_bytes(page[12 + 2 * n : 14 + 2 * n], "big") for n in range(cells))
        below = [int.from_bytes(page[at : at + 4], "big") for at in places]
        below.append(int.from_bytes(page[8:12], "big"))
        return [leaf for each in below for leaf in leaves(each)]

    return [root, *leaves(root)]


def _zero(path: Path, page: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[(page - 1) * _PAGE_BYTES : page * _PAGE_BYTES] = bytes(_PAGE_BYTES)
    path.write_bytes(raw)


def _salvaged(path: Path) -> tuple[int, int]:
    rescued = path.with_name("rescued")
    saved, lost = salvage(path, rescued, sealer=SEALER)
    desk = Desk(rescued)
    assert desk.rows() == saved
    assert desk.journal.counters().get("lost", 0) == lost
    assert desk.difference() == 0
    desk.journal.close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["damaged.db", "rescued"]
    return saved, lost


@pytest.mark.parametrize("which", [0, 1, -1])
@pytest.mark.parametrize("index", ["jobs_by_lane", "jobs_waiting_once", "sqlite_autoindex_jobs_1"])
def test_a_damaged_index_costs_nothing(full: Path, index: str, which: int) -> None:
    """Its root, its first and its last page: the jobs themselves are whole."""
    _zero(full, _pages(full, index)[which])

    assert _salvaged(full) == (_JOBS, 0)


@pytest.mark.parametrize("which", [1, 20, -1])
def test_a_damaged_page_of_jobs_costs_its_own_and_each_is_counted(full: Path, which: int) -> None:
    """At the beginning, in the middle and at the end of the table."""
    _zero(full, _pages(full, "jobs")[which])

    saved, lost = _salvaged(full)

    assert saved + lost == _JOBS
    assert 1 <= lost <= 12


def test_two_damaged_pages_cost_no_more_than_theirs(full: Path) -> None:
    """What lies between them is saved."""
    pages = _pages(full, "jobs")
    _zero(full, pages[10])
    _zero(full, pages[40])

    saved, lost = _salvaged(full)

    assert saved + lost == _JOBS
    assert 2 <= lost <= 24


@pytest.mark.parametrize("table", ["jobs", "lanes"])
def test_a_damaged_root_costs_nothing_as_long_as_the_leaves_are_whole(
    full: Path, table: str
) -> None:
    """No tree leads to the rows any more; the pages themselves are read."""
    root, *leaves = _pages(full, table)
    assert root not in leaves
    _zero(full, root)

    assert _salvaged(full) == (_JOBS, 0)


def test_jobs_too_long_for_a_page_are_found_without_a_tree(tmp_path: Path) -> None:
    """Their rest lies on pages of its own."""
    desk = Desk(tmp_path / "damaged.db")
    desk.append(*(job(f"{n} " + "x" * 30_000) for n in range(12)))
    desk.journal.close()
    _zero(tmp_path / "damaged.db", _pages(tmp_path / "damaged.db", "jobs")[0])

    saved, lost = _salvaged(tmp_path / "damaged.db")

    assert saved + lost == 12
    rescued = Desk(tmp_path / "rescued")
    batches = [rescued.freeze(1) for _ in range(saved)]
    assert all(batch is not None and not batch.lost for batch in batches[:1])
    rescued.journal.close()


def test_a_file_without_its_first_page_is_read_with_its_log(tmp_path: Path) -> None:
    """After a kill the newest jobs are in the log only."""
    desk = Desk(tmp_path / "damaged.db")
    desk.append(*(job(f"{n}", session=f"s{n}") for n in range(50)))
    desk.journal.file.checkpoint()
    desk.append(*(job(f"more {n}", session=f"s{n}") for n in range(50)))
    files = [tmp_path / "damaged.db", Path(f"{desk.path}-wal")]
    raw = [each.read_bytes() for each in files]
    desk.journal.close()
    for each, content in zip(files, raw, strict=True):
        each.write_bytes(content)
    _zero(tmp_path / "damaged.db", 1)
    wal = files[1]

    saved, lost = salvage(tmp_path / "damaged.db", tmp_path / "rescued", sealer=SEALER)

    assert wal.exists()
    assert (saved, lost) == (100, 0)


def test_jobs_without_an_address_are_counted_as_lost(full: Path) -> None:
    """A page of lanes is gone: nobody can tell where their jobs were to go."""
    _zero(full, _pages(full, "lanes")[1])

    saved, lost = _salvaged(full)

    assert saved + lost == _JOBS
    assert lost > 0


def test_all_jobs_are_lost_with_their_only_space(full: Path) -> None:
    """Lanes whose space is gone go first, so that their jobs are found to be without address."""
    _zero(full, _pages(full, "spaces")[0])

    assert _salvaged(full) == (0, _JOBS)


def test_a_file_sealed_with_another_key_is_not_touched(full: Path) -> None:
    """Without the key nothing that was saved could be opened again."""
    _zero(full, _pages(full, "jobs_by_lane")[0])

    with pytest.raises(JournalForeignKey):
        salvage(full, full.with_name("rescued"), sealer=Sealer(b"another"))


def test_what_was_delivered_is_not_counted_as_lost(full: Path) -> None:
    """Numbers that are not in use any more lie between those that are."""
    desk = Desk(full)
    for backlog in list(desk.recovery.backlogs())[::2]:
        batch = desk.frozen(backlog.lane_id)
        desk.journal.delivered(batch.row, redelivered=False)
    held = desk.rows()
    desk.journal.close()
    _zero(full, _pages(full, "jobs")[20])

    saved, lost = _salvaged(full)

    assert saved + lost == held


def test_holds_references_and_history_are_saved_too(tmp_path: Path) -> None:
    """What a person holds back must not be sent because the disk had a fault."""
    desk = Desk(tmp_path / "damaged.db")
    (first,) = desk.append(job("one").model_copy(update={"reference": "run-1"}))
    lanes = Lanes(LIMITS, Endpoints(ENDPOINT_LIMITS, random.Random(1)))
    Holds(desk.journal, lanes).hold(first.space_id, START)
    job_id = bytes.fromhex(first.job_id)
    desk.journal.history.add(Step(StepKind.REPLAYED, START), [job_id], first.lane_id)
    desk.journal.close()

    salvage(tmp_path / "damaged.db", tmp_path / "rescued.db", sealer=SEALER)

    rescued = Desk(tmp_path / "rescued.db")
    holds = Holds(rescued.journal, lanes)
    holds.restore()
    assert list(holds.all().values()) == [START]
    steps, _, reference = rescued.journal.history.of(job_id)
    assert ([step.kind for step in steps], reference) == ([StepKind.REPLAYED], "run-1")
