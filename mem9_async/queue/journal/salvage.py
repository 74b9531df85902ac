"""Saving what can be read of a damaged journal into a new one."""

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.schema import APPLICATION_ID
from mem9_async.queue.sealing import Sealer

_TABLES = ("counters", "spaces", "owners", "parks", "lanes", "batches", "jobs")
_PAGE_BYTES = 4096
_NUMBERED = {"spaces": "space_id", "parks": "space_id", "lanes": "lane_id", "batches": "batch_row"}


def salvage(damaged: Path, rescued: Path, *, sealer: Sealer) -> tuple[int, int]:
    """Copy every readable row of *damaged* into the new journal *rescued*.

    Returns the jobs saved and the jobs known to be lost (0 where nobody can tell). Only a copy
    of the damaged file is opened. A file that is no SQLite database at all saves nothing.
    """
    target = JournalFile(rescued, durability="process", sealer=sealer)
    # A row may be readable while the one that it refers to is not.
    target.db.execute("PRAGMA foreign_keys = OFF")
    scratch = rescued.with_suffix(".scratch")
    try:
        _copy_files(damaged, scratch)
        saved, lost = _read(scratch, target)
        if not saved:
            # The first page holds the header and the list of tables; ours are always the same.
            _copy_files(damaged, scratch)
            if _with_fresh_first_page(scratch, rescued, sealer):
                saved, lost = _read(scratch, target)
        _drop_dangling(target)
    finally:
        target.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{scratch}{suffix}").unlink(missing_ok=True)
    return saved, lost


def _copy_files(damaged: Path, scratch: Path) -> None:
    for suffix in ("", "-wal"):
        source = Path(f"{damaged}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{scratch}{suffix}")


def _with_fresh_first_page(scratch: Path, fresh: Path, sealer: Sealer) -> bool:
    raw = bytearray(scratch.read_bytes())
    pages = len(raw) // _PAGE_BYTES
    if pages < 2:
        return False
    empty = fresh.with_suffix(".fresh")
    JournalFile(empty, durability="process", sealer=sealer).close()
    first = bytearray(empty.read_bytes()[:_PAGE_BYTES])
    empty.unlink()
    # Of the header, only the size is the file's own; the free list is given up.
    first[28:32] = pages.to_bytes(4, "big")
    first[32:40] = bytes(8)
    raw[:_PAGE_BYTES] = first
    scratch.write_bytes(raw)
    Path(f"{scratch}-wal").unlink(missing_ok=True)
    return True


def _read(scratch: Path, target: JournalFile) -> tuple[int, int]:
    saved = lost = 0
    source = sqlite3.connect(scratch, isolation_level=None)
    try:
        with suppress(sqlite3.DatabaseError):
            source.execute("PRAGMA locking_mode = EXCLUSIVE")
            if source.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
                for table in _TABLES:
                    copied, missed = _copy(source, target, table)
                    if table == "jobs":
                        saved, lost = copied, missed
    finally:
        source.close()
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
