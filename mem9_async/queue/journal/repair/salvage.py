"""Saving what can be read of a damaged journal into a new one, and counting what cannot."""

import shutil
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import batched
from pathlib import Path

from mem9_async.queue.journal.errors import JournalCorrupt, JournalForeignKey
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.numbering import OWN_FIRST_SEQ
from mem9_async.queue.journal.repair import pages
from mem9_async.queue.journal.repair.pages import PAGE_BYTES
from mem9_async.queue.journal.repair.recount import recount
from mem9_async.queue.journal.schema import APPLICATION_ID
from mem9_async.queue.sealing import Sealer

_ROWS = 500
#: Tables in the order in which their rows refer to each other, with their number if they have one.
_TABLES = {
    "counters": None,
    "spaces": "space_id",
    "owners": None,
    "parks": "space_id",
    "lanes": "lane_id",
    "batches": "batch_row",
    "takes": "batch_row",
    "ingests": "batch_row",
    "jobs": "seq",
    "holds": None,
    "refs": None,
    "history": "n",
}
#: An older file does not have them, and is not damaged.
_LATER = {"holds", "refs", "history", "ingests"}
# Whole branches of a table may be unreadable: looking for every number in them has an end.
_FAILURES_MOST = 500
_AROUND = 1 << 17  # how far beyond the known numbers to look where an end cannot be read
#: The tables with numbered rows, by how many columns they have.
_COLUMNS = {3: "spaces", 6: "parks", 4: "lanes", 12: "batches", 14: "jobs"}
_INDEXES = ("jobs_by_lane", "sqlite_autoindex_jobs_1")
_KEPT_META = "name = 'journal_id' OR name = 'leaving' OR name LIKE 'copied %'"

# The latter two: damage that the driver meets, in a value or in SQLite's own message about it.
_UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError)

_Row = tuple[object, ...]


def salvage(damaged: Path, rescued: Path, *, sealer: Sealer) -> tuple[int, int]:
    """Copy every readable row of *damaged* into the new journal *rescued*.

    Returns the jobs saved and the jobs known to be lost; the latter is counted in the journal
    too. Only a copy of the damaged file is opened. A file that is no SQLite database at all
    saves nothing. Raises JournalForeignKey where the file was sealed with another key, and
    JournalError or OSError where there is no room.
    """
    scratch = Path(f"{rescued}.scratch")
    with closing(JournalFile(rescued, durability="process", sealer=sealer)) as target:
        # A row may be readable while the one that it refers to is not.
        target.db.execute("PRAGMA foreign_keys = OFF")
        try:
            _copy_files(damaged, scratch)
            found = _Salvage(scratch, target, sealer)
            found.read()
            if found.broke_off:
                # What no tree leads to any more may still lie on an intact page.
                found.read_pages()
            elif not found.opened:
                # The first page holds the header and the list of tables; ours are always the same.
                if _with_fresh_first_page(scratch, rescued, sealer):
                    found.read()
                found.read_pages()
            found.count_missing()
            lost = len(found.missing) + _drop_dangling(target)
        finally:
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{scratch}{suffix}").unlink(missing_ok=True)
        with target.transaction():
            recount(target, lost=lost)
        # Closing would do it too, but would not say that the disk had no room for it.
        target.checkpoint()
        saved: int = target.db.execute("SELECT count(*) FROM jobs").fetchone()[0]
    return saved, lost


def _copy_files(damaged: Path, scratch: Path) -> None:
    for suffix in ("", "-wal"):
        source = Path(f"{damaged}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{scratch}{suffix}")


def _with_fresh_first_page(scratch: Path, rescued: Path, sealer: Sealer) -> bool:
    raw = _whole(scratch)
    if len(raw) < 2 * PAGE_BYTES:
        return False
    empty = Path(f"{rescued}.fresh")
    JournalFile(empty, durability="process", sealer=sealer).close()
    first = bytearray(empty.read_bytes()[:PAGE_BYTES])
    empty.unlink()
    # Of the header, only the size is the file's own; the free list is given up.
    first[28:32] = (len(raw) // PAGE_BYTES).to_bytes(4, "big")
    first[32:40] = bytes(8)
    raw[:PAGE_BYTES] = first
    scratch.write_bytes(raw)
    Path(f"{scratch}-wal").unlink(missing_ok=True)
    return True


def _whole(scratch: Path) -> bytearray:
    """The file with what its log has committed."""
    log = Path(f"{scratch}-wal")
    raw = bytearray(scratch.read_bytes())
    return pages.with_log(raw, log.read_bytes()) if log.exists() else raw


class _Salvage:
    """One damaged file, read table by table, never through an index that may be damaged itself."""

    def __init__(self, scratch: Path, target: JournalFile, sealer: Sealer) -> None:
        self._scratch = scratch
        self._target = target
        self._sealer = sealer
        self.saved: set[object] = set()
        self.missing: set[object] = set()
        self.opened = False
        self.broke_off = False  #: whether something was met that could not be read
        self._broke_off = False

    def read(self) -> None:
        """Copy what can be read. Raises JournalForeignKey, or the target's own errors."""
        with closing(sqlite3.connect(self._scratch, isolation_level=None)) as source:
            # A changed byte in a text must not stop the others.
            source.text_factory = lambda raw: raw.decode(errors="replace")
            try:
                source.execute("PRAGMA locking_mode = EXCLUSIVE")
                if source.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                    return
            except _UNREADABLE:
                return
            self.opened = True
            self._source = source
            self._meta()
            for table, key in _TABLES.items():
                if table in _LATER and not self._has(table):
                    continue
                if key is None:
                    self._insert(table, self._rows(f"SELECT * FROM {table}"))
                else:
                    self._copy(table, key)
            self._count_by_index()

    def _has(self, table: str) -> bool:
        wanted = ("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,))
        return any(True for _ in self._rows(*wanted))

    def read_pages(self) -> None:
        """Copy the rows that can be found without any tree."""
        found: dict[str, list[_Row]] = {table: [] for table in _COLUMNS.values()}
        for row in pages.rows(bytes(_whole(self._scratch))):
            if (table := _COLUMNS.get(len(row))) is not None:
                found[table].append(tuple(row))
        for table, rows in found.items():
            self._insert(table, iter(rows))

    def count_missing(self) -> None:
        """Once everything is read: what is known to have been there, and was not saved."""
        self.missing -= self.saved

    def _meta(self) -> None:
        rows = list(self._rows("SELECT name, value FROM meta WHERE name = 'key_check'"))
        if rows and isinstance(rows[0][1], bytes) and rows[0][1] != self._sealer.check:
            raise JournalForeignKey("sealed with another key: its bytes would tell us nothing")
        with self._target.transaction():
            for row in self._rows(f"SELECT name, value FROM meta WHERE {_KEPT_META}"):
                self._target.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row)

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> Iterator[_Row]:
        """The rows of *query* as far as they can be read; then `_broke_off` says if all were."""
        self._broke_off = False
        try:
            yield from self._source.execute(query, values)
        except _UNREADABLE:
            self._broke_off = self.broke_off = True

    def _copy(self, table: str, key: str) -> None:
        failures = 0
        # Breadth first: large parts that can be read come before the search in what cannot.
        ranges = deque([self._ends(table, key)])
        while ranges and failures < _FAILURES_MOST:
            first, last = self._copy_from_both_ends(table, key, *ranges.popleft())
            if first > last:
                continue
            failures += 1
            if first == last:
                if table == "jobs":
                    self.missing.add(first)
                continue
            middle = (first + last) // 2
            ranges += [(first, middle), (middle + 1, last)]

    def _copy_from_both_ends(self, table: str, key: str, first: int, last: int) -> tuple[int, int]:
        """Copy up to what is damaged, from both sides; return the range between, or (1, 0)."""
        chosen = f"SELECT * FROM {table} NOT INDEXED WHERE {key} BETWEEN ? AND ? ORDER BY {key}"
        reached = self._insert(table, self._rows(chosen, (first, last)))
        if not self._broke_off:
            return 1, 0
        first = first if reached is None else reached + 1
        reached = self._insert(table, self._rows(f"{chosen} DESC", (first, last)))
        if not self._broke_off:
            return 1, 0
        return first, last if reached is None else reached - 1

    def _ends(self, table: str, key: str) -> tuple[int, int]:
        found: list[int] = []
        for order in ("ASC", "DESC"):
            query = f"SELECT {key} FROM {table} NOT INDEXED ORDER BY {key} {order} LIMIT 1"
            found += [int(str(row[0])) for row in self._rows(query)]
        if self._broke_off or len(found) == 1:
            # One end lies on a damaged page. The indexes hold every number, in another order.
            found += self._indexed(table, key)
            middle = OWN_FIRST_SEQ if table == "jobs" else 1
            return min(found, default=middle) - _AROUND, max(found, default=middle) + _AROUND
        return (found[0], found[1]) if found else (1, 0)

    def _indexed(self, table: str, key: str) -> list[int]:
        names = [
            str(name)
            for (name,) in self._rows(
                "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?", (table,)
            )
        ]
        found: list[int] = []
        for name in names:
            query = f"SELECT {key} FROM {table} INDEXED BY {name}"
            found += [int(str(row[0])) for row in self._rows(query)]
        return found

    def _insert(self, table: str, rows: Iterator[_Row]) -> int | None:
        """Put *rows* into the rescued journal; return the number of the last one."""
        last = None
        for chunk in batched(rows, _ROWS):
            with self._target.transaction():
                for row in chunk:
                    places = ", ".join("?" * len(row))
                    try:
                        added = self._target.db.execute(
                            f"INSERT OR IGNORE INTO {table} VALUES ({places})", row
                        ).rowcount
                    except JournalCorrupt:  # a column of a type that it cannot have
                        added = 0
                    if table == "jobs":
                        (self.saved if added else self.missing).add(row[0])
            last = chunk[-1][0]
        # The first column is the number, wherever there is one.
        return last if isinstance(last, int) else None

    def _count_by_index(self) -> None:
        """Of the numbers that could not be read, keep those that an index knows, if one is whole.

        Most numbers are not in use any more: their jobs were delivered.
        """
        for name in _INDEXES:
            known = {row[0] for row in self._rows(f"SELECT seq FROM jobs INDEXED BY {name}")}
            if not self._broke_off:
                self.missing = known
                return
            self.missing |= known


def _drop_dangling(target: JournalFile) -> int:
    """Delete jobs that have no address any more; return how many."""
    with target.transaction():
        target.db.execute("DELETE FROM lanes WHERE space_id NOT IN (SELECT space_id FROM spaces)")
        dropped = target.db.execute(
            "DELETE FROM jobs WHERE lane_id NOT IN (SELECT lane_id FROM lanes)"
        ).rowcount
        target.db.execute(
            "DELETE FROM batches WHERE batch_row NOT IN"
            " (SELECT batch_row FROM jobs WHERE batch_row IS NOT NULL)"
        )
    return dropped
