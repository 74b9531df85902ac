"""The journal: accepted jobs in SQLite. The only package that touches sqlite3."""

from mem9_async.queue.journal.file import (
    JournalCorrupt,
    JournalError,
    JournalFile,
    JournalFull,
    JournalNewer,
)
from mem9_async.queue.journal.journal import Journal

__all__ = [
    "Journal",
    "JournalCorrupt",
    "JournalError",
    "JournalFile",
    "JournalFull",
    "JournalNewer",
]
