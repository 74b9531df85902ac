"""Saving what can be read of a damaged journal into a new one."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.schema import APPLICATION_ID

_TABLES = ("counters", "spaces", "owners", "parks", "lanes", "batches", "jobs")
_NUMBERED = {"spaces": "space_id", "parks": "space_id", "lanes": "lane_id", "batches": "batch_row"}


def salvage(damaged: Path, rescued: Path, *, key_check: bytes) -> tuple[int, int]:
    """Copy every readable row of *damaged* into the new journal *rescued*.

    Returns the jobs saved and the jobs known to be lost (0 where nobody can tell). The
    damaged file is only read. A file that is no SQLite database at all saves nothing.
    """
    target = JournalFile(rescued, durability="process", key_check=key_check)
    saved = lost = 0
    # A row may be readable while the one that it refers to is not.
    target.db.execute("PRAGMA foreign_keys = OFF")
    try:
        source = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True, isolation_level=None)
        try:
            with suppress(sqlite3.DatabaseError):
                if source.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
                    for table in _TABLES:
                        copied, missed = _copy(source, target, table)
                        if table == "jobs":
                            saved, lost = copied, missed
        finally:
            source.close()
        _drop_dangling(target)
    finally:
        target.close()
    return saved, lost


def _copy(source: sqlite3.Connection, target: JournalFile, table: str) -> tuple[int, int]:
    key = "seq" if table == "jobs" else _NUMBERED.get(table)
    if key is None:
        return _copy_whole(source, target, table), 0
    try:
        low, high = source.execute(f"SELECT min({key}), max({key}) FROM {table}").fetchone()
    except sqlite3.DatabaseError:
        return 0, 0
    if low is None:
        return 0, 0
    copied, missed = 0, 0
    ranges = [(low, high)]
    while ranges:
        first, last = ranges.pop()
        try:
            rows = source.execute(
                f"SELECT * FROM {table} WHERE {key} BETWEEN ? AND ?", (first, last)
            ).fetchall()
        except sqlite3.DatabaseError:
            if first == last:
                missed += 1
                continue
            # Halving finds the rows of the intact pages around a damaged one.
            middle = (first + last) // 2
            ranges += [(middle + 1, last), (first, middle)]
            continue
        copied += _insert(target, table, rows)
    return copied, missed


def _copy_whole(source: sqlite3.Connection, target: JournalFile, table: str) -> int:
    try:
        return _insert(target, table, source.execute(f"SELECT * FROM {table}").fetchall())
    except sqlite3.DatabaseError:
        return 0


def _insert(target: JournalFile, table: str, rows: list[tuple[object, ...]]) -> int:
    if not rows:
        return 0
    places = ", ".join("?" * len(rows[0]))
    with target.transaction():
        target.db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)
    return len(rows)


def _drop_dangling(target: JournalFile) -> None:
    # A job whose lane is lost has no address; a batch whose row is lost starts anew.
    with target.transaction():
        target.db.execute("DELETE FROM jobs WHERE lane_id NOT IN (SELECT lane_id FROM lanes)")
        target.db.execute("DELETE FROM lanes WHERE space_id NOT IN (SELECT space_id FROM spaces)")
        target.db.execute(
            "UPDATE OR IGNORE jobs SET state = 0, batch_row = NULL WHERE state = 1 AND"
            " batch_row NOT IN (SELECT batch_row FROM batches)"
        )
        target.db.execute(
            "DELETE FROM batches WHERE batch_row NOT IN"
            " (SELECT batch_row FROM jobs WHERE batch_row IS NOT NULL)"
        )
