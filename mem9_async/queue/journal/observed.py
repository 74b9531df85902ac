"""Events of agents' runs that were accepted, by keyed hash: one that comes again is known.

A job leaves with its delivery, and its event may be told again afterwards; so this outlives jobs.
It is bounded in time and in number. A row says which job an event became, and nothing else.
"""

from collections.abc import Iterator
from itertools import batched

from pydantic_core import to_json

from mem9_async.models.job import NewJob
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.lane_registry import Addresses
from mem9_async.queue.sealing import Sealer

KEPT_S = 24 * 3600.0
KEPT_MOST = 100_000
_CHUNK = 5_000

_Row = tuple[bytes, bytes, float]


class Observed:
    """The events that one journal has taken."""

    def __init__(self, file: JournalFile, addresses: Addresses, sealer: Sealer) -> None:
        self._file = file
        self._db = file.db
        self._addresses = addresses
        self._sealer = sealer

    def knows(self, job: NewJob) -> bool:
        """Whether *job* is an event that was taken already; writes nothing."""
        event = self.event_of(job)
        return event is not None and self.job_of(event) is not None

    def event_of(self, job: NewJob) -> bytes | None:
        """What the job's event is known by; None for a job that is none."""
        if job.event_id is None:
            return None
        named = [*job.lane.address.values(), job.event_id]
        space = self._addresses.space_digest(job.lane.space)
        return self._sealer.digest(space + to_json(named), 16)

    def job_of(self, digest: bytes) -> bytes | None:
        """The job that the event became; None when it was never taken, or long ago."""
        row = self._db.execute("SELECT job_id FROM observed WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    def note(self, digest: bytes, job_id: bytes, now: float) -> None:
        """Remember the event; belongs inside the transaction that takes its job in."""
        self._db.execute("INSERT OR IGNORE INTO observed VALUES (?, ?, ?)", (digest, job_id, now))

    def trim(self, now: float, *, kept_s: float = KEPT_S, most: int = KEPT_MOST) -> None:
        """Forget what is older than *kept_s*, and the oldest beyond *most*."""
        with self._file.transaction():
            self._db.execute("DELETE FROM observed WHERE at < ?", (now - kept_s,))
            held = self._db.execute("SELECT count(*) FROM observed").fetchone()[0]
            if held > most:
                self._db.execute(
                    "DELETE FROM observed WHERE digest IN"
                    " (SELECT digest FROM observed ORDER BY at LIMIT ?)",
                    (held - most,),
                )

    def take(self, other: "Observed") -> Iterator[None]:
        """Copy what *other* knows, step by step, each in a transaction of ours."""
        rows: list[_Row] = other._db.execute("SELECT digest, job_id, at FROM observed").fetchall()
        for some in batched(rows, _CHUNK):
            with self._file.transaction():
                self._db.executemany("INSERT OR IGNORE INTO observed VALUES (?, ?, ?)", some)
            yield
