"""Moving the jobs of a journal whose owner is gone into our own, a chunk at a time.

Each chunk is committed here, with a mark of how far it went, before it is deleted there:
whatever moment the process dies at, nothing is lost, and what has left since is not taken again.
Adopted jobs are numbered below our own, so that a lane's older jobs go first.

The orphan, too, notes whose it is from then on: until then nobody else may take it, or what
is copied already would be sent by both.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from mem9_async.queue import failpoints
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob

log = structlog.get_logger()

_CHUNK_JOBS = 500
_TAKEN, _DEAD = 2, 4
_BEGUN = "(SELECT batch_row FROM jobs WHERE seq <= :last AND batch_row IS NOT NULL)"
_REST = "state, batch_row, deaths, parked_s, finished_at, dedup, sealed_outcome"
_COPIED, _LEAVING = "copied ", "leaving"
_LANE, _SEQ, _STATE = 0, 2, 7  # where they stand among the columns

_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _NewLane:
    lane_id: int
    digest: bytes


def _marks(db: sqlite3.Connection) -> dict[str, str]:
    return dict(db.execute("SELECT name, value FROM meta WHERE name LIKE ?", (f"{_COPIED}%",)))


def _place(mark: str) -> tuple[int, int]:
    """How far a mark says that was copied, and the number for the next job (0: none)."""
    copied_to, low = map(int, mark.split())
    return copied_to, low


def leaving_to(journal: Journal) -> str | None:
    """The name of the journal that has begun to take *journal* over; None when none has."""
    found = journal.file.db.execute("SELECT value FROM meta WHERE name = ?", (_LEAVING,)).fetchone()
    return None if found is None else str(found[0])


def begun(journal: Journal) -> list[str]:
    """The names of the journals that *journal* has begun to take over."""
    return [name.removeprefix(_COPIED) for name in _marks(journal.file.db)]


class Takeover:
    """The way of one orphan's jobs into *own*. Both journals must have the same sealing key."""

    def __init__(self, own: Journal, orphan: Journal) -> None:
        self._own = own
        self._orphan = orphan
        self._from = orphan.file.db
        self._to = own.file.db
        self._sealer = own.sealer
        self._mark = f"{_COPIED}{orphan.file.name}"

    def chunks(self) -> Iterator[tuple[int, set[int]]]:
        """Move everything, step by step; each step gives the jobs moved and the lanes touched.

        Between two steps the caller may do other things. At the end the orphan is empty.
        """
        with self._orphan.file.transaction():
            self._from.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", (_LEAVING, self._own.file.name)
            )
        self._inherit_marks()
        # Before the jobs: until then, an event of theirs that is told again would be new to us.
        for _ in self._own.observed.take(self._orphan.observed):
            yield 0, set()
        self._copy_spaces()
        low = self._resumed() or self._reserved()
        lanes: dict[int, _NewLane | None] = {}
        while True:
            rows = self._next_rows()
            if not rows:
                with self._own.file.transaction():
                    self._own.history.take(self._orphan.history)
                    self._to.execute("DELETE FROM meta WHERE name = ?", (self._mark,))
                return
            touched = self._move(rows, low, lanes)
            low += len(rows)
            yield len(rows), touched

    def _next_rows(self) -> list[_Row]:
        rows = self._from.execute(
            f"SELECT {SEALED_COLUMNS}, {_REST} FROM jobs ORDER BY seq LIMIT ?", (_CHUNK_JOBS,)
        ).fetchall()
        if not rows:
            return rows
        # A batch comes whole: in two parts, the first could be on its way when the second arrives.
        return (
            rows
            + self._from.execute(
                f"SELECT {SEALED_COLUMNS}, {_REST} FROM jobs WHERE seq > :last AND batch_row IN"
                f" {_BEGUN} ORDER BY seq",
                {"last": rows[-1][_SEQ]},
            ).fetchall()
        )

    def _resumed(self) -> int | None:
        mark = self._to.execute("SELECT value FROM meta WHERE name = ?", (self._mark,)).fetchone()
        if mark is None:
            return None
        copied_to, low = _place(mark[0])
        self._remove(copied_to)
        if not low:  # copied by another, which is ours now: its numbers mean nothing here
            return None
        # The rest keeps its place behind what came before, unless others have taken it since.
        taken = self._to.execute(
            "SELECT 1 FROM jobs WHERE seq >= ? AND seq < ? LIMIT 1", (low, low + self._left())
        ).fetchone()
        return None if taken else low

    def _reserved(self) -> int:
        # Others that were broken off keep the numbers that were set apart for them.
        apart = [low for mark in _marks(self._to).values() if (low := _place(mark)[1])]
        self._own.numbering.low_seq = min([self._own.numbering.low_seq, *apart]) - self._left()
        return self._own.numbering.low_seq

    def _inherit_marks(self) -> None:
        """What the orphan itself has copied of others must not be taken from those again."""
        with self._own.file.transaction():
            for name, value in _marks(self._from).items():
                self._to.execute(
                    "INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, f"{_place(value)[0]} 0")
                )

    def _left(self) -> int:
        left: int = self._from.execute("SELECT count(*) FROM jobs").fetchone()[0]
        return left

    def _remove(self, last_seq: object) -> None:
        with self._orphan.file.transaction():
            self._from.execute(
                f"DELETE FROM jobs WHERE seq <= :last OR batch_row IN {_BEGUN}", {"last": last_seq}
            )
            self._from.execute(
                "DELETE FROM batches WHERE NOT EXISTS"
                " (SELECT 1 FROM jobs WHERE jobs.batch_row = batches.batch_row)"
            )

    def _copy_spaces(self) -> None:
        first_seq = self._own.numbering.low_seq - self._left()
        with self._own.file.transaction():
            self._to.executemany(
                "INSERT OR IGNORE INTO holds VALUES (?, ?)",
                self._from.execute("SELECT digest, since FROM holds").fetchall(),
            )
            for old_id, digest, sealed in self._from.execute(
                "SELECT space_id, digest, sealed FROM spaces"
            ).fetchall():
                new_id = self._space(digest, sealed)
                # Its key may be known in memory only, or be kept otherwise than the settings say.
                if (space := self._orphan.addresses.readable_space(old_id)) is not None:
                    self._own.addresses.learn(space)
                self._to.executemany(
                    "INSERT OR IGNORE INTO owners VALUES (?, ?, ?)",
                    [
                        (owner, new_id, first_seq)
                        for (owner,) in self._from.execute(
                            "SELECT digest FROM owners WHERE space_id = ?", (old_id,)
                        )
                    ],
                )
                if self._own.addresses.is_used(new_id):
                    continue  # what we know of the space is newer
                self._to.executemany(
                    "INSERT OR IGNORE INTO parks VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (new_id, *park)
                        for park in self._from.execute(
                            "SELECT reason, parked_at, until, step, sealed FROM parks"
                            " WHERE space_id = ? AND EXISTS"
                            " (SELECT 1 FROM lanes JOIN jobs USING (lane_id)"
                            "  WHERE lanes.space_id = parks.space_id AND state IN (0, 1))",
                            (old_id,),
                        )
                    ],
                )

    def _move(self, rows: list[_Row], low: int, lanes: dict[int, _NewLane | None]) -> set[int]:
        copied_to = rows[:_CHUNK_JOBS][-1][_SEQ]
        # Closing the orphan syncs the removal: the copy must be on the disk before.
        with self._own.file.synced_transaction():
            batches: dict[int, int] = {}
            touched: set[int] = set()
            lost = added = dead = taken = 0
            for seq, row in enumerate(rows, low):
                lane = self._lane(row[_LANE], lanes)
                if lane is None:
                    lost += 1
                    continue
                touched.add(lane.lane_id)
                inserted = self._insert(row, seq, lane, batches)
                added += inserted
                dead += inserted and row[_STATE] == _DEAD
                taken += inserted and row[_STATE] == _TAKEN
            self._own.file.count("adopted", added)
            self._own.file.count("dead", dead)
            self._own.file.count("delivered", taken)
            self._own.file.count("deduplicated", len(rows) - lost - added)
            self._to.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                (self._mark, f"{copied_to} {low + len(rows)}"),
            )
            failpoints.hit("adopt.copied")
        failpoints.hit("adopt.committed")
        if lost:
            log.error("journal.corrupted", lost=lost, reason="their lane's row is gone")
        self._remove(copied_to)
        failpoints.hit("adopt.removed")
        return touched

    def _insert(self, row: _Row, seq: int, lane: _NewLane, batches: dict[int, int]) -> int:
        """Put a job in as number *seq*, with its batch; 0 when we have it already, else 1."""
        *columns, state, batch_row, deaths, parked_s, finished, dedup, outcome = row
        job = SealedJob(*columns)
        if batch_row is not None and batch_row not in batches:
            batches[batch_row] = self._batch(batch_row, lane.lane_id, seq)
        return self._to.execute(
            # Nothing else may make room: a number used twice is an error, not a duplicate.
            f"INSERT INTO jobs (seq, lane_id, job_id, pinned, size, accepted_at, {_REST},"
            " sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (job_id) DO NOTHING"
            " ON CONFLICT (lane_id, dedup) WHERE state = 0 DO NOTHING",
            (
                *(seq, lane.lane_id, job.job_id, job.pinned, job.size, job.accepted_at),
                *(state, batches.get(batch_row), deaths, parked_s, finished, dedup),
                *(outcome, job.moved(self._sealer, lane.digest, lane.digest, seq)),
            ),
        ).rowcount

    def _space(self, digest: bytes, sealed: bytes) -> int:
        self._to.execute(
            "INSERT OR IGNORE INTO spaces (digest, sealed) VALUES (?, ?)", (digest, sealed)
        )
        space_id: int = self._to.execute(
            "SELECT space_id FROM spaces WHERE digest = ?", (digest,)
        ).fetchone()[0]
        return space_id

    def _lane(self, old_id: int, lanes: dict[int, _NewLane | None]) -> _NewLane | None:
        """The lane's number and digest here; None when its row is gone from the orphan."""
        if old_id not in lanes:
            found = self._from.execute(
                "SELECT l.digest, l.sealed, s.digest FROM lanes l JOIN spaces s USING (space_id)"
                " WHERE lane_id = ?",
                (old_id,),
            ).fetchone()
            lanes[old_id] = None if found is None else self._new_lane(*found)
        return lanes[old_id]

    def _new_lane(self, digest: bytes, sealed: bytes, space_digest: bytes) -> _NewLane:
        self._to.execute(
            "INSERT OR IGNORE INTO lanes (digest, space_id, sealed)"
            " SELECT ?, space_id, ? FROM spaces WHERE digest = ?",
            (digest, sealed, space_digest),
        )
        lane_id = self._to.execute(
            "SELECT lane_id FROM lanes WHERE digest = ?", (digest,)
        ).fetchone()[0]
        return _NewLane(lane_id, digest)

    def _batch(self, old_row: int, lane_id: int, first_seq: int) -> int:
        batch_id, *rest = self._from.execute(
            "SELECT batch_id, state, attempts, first_attempt_at, due_at, maybe_sent, from_split,"
            " sealed_outcome FROM batches WHERE batch_row = ?",
            (old_row,),
        ).fetchone()
        # A chunk boundary may fall inside a batch: the second half joins the first.
        self._to.execute(
            "INSERT OR IGNORE INTO batches (batch_id, lane_id, first_seq, state, attempts,"
            " first_attempt_at, due_at, maybe_sent, from_split, sealed_outcome)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (batch_id, lane_id, first_seq, *rest),
        )
        row: int = self._to.execute(
            "SELECT batch_row FROM batches WHERE batch_id = ?", (batch_id,)
        ).fetchone()[0]
        self._to.executemany(
            "INSERT OR IGNORE INTO takes VALUES (?, ?, ?, ?, ?)",
            [
                (row, *take)
                for take in self._from.execute(
                    "SELECT taken_at, first_taken_at, resends, lost_for FROM takes"
                    " WHERE batch_row = ?",
                    (old_row,),
                )
            ],
        )
        self._to.executemany(
            "INSERT OR IGNORE INTO ingests VALUES (?, ?)",
            [
                (row, *named)
                for named in self._from.execute(
                    "SELECT ingest_job FROM ingests WHERE batch_row = ?", (old_row,)
                )
            ],
        )
        return row
