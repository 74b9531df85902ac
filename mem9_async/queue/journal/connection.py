"""An SQLite connection that speaks our errors, wherever SQLite notices that something is wrong.

Damage is met when a page is read, be it in a transaction, in a lone SELECT or between two rows.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mem9_async.queue.journal.errors import JournalCorrupt, JournalError, JournalFull

# Text that is no UTF-8 makes the driver itself stumble, over a value or over SQLite's message.
_TROUBLE = (sqlite3.Error, UnicodeDecodeError)
_PRIMARY = 0xFF  # an extended result code carries its primary one in the lowest byte


class _Cursor(sqlite3.Cursor):
    def fetchone(self) -> Any:  # noqa: ANN401  rows are what the query makes them
        try:
            return super().fetchone()
        except _TROUBLE as exc:
            raise _ours(exc) from exc

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except _TROUBLE as exc:
            raise _ours(exc) from exc

    def __next__(self) -> Any:  # noqa: ANN401
        try:
            return super().__next__()
        except _TROUBLE as exc:
            raise _ours(exc) from exc


class Connection(sqlite3.Connection):
    """One connection; every error that leaves it is a JournalError."""

    def execute(self, sql: str, parameters: Any = (), /) -> _Cursor:  # noqa: ANN401
        """Run one statement; its rows come out of the cursor."""
        try:
            cursor = self.cursor(_Cursor)
            # Not by way of the cursor's own execute(): every job that is stored comes by here.
            sqlite3.Cursor.execute(cursor, sql, parameters)
        except _TROUBLE as exc:
            raise _ours(exc) from exc
        return cursor

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> _Cursor:
        """Run one statement for each of *parameters*."""
        try:
            cursor = self.cursor(_Cursor)
            sqlite3.Cursor.executemany(cursor, sql, parameters)
        except _TROUBLE as exc:
            raise _ours(exc) from exc
        return cursor


def connect(path: Path | None) -> Connection:
    """Open the file at *path*, in memory when None; transactions are ours to begin and end.

    Raises JournalError when it cannot be opened.
    """
    try:
        return sqlite3.connect(path or ":memory:", isolation_level=None, factory=Connection)
    except _TROUBLE as exc:
        raise _ours(exc) from exc


def _ours(exc: Exception) -> JournalError:
    code = getattr(exc, "sqlite_errorcode", None)
    if isinstance(exc, sqlite3.ProgrammingError):
        return JournalError(f"the journal is closed or misused: {exc}")
    # Without a code it is the driver that cannot read what SQLite gave it.
    if isinstance(exc, sqlite3.OperationalError) and code is not None:
        if code & _PRIMARY == sqlite3.SQLITE_FULL:
            return JournalFull("no room on the disk for the journal")
        return JournalError(f"the journal cannot be used: {exc}")
    return JournalCorrupt(f"the journal is damaged: {exc}")
