"""Cuts the power at any step of a journal's work, and judges what is found afterwards.

`power`: every promised job is there, and the state is the one after the last commit that had
returned, or after the one that was going on. `process`: the state is the one after *some* commit,
so that only the newest are lost; how many is measured. Either way SQLite finds no damage, nothing
is there that nobody asked for, and the journal goes on.

A seed decides what is done and where the power goes; job ids and salts are new in each run.
"""

import random
import shutil
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mem9_async.queue.journal import JournalError
from tests.queue.builders import HOUR_S, START, job
from tests.queue.desk import Desk
from tests.queue.journal.disk import Remains, disks
from tests.queue.journal.tape import Step, recording
from tests.queue.journal.workload import Work, jobs_in, state_of

NAME = "journal.db"
LOG = f"{NAME}-wal"
_UNBORN = -1  # the place of the state in which there is no journal yet, before the first moment


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut, what it left, and the bytes of the log that were not synced."""

    position: int
    remains: Remains
    log_bytes: int
    in_checkpoint: bool


@dataclass(slots=True)
class Found:
    """What one cut came to. Jobs are counted that were promised and had not begun to leave.

    `commits` are those that had returned and are lost; `again` the jobs that had left and are back.
    """

    problems: list[str] = field(default_factory=list)
    promised: int = 0
    lost: int = 0
    again: int = 0
    commits: int = 0
    unfinished_survived: bool = False


@dataclass(slots=True)
class Proof:
    """What many cuts came to: sums, worst cases, and which kinds of cut there were."""

    cuts: int = 0
    promised: int = 0
    lost: int = 0
    cuts_with_loss: int = 0
    again: int = 0
    worst_jobs: int = 0
    worst_commits: int = 0
    worst_again: int = 0
    log_bytes: int = 0
    in_birth: int = 0
    in_checkpoint: int = 0
    with_missing: int = 0
    with_torn: int = 0
    unfinished_survived: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, cut: Cut, found: Found, *, in_birth: bool) -> None:
        """Count one more cut."""
        self.cuts += 1
        self.promised += found.promised
        self.lost += found.lost
        self.again += found.again
        self.cuts_with_loss += found.commits > 0
        self.worst_jobs = max(self.worst_jobs, found.lost)
        self.worst_commits = max(self.worst_commits, found.commits)
        self.worst_again = max(self.worst_again, found.again)
        self.log_bytes = max(self.log_bytes, cut.log_bytes)
        self.in_birth += in_birth
        self.in_checkpoint += cut.in_checkpoint
        self.with_missing += cut.remains.missing > 0
        self.with_torn += cut.remains.torn > 0
        self.unfinished_survived += found.unfinished_survived
        self.problems += [f"cut at step {cut.position}: {problem}" for problem in found.problems]


def recorded(
    directory: Path, *, durability: str, seed: object, verbs: int, large: bool = False
) -> Work:
    """A journal's work in *directory* on tape, from its birth (or recovery) to its end.

    *large* says that half-way a commit comes that is larger than SQLite's page cache.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with recording(directory) as tape:
        work = Work(directory / NAME, tape, durability=durability, seed=seed)
        try:
            work.go_on(verbs // 2)
            if large:
                work.append_large()
            work.go_on(verbs - verbs // 2)
        finally:
            work.close()
    return work


def positions(work: Work, *, cuts: int, seed: object) -> list[int]:
    """Steps to cut at: any; one in ten in the journal's birth, one in ten right after a commit."""
    rng = random.Random(f"positions {seed}")
    born_at, end = work.moments[0].position, work.tape.position
    places: tuple[Callable[[], int], ...] = (
        lambda: rng.randint(work.began_at, born_at),
        lambda: rng.choice(work.moments).position,
        lambda: rng.randint(born_at, end),
    )
    return [place() for place in rng.choices(places, (1, 1, 8), k=cuts)]


def prove(
    work: Work,
    scratch: Path,
    at: Iterable[int],
    *,
    seed: object,
    durability: str | None = None,
    steps: Sequence[Step] | None = None,
) -> Proof:
    """Cut the power at each of those steps; judge by the promise that the work was done with.

    For counter-checks another promise, or another tape, can be given.
    """
    proof, rng = Proof(), random.Random(f"cuts {seed}")
    born_at = work.moments[0].position
    for cut in _cut(work.tape.steps if steps is None else steps, at, rng):
        found = judge(work, cut, scratch, durability or work.durability)
        proof.add(cut, found, in_birth=cut.position < born_at)
    return proof


def _cut(steps: Sequence[Step], at: Iterable[int], rng: random.Random) -> Iterator[Cut]:
    for position, disk in disks(steps, at):
        yield Cut(
            position,
            disk.after_cut(rng),
            log_bytes=disk.unsynced_bytes(LOG),
            in_checkpoint=disk.unsynced_bytes(NAME) > 0,
        )


def judge(work: Work, cut: Cut, scratch: Path, durability: str) -> Found:
    """Open what the cut left, in the folder *scratch*: made here, and removed again."""
    place(cut.remains, scratch)
    found = Found()
    try:
        desk = reopened(scratch / NAME, durability)
        try:
            _compare(work, cut.position, desk, found)
            _go_on(desk, found)
        finally:
            desk.journal.close()
    except (JournalError, sqlite3.DatabaseError) as exc:
        found.problems.append(f"cannot be used: {exc!r}")
    shutil.rmtree(scratch)
    return found


def place(remains: Remains, directory: Path) -> None:
    """Write the files that a cut left into the new folder *directory*."""
    directory.mkdir(parents=True)
    for name, content in remains.files.items():
        (directory / name).write_bytes(content)


def reopened(path: Path, durability: str) -> Desk:
    """The journal that a cut has left; from now on nothing is synced, as it is soon removed."""
    desk = Desk(path, durability=durability)
    desk.journal.file.db.execute("PRAGMA synchronous = OFF")
    return desk


def _compare(work: Work, position: int, desk: Desk, found: Found) -> None:
    db = desk.journal.file.db
    damage = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    damage += [f"dangling row {row}" for row in db.execute("PRAGMA foreign_key_check")]
    found.problems += damage[:1]
    last = bisect_right(work.moments, position, key=lambda moment: moment.position) - 1
    at = _moment(work, desk, last + 1)
    if at is None:
        found.problems.append("the state is none that the journal was ever in up to then")
    else:
        found.commits = max(0, last - at)
        found.unfinished_survived = at > last
    _count_jobs(work, position, jobs_in(db), found)
    if desk.durability == "power" and found.commits:
        found.problems.append(f"the newest {found.commits} commits are lost")
    if desk.durability == "power" and found.lost:
        found.problems.append(f"{found.lost} promised jobs are lost")
    if desk.durability == "power" and found.again:
        found.problems.append(f"{found.again} jobs that had left are back")


def _moment(work: Work, desk: Desk, newest: int) -> int | None:
    """Which of the moments up to *newest* the journal is in."""
    if desk.journal.file.journal_id != work.journal_id:
        return None if desk.rows() else _UNBORN
    state = state_of(desk.journal.file.db)
    for at in range(min(newest, len(work.moments) - 1), -1, -1):
        if work.moments[at].state == state:
            return at
    return None


def _count_jobs(work: Work, position: int, there: set[str], found: Found) -> None:
    known = set()
    for job_id, promise in work.promises.items():
        given = promise.given_at <= position
        # The call at whose first step the power goes has done nothing yet.
        if given or promise.asked_at < position:
            known.add(job_id)
        if given and not _before(promise.leaving_at, position):
            found.promised += 1
            found.lost += job_id not in there
        elif promise.gone_at is not None and promise.gone_at <= position:
            found.again += job_id in there
    if there - known:
        found.problems.append(f"{len(there - known)} jobs that nobody asked for")


def _before(step: int | None, position: int) -> bool:
    return step is not None and step < position


def _go_on(desk: Desk, found: Found) -> None:
    desk.recovery.recover(START, max_due_in_s=HOUR_S)
    desk.append(job("after the cut", session="after the cut"))
    if difference := desk.difference():
        found.problems.append(f"the numbers are {difference} apart")
