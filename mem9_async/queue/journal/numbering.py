"""The numbers of a journal's jobs, and how many jobs have come since it began."""

from collections.abc import Iterator
from contextlib import contextmanager

from mem9_async.queue.journal.file import JournalFile

OWN_FIRST_SEQ = 1 << 40  # adopted jobs are numbered downwards from here
COUNTED_TO = "counted_to_seq"


class Numbering:
    """Gives numbers to the jobs of one journal, and counts those that were accepted."""

    def __init__(self, file: JournalFile) -> None:
        """Go on where *file* ends."""
        self._file = file
        self._db = file.db
        # Two questions: SQLite looks at the ends for one at a time, and reads all rows for both.
        first = self._db.execute("SELECT min(seq) FROM jobs").fetchone()[0]
        last = self._db.execute("SELECT max(seq) FROM jobs").fetchone()[0]
        mark = self._file.counters().get(COUNTED_TO, 0)
        #: The next job's number. Above the mark even when every job has left: a number below it
        #: would not be counted.
        self.next_seq = max(OWN_FIRST_SEQ, (last or 0) + 1, mark + 1)
        #: Below this number the jobs of others are put.
        self.low_seq = min(OWN_FIRST_SEQ, first or OWN_FIRST_SEQ)
        # Counting costs a page in every commit. What was accepted since the last count is in the
        # file anyway, above the mark: nothing leaves the file without a count.
        self._uncounted: int = self._db.execute(
            "SELECT count(*) FROM jobs INDEXED BY jobs_by_lane WHERE seq > ? AND seq >= ?",
            (mark, OWN_FIRST_SEQ),
        ).fetchone()[0]

    @property
    def last_seq(self) -> int:
        """The number of the newest job that was ever accepted here."""
        return self.next_seq - 1

    def accepted(self, jobs: int) -> None:
        """Note that *jobs* were committed; they are counted when the next ones leave."""
        self._uncounted += jobs

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """A transaction in which jobs leave: what was accepted since the last one is counted."""
        uncounted = self._uncounted
        with self._file.transaction():
            if uncounted:
                self._file.count("accepted", uncounted)
                self._db.execute(
                    "INSERT OR REPLACE INTO counters VALUES (?, ?)",
                    (COUNTED_TO, self.next_seq - 1),
                )
            yield
        self._uncounted -= uncounted

    def counters(self) -> dict[str, int]:
        """Every counter since the journal began."""
        counted = self._file.counters()
        counted["accepted"] = counted.get("accepted", 0) + self._uncounted
        counted.pop(COUNTED_TO, None)
        return counted
