"""One SQLite file: opening it safely, its transactions, its counters.

One connection, used by one thread only: that makes SQLite's WAL-reset bug (3.7.0 to
3.51.2, two connections) impossible here.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mem9_async.queue import failpoints
from mem9_async.queue.journal import schema
from mem9_async.queue.journal.connection import connect
from mem9_async.queue.journal.errors import JournalCorrupt, JournalForeignKey, JournalNewer
from mem9_async.queue.journal.migrations import MIGRATIONS
from mem9_async.queue.sealing import Sealer
from mem9_async.queue.uuid7 import uuid7

# A larger file is not read through at the start: its damage, if any, is met in use.
_CHECKED_UP_TO_BYTES = 64 * 1024 * 1024


class JournalFile:
    """An open journal file. Every method belongs to the thread that opened it."""

    def __init__(self, path: Path | None, *, durability: str, sealer: Sealer) -> None:
        """Open or create the file at *path*, in memory only when None.

        Raises JournalCorrupt, JournalForeignKey, JournalNewer or JournalError.
        """
        self.path = path
        self.on_rollback: Callable[[], None] = lambda: None
        self.deaths: Counter[str] = Counter()  #: dead letters by reason since the file was opened
        self.db = connect(path)
        try:
            self._prepare("FULL" if durability == "power" else "NORMAL", sealer)
        except BaseException:
            self.db.close()
            raise

    def _prepare(self, synchronous: str, sealer: Sealer) -> None:
        application_id = self._pragma("application_id")
        version = self._pragma("user_version")
        empty = self.db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if not empty and application_id != schema.APPLICATION_ID:
            raise JournalCorrupt("the file is an SQLite database, but not a journal of mem9_async")
        if version > schema.VERSION:
            raise JournalNewer(f"schema {version} is newer than ours, {schema.VERSION}")
        self._run(schema.PRAGMAS.format(synchronous=synchronous))
        if empty:
            with self.transaction():
                self._run(schema.TABLES)
                self.db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                self.db.execute(f"PRAGMA user_version = {schema.VERSION}")
                self.db.execute("INSERT INTO meta VALUES ('journal_id', ?)", (uuid7().hex(),))
                self.db.execute("INSERT INTO meta VALUES ('key_check', ?)", (sealer.check,))
        if not empty and self.live_bytes() <= _CHECKED_UP_TO_BYTES:
            found = self.db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise JournalCorrupt(f"the journal is damaged: {found}")
        meta = dict(self.db.execute("SELECT name, value FROM meta"))
        if "journal_id" not in meta or "key_check" not in meta:
            raise JournalCorrupt("the journal has lost its identity")
        if meta["key_check"] != sealer.check:
            raise JournalForeignKey(
                "sealed with another key: set MEM9_ASYNC_JOURNAL_KEY back, or restore the key file"
            )
        self.journal_id: str = meta["journal_id"]
        if not empty:
            self._migrate(version, sealer)

    def _migrate(self, version: int, sealer: Sealer) -> None:
        for step in range(version, schema.VERSION):
            with self.transaction():
                MIGRATIONS[step](self.db, sealer)
                self.db.execute(f"PRAGMA user_version = {step + 1}")
                failpoints.hit("migrate.written")
            failpoints.hit("migrate.committed")

    def _run(self, statements: str) -> None:
        for statement in statements.split(";"):
            self.db.execute(statement).fetchall()

    def _pragma(self, name: str) -> int:
        return int(self.db.execute(f"PRAGMA {name}").fetchone()[0])

    @property
    def name(self) -> str:
        """What other journals know this one by: it stays when the file has to be rescued."""
        return self.path.stem if self.path else self.journal_id

    def close(self) -> None:
        """Close the file without draining it."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block writes, or nothing of it."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self.on_rollback()
            raise

    @contextmanager
    def synced_transaction(self) -> Iterator[None]:
        """A transaction that outlasts a power cut, whatever the durability.

        For what is about to be deleted in another file.
        """
        synchronous = self._pragma("synchronous")
        self.db.execute("PRAGMA synchronous = FULL")
        try:
            with self.transaction():
                yield
        finally:
            self.db.execute(f"PRAGMA synchronous = {synchronous}")

    def count(self, name: str, amount: int) -> None:
        """Add *amount* to a counter; belongs inside a transaction."""
        if amount:
            self.db.execute(
                "INSERT INTO counters VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, amount),
            )

    def count_dead(self, reason: str, amount: int) -> None:
        """Count *amount* new dead letters, and in `deaths` why; belongs inside a transaction."""
        self.count("dead", amount)
        if amount:
            self.deaths[reason] += amount

    def counters(self) -> dict[str, int]:
        """Every counter since the journal began."""
        return dict(self.db.execute("SELECT name, value FROM counters"))

    def damaged(self) -> bool:
        """Read the whole file through; whether it is damaged."""
        try:
            return bool(self.db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        except JournalCorrupt:
            return True

    def live_bytes(self) -> int:
        """Bytes in use: pages that hold something, and the write-ahead log.

        Free pages do not count: SQLite keeps them, and a purge would never lower the gauge.
        """
        pages = self._pragma("page_count") - self._pragma("freelist_count")
        return pages * self._pragma("page_size") + self.wal_bytes()

    def wal_bytes(self) -> int:
        """Bytes of the write-ahead log."""
        wal = Path(f"{self.path}-wal")
        return wal.stat().st_size if self.path and wal.exists() else 0

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and give free pages back to the disk."""
        failpoints.hit("checkpoint.before")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.db.execute("PRAGMA incremental_vacuum(2000)").fetchall()
        # The vacuum itself was written ahead: only this shortens the file.
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        failpoints.hit("checkpoint.after")
