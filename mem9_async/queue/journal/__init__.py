"""The journal: accepted jobs in SQLite. The only package that touches sqlite3."""

from mem9_async.queue.journal.errors import (
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalNewer,
)
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.journal import Journal

__all__ = [
    "Journal",
    "JournalCorrupt",
    "JournalError",
    "JournalFile",
    "JournalFull",
    "JournalNewer",
]
