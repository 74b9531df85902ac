"""Row 3: what a journal holds after a power cut, at any step of its work."""

import itertools
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeGuard

import pytest

from mem9_async.queue.journal import adoption
from mem9_async.queue.journal.adoption import Takeover
from tests.queue.builders import HOUR_S, START, job
from tests.queue.desk import Desk, texts
from tests.queue.journal.disk import Disk, disks
from tests.queue.journal.fixtures import build
from tests.queue.journal.powercut import place, positions, prove, recorded, reopened
from tests.queue.journal.tape import Create, Delete, Step, Sync, Truncate, Write, recording
from tests.queue.journal.workload import Work, jobs_in

CUTS = 200
VERBS = 600
_PAGE_BYTES = 4096
_PAGE_IN_LOG_BYTES = 24 + _PAGE_BYTES
_CHECKPOINT_PAGES = 1_000  # SQLite's own: then it syncs the log and empties it
_PAIR = ("own.db", "orphan.db")
_LARGEST_COMMIT_BYTES = 4_000_000


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Work]:
    """The work of one journal by its durability, recorded once."""
    done: dict[str, Work] = {}

    def work(durability: str) -> Work:
        if durability not in done:
            directory = tmp_path_factory.mktemp(durability)
            done[durability] = recorded(
                directory, durability=durability, seed=3, verbs=VERBS, large=True
            )
        return done[durability]

    return work


def test_the_tape_holds_all_that_is_on_the_disk(tmp_path: Path) -> None:
    """Played to its end it gives the same files, byte for byte; outside it nothing is recorded."""
    with recording(tmp_path) as tape:
        desk = Desk(tmp_path / "journal.db")
        desk.append(*(job(f"{number}") for number in range(50)))
        desk.journal.file.checkpoint()
        desk.append(job("last"))
        ((_, disk),) = disks(tape.steps, [tape.position])
        stored = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        desk.journal.close()
    assert set(stored) == {"journal.db", "journal.db-wal"}
    assert disk.whole() == stored

    ended_at = tape.position
    desk.reopen()
    desk.append(job("unrecorded"))
    desk.journal.close()
    assert tape.position == ended_at


_FILE = (Create("a", 0), Write(0, 0, b"s" * 1024), Sync(0, directory=True))


def _outcomes(*steps: Step) -> set[tuple[tuple[str, bytes], ...]]:
    """Everything that 300 cuts after those steps have left."""
    disk, rng = Disk(), random.Random(3)
    for step in (*_FILE, *steps):
        disk.play(step)
    return {tuple(disk.after_cut(rng).files.items()) for _ in range(300)}


def test_what_was_synced_outlasts_the_cut() -> None:
    """Whatever else is going on."""
    assert _outcomes() == {(("a", b"s" * 1024),)}
    assert _outcomes(Write(0, 0, b"t"), Sync(0, directory=False)) == {(("a", b"t" + b"s" * 1023),)}


def test_what_was_not_synced_may_be_there_in_any_part() -> None:
    """Two writes, a truncation: each alone, both, none; a large one torn at its sectors."""
    two = _outcomes(Write(0, 0, b"1"), Write(0, 600, b"2"))
    assert {(files[0][1][0], files[0][1][600]) for files in two} == {
        (first, second) for first in b"1s" for second in b"2s"
    }
    assert {len(files[0][1]) for files in _outcomes(Truncate(0, 9))} == {9, 1024}
    torn = {files[0][1] for files in _outcomes(Write(0, 100, b"t" * 900))}
    old, new = b"s" * 1024, b"s" * 100 + b"t" * 900 + b"s" * 24
    assert torn == {first[:512] + second[512:] for first in (old, new) for second in (old, new)}


def test_a_name_lasts_when_its_directory_was_synced() -> None:
    """Until then a file that was made or removed may be there or not."""
    made = _outcomes(Create("b", 1), Write(1, 0, b"b"), Sync(1, directory=False))
    assert {tuple(name for name, _ in files) for files in made} == {("a",), ("a", "b")}
    removed = _outcomes(Delete("a", directory=False))
    assert {len(files) for files in removed} == {0, 1}
    assert _outcomes(Delete("a", directory=True)) == {()}


def test_power_loses_no_promised_job(works: Callable[[str], Work], tmp_path: Path) -> None:
    """Row 3, 200 cuts: each promised job is there, none that had left is back, nothing damaged."""
    work = works("power")
    proof = prove(work, tmp_path / "cut", positions(work, cuts=CUTS, seed=3), seed=3)

    assert proof.problems == []
    assert (proof.cuts, proof.lost, proof.cuts_with_loss) == (CUTS, 0, 0)
    assert proof.promised > 10_000
    # Otherwise the cuts fell where there is nothing to lose.
    assert min(proof.with_missing, proof.with_torn) > 20
    assert min(proof.in_birth, proof.in_checkpoint, proof.unfinished_survived) > 5


def test_process_loses_only_the_newest_commits(
    works: Callable[[str], Work], tmp_path: Path
) -> None:
    """Row 3, 200 cuts: always the state after some commit, never further back than the log."""
    work = works("process")
    proof = prove(work, tmp_path / "cut", positions(work, cuts=CUTS, seed=3), seed=3)

    assert proof.problems == []
    assert proof.cuts == CUTS
    assert proof.log_bytes < _CHECKPOINT_PAGES * _PAGE_IN_LOG_BYTES + _LARGEST_COMMIT_BYTES
    assert proof.cuts_with_loss > 20, "nothing was ever lost: this proves nothing"
    assert proof.worst_commits > 20
    assert min(proof.in_birth, proof.in_checkpoint) > 5


@pytest.mark.parametrize("durability", ["power", "process"])
def test_the_power_may_go_again_after_a_recovery(durability: str, tmp_path: Path) -> None:
    """Row 3: what a cut has left is recovered, worked on, and cut again: as promised."""
    lost = cuts = 0
    for seed in range(6):
        first = recorded(tmp_path / f"{seed}", durability=durability, seed=seed, verbs=60)
        rng = random.Random(seed)
        at = rng.randint(first.moments[10].position, first.tape.position)
        ((_, disk),) = disks(first.tape.steps, [at])
        directory = tmp_path / f"{seed} again"
        place(disk.after_cut(rng), directory)
        second = recorded(directory, durability=durability, seed=-seed, verbs=60)
        proof = prove(second, tmp_path / "cut", positions(second, cuts=10, seed=seed), seed=seed)

        assert proof.problems == []
        lost, cuts = lost + proof.lost, cuts + proof.cuts
    assert cuts == 60
    assert (lost == 0) is (durability == "power")


@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_migration_may_be_cut_at_any_step(durability: str, tmp_path: Path) -> None:
    """Row 3: the journal of the first release is found as it was or as it becomes, job by job."""
    directory = tmp_path / "old"
    directory.mkdir()
    shutil.copy(Path(__file__).parent / "fixtures" / "journal-v1.db", directory)
    with recording(directory) as tape:
        began_at = tape.position
        desk = Desk(directory / "journal-v1.db", sealer=build.SEALER, durability=durability)
        held = jobs_in(desk.journal.file.db)
        desk.journal.close()
    rng = random.Random(3)
    at = [rng.randint(began_at, tape.position) for _ in range(40)]
    for number, (_, disk) in enumerate(disks(tape.steps, at)):
        place(disk.after_cut(rng), tmp_path / f"{number}")
        desk = Desk(tmp_path / f"{number}" / "journal-v1.db", sealer=build.SEALER)
        desk.recovery.recover(START, max_due_in_s=HOUR_S)
        batches = [desk.freeze(backlog.lane_id) for backlog in desk.recovery.backlogs()]

        assert jobs_in(desk.journal.file.db) == held
        assert [texts(batch) for batch in batches if batch] == [["waiting"], ["pinned"]]
        desk.journal.close()


@pytest.mark.parametrize("durability", ["power", "process"])
def test_no_job_is_lost_that_changes_journals(
    durability: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 3, 200 cuts of an adoption: a job is in the orphan until it is safe elsewhere."""
    monkeypatch.setattr(adoption, "_CHUNK_JOBS", 7)
    directory = tmp_path / "both"
    directory.mkdir()
    with recording(directory) as tape:
        own, orphan = (Desk(directory / name, durability=durability) for name in _PAIR)
        orphan.append(*(job(f"{number}", session=f"{number % 3}") for number in range(40)))
        own.append(job("own"))
        for desk in (own, orphan):
            desk.journal.file.checkpoint()
        began_at = tape.position
        _adopt(own, orphan)
        orphan.journal.close()
        tape.unlink(directory / "orphan.db")
        ended_at = tape.position
        own.journal.close()
    rng, half_way = random.Random(3), 0
    at = [rng.randint(began_at, ended_at) for _ in range(CUTS)]
    for position, disk in disks(tape.steps, at):
        cut = tmp_path / "cut"
        place(disk.after_cut(rng), cut)
        own = reopened(cut / "own.db", durability)
        half_way += 1 < own.rows() < 41
        if (cut / "orphan.db").exists():
            orphan = reopened(cut / "orphan.db", durability)
            _adopt(own, orphan)
            orphan.journal.close()

        assert (position, own.rows(), own.difference()) == (position, 41, 0)
        own.journal.close()
        shutil.rmtree(cut)
    assert half_way > 20


def _adopt(own: Desk, orphan: Desk) -> None:
    orphan.recovery.recover(START, max_due_in_s=HOUR_S)
    for _ in Takeover(own.journal, orphan.journal).chunks():
        pass


def test_the_check_finds_that_process_is_not_power(
    works: Callable[[str], Work], tmp_path: Path
) -> None:
    """Counter-check: work done with `process` does not keep what `power` promises."""
    work = works("process")
    at = positions(work, cuts=20, seed=4)
    proof = prove(work, tmp_path / "cut", at, seed=4, durability="power")

    assert any("promised jobs are lost" in problem for problem in proof.problems)
    assert any("jobs that had left are back" in problem for problem in proof.problems)


def test_the_check_finds_a_write_that_a_sync_has_lied_about(
    works: Callable[[str], Work], tmp_path: Path
) -> None:
    """Counter-check: without any one page of the log, the commit that wrote it is missed."""
    work, rng = works("power"), random.Random(4)
    commits = [
        range(before.position, after.position)
        for before, after in itertools.pairwise(work.moments[1:])
    ]
    # Not those with a checkpoint behind them, which has copied the page to where it is safe.
    plain = [at for at in commits if len(_files(work.tape.steps[at.start : at.stop])) == 1]
    for commit in rng.sample(plain, k=10):
        steps = list(work.tape.steps)
        # By where they lie: a page that does not fit the cache can be written twice.
        pages = {step.offset: at for at in commit if _is_page(step := steps[at])}
        _forget(steps, rng.choice([*pages.values()]))
        proof = prove(work, tmp_path / "cut", [commit.stop], seed=4, steps=steps)

        assert "the newest 1 commits are lost" in " ".join(proof.problems)


@pytest.mark.parametrize("durability", ["power", "process"])
def test_the_check_finds_a_disk_that_never_syncs(
    works: Callable[[str], Work], durability: str, tmp_path: Path
) -> None:
    """Counter-check: a disk that ignores syncs leaves damaged files and states that never were."""
    work = works(durability)
    steps = list(work.tape.steps)
    for at, step in enumerate(steps):
        if isinstance(step, Sync):
            _forget(steps, at)
    proof = prove(work, tmp_path / "cut", positions(work, cuts=40, seed=4), seed=4, steps=steps)

    assert any("damaged" in problem for problem in proof.problems)


def _files(steps: Iterable[Step]) -> set[int | None]:
    return {None if isinstance(step, Delete) else step.number for step in steps}


def _is_page(step: Step) -> TypeGuard[Write]:
    return isinstance(step, Write) and len(step.data) == _PAGE_BYTES


def _forget(steps: list[Step], at: int) -> None:
    """Make it a step that does nothing: the others keep their places."""
    step = steps[at]
    if isinstance(step, Delete):
        raise AssertionError("a removal cannot be left out")
    steps[at] = Write(step.number, 0, b"")
