"""A journal at work, with notes of what was promised, and what was committed, at which step."""

import hashlib
import marshal
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mem9_async.models.job import NewJob
from mem9_async.models.outcome import ErrorType
from mem9_async.queue.records import Park
from tests.queue.builders import HOUR_S, START, failure, job, pinned
from tests.queue.desk import Desk
from tests.queue.journal.tape import Tape

_UNAVAILABLE = failure(ErrorType.UNAVAILABLE, maybe_sent=True)
_REFUSED = failure(ErrorType.REJECTED)
_SIZES = (20, 200, 3_000)  # bytes of content
_LARGE_JOBS, _LARGE_BYTES = 64, 40_000  # more than SQLite's page cache holds


@dataclass(slots=True)
class Promise:
    """Between which steps a job came, and between which it left; None while it has not."""

    asked_at: int
    given_at: int
    leaving_at: int | None = None
    gone_at: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """From this step on the commit that made this state had returned."""

    position: int
    state: bytes


class Work:
    """Drives a journal through its verbs, and notes on the tape what was promised when.

    A journal that lies at *path* already is recovered and goes on.
    """

    def __init__(self, path: Path, tape: Tape, *, durability: str, seed: object) -> None:
        self.tape = tape
        self.durability = durability
        self.began_at = tape.position
        self.moments: list[Moment] = []
        self.promises: dict[str, Promise] = {}
        self._rng = random.Random(f"work {seed}")
        self._lanes: dict[int, int] = {}
        self._parked: set[int] = set()
        self._flying: dict[int, tuple[str, ...]] = {}
        self._due: list[int] = []
        self._contents = 0
        inherited = path.exists()
        self._desk = Desk(path, durability=durability)
        self.journal_id = self._desk.journal.file.journal_id
        # Opening changes nothing of what a journal holds: that was there before the first step.
        self._note(self.began_at if inherited else tape.position)
        for job_id in jobs_in(self._db):
            self.promises[job_id] = Promise(self.began_at, self.began_at)
        self._recover()

    @property
    def _db(self) -> sqlite3.Connection:
        return self._desk.journal.file.db

    def close(self) -> None:
        """Close the journal; the tape goes on."""
        self._desk.journal.close()

    def go_on(self, verbs: int) -> None:
        """Do *verbs* things, drawn at random."""
        known, weights = zip(*_VERBS, strict=True)
        for verb in self._rng.choices(known, weights, k=verbs):
            verb(self)
            self._note(self.tape.position)

    def _note(self, position: int) -> None:
        state = state_of(self._db)
        if not self.moments or self.moments[-1].state != state:
            self.moments.append(Moment(position, state))

    def _append(self) -> None:
        jobs: list[NewJob] = []
        for _ in range(self._rng.choice((1, 1, 2, 3, 5, 8, 20))):
            if not jobs or self._rng.random() < 0.9:  # else one that waits already
                self._contents += 1
            content = f"{self._contents} ".ljust(self._rng.choice(_SIZES), "x")
            kind = pinned if self._rng.random() < 0.05 else job
            session, key = self._rng.choice("abc"), self._rng.choice(("sk-1", "sk-2"))
            jobs.append(kind(content, session=session, key=key))
        self._promise(jobs)

    def append_large(self) -> None:
        """Accept so much at once that SQLite writes some of it before the commit."""
        first = self._contents
        self._contents += _LARGE_JOBS
        contents = (f"{first + number} ".ljust(_LARGE_BYTES, "x") for number in range(_LARGE_JOBS))
        self._promise([job(content, session="large", key="sk-1") for content in contents])
        self._note(self.tape.position)

    def _promise(self, jobs: list[NewJob]) -> None:
        asked_at = self.tape.position
        for receipt in self._desk.append(*jobs):
            self._lanes[receipt.lane_id] = receipt.space_id
            if not receipt.deduplicated:
                self.promises[receipt.job_id] = Promise(asked_at, self.tape.position)

    def _freeze(self) -> None:
        if self._lanes:
            lane_id = self._rng.choice(sorted(self._lanes))
            frozen = self._desk.freeze(lane_id, max_bytes=1 << 22)
            if frozen is not None:
                self._flying[frozen.row] = frozen.batch.job_ids

    def _land(self, least: int = 1) -> tuple[int, tuple[str, ...]] | None:
        rows = [row for row, job_ids in self._flying.items() if len(job_ids) >= least]
        if not rows:
            return None
        row = self._rng.choice(rows)
        return row, self._flying.pop(row)

    def _deliver(self) -> None:
        if landed := self._land():
            row, job_ids = landed
            with self._leaving(job_ids):
                self._desk.journal.delivered(row, redelivered=False)

    def _retry(self) -> None:
        if landed := self._land():
            self._desk.journal.retry(landed[0], _UNAVAILABLE, due_at=START, costs_attempt=True)
            self._due.append(landed[0])

    def _send_again(self) -> None:
        if self._due:
            row = self._due.pop(self._rng.randrange(len(self._due)))
            self._flying[row] = self._desk.restart(row).batch.job_ids

    def _split(self) -> None:
        if landed := self._land(least=2):
            self._due += [ref.row for ref in self._desk.journal.split(landed[0], due_at=START)]

    def _bury(self) -> None:
        if landed := self._land():
            self._desk.journal.bury(landed[0], _REFUSED, now=START)

    def _park(self) -> None:
        if self._lanes:
            space_id = self._rng.choice(sorted(self._lanes.values()))
            until = START + self._rng.uniform(1, HOUR_S)
            self._desk.journal.parks.put(
                Park(space_id, "quota_exhausted", START, until, 0, _REFUSED)
            )
            self._parked.add(space_id)

    def _unpark(self) -> None:
        if self._parked:
            self._desk.journal.parks.end(self._parked.pop(), START + self._rng.uniform(1, HOUR_S))

    def _forget_dead(self) -> None:
        with self._leaving(jobs_in(self._db, "WHERE state = 4")):
            self._desk.retention.forget_dead(START + 1, retention_s=0, max_bytes=1 << 30)

    @contextmanager
    def _leaving(self, job_ids: Iterable[str]) -> Iterator[None]:
        job_ids = tuple(job_ids)
        for job_id in job_ids:
            self.promises[job_id].leaving_at = self.tape.position
        yield
        for job_id in job_ids:
            self.promises[job_id].gone_at = self.tape.position

    def _checkpoint(self) -> None:
        self._desk.journal.file.checkpoint()

    def _reopen(self) -> None:
        self._desk.reopen()
        self._flying.clear()
        self._due.clear()
        self._recover()

    def _recover(self) -> None:
        self._desk.recovery.recover(START, max_due_in_s=HOUR_S)
        for backlog in self._desk.recovery.backlogs():
            self._lanes[backlog.lane_id] = backlog.space_id
            self._due += [ref.row for ref in backlog.frozen]
        self._note(self.tape.position)


_VERBS: tuple[tuple[Callable[[Work], None], float], ...] = (
    (Work._append, 30),
    (Work._freeze, 32),
    (Work._deliver, 22),
    (Work._retry, 6),
    (Work._send_again, 10),
    (Work._split, 4),
    (Work._bury, 2),
    (Work._park, 2),
    (Work._unpark, 2),
    (Work._forget_dead, 1),
    (Work._checkpoint, 0.3),
    (Work._reopen, 0.3),
)


def jobs_in(db: sqlite3.Connection, where: str = "") -> set[str]:
    """The ids of the jobs that the journal holds, in whatever state."""
    return {row[0].hex() for row in db.execute(f"SELECT job_id FROM jobs {where}")}  # noqa: S608


def state_of(db: sqlite3.Connection) -> bytes:
    """A hash over every row of every table: equal only if the journals hold the same."""
    found = hashlib.blake2b()
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    for (table,) in db.execute(tables).fetchall():
        rows = db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608
        # Version 2 writes values only; later ones write that two of them are one object.
        found.update(marshal.dumps((table, rows), 2))
    return found.digest()
