"""One journal with everything that reads or changes it, and the sum that must always hold."""

from pathlib import Path

from mem9_async.models.job import NewJob
from mem9_async.queue.journal import Journal
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.journal.retention import Retention
from mem9_async.queue.records import Appended, Frozen, SpaceStats
from mem9_async.queue.sealing import Sealer
from tests.queue.builders import START, space

SEALER = Sealer(b"a test's secret")


class Desk:
    """A journal at *path* (in memory when None), with its parts; reopen() starts anew."""

    def __init__(
        self,
        path: Path | None,
        *,
        sealer: Sealer = SEALER,
        persist_keys: bool = True,
        durability: str = "process",
    ) -> None:
        self.path = path
        self.sealer = sealer
        self.persist_keys = persist_keys
        self.durability = durability
        self._open()

    def _open(self) -> None:
        self.journal = Journal(
            self.path,
            self.sealer,
            durability=self.durability,
            persist_keys=self.persist_keys,
        )
        self.recovery = Recovery(self.journal)
        self.reports = Reports(self.journal)
        self.retention = Retention(self.journal)

    def reopen(self) -> None:
        """Close the file and open it again, as the next process does."""
        self.journal.close()
        self._open()

    def append(self, *jobs: NewJob, now: float = START) -> list[Appended]:
        """Accept *jobs* together."""
        return self.journal.append(jobs, now)

    def freeze(
        self, lane_id: int, *, now: float = START, max_jobs: int = 20, max_bytes: int = 65_536
    ) -> Frozen | None:
        """Freeze the lane's next batch."""
        return self.journal.freeze(lane_id, max_jobs=max_jobs, max_bytes=max_bytes, now=now)

    def frozen(self, lane_id: int, *, now: float = START, max_jobs: int = 20) -> Frozen:
        """Freeze the lane's next batch, which must be there."""
        batch = self.freeze(lane_id, now=now, max_jobs=max_jobs)
        assert batch is not None
        return batch

    def restart(self, row: int, now: float = START) -> Frozen:
        """Send the frozen batch again, which must be there."""
        batch = self.journal.restart(row, now)
        assert batch is not None
        return batch

    def stats(self, key: str = "sk-canary-key", *, parked: bool = False) -> SpaceStats:
        """How one space's jobs stand."""
        space_id = self.journal.addresses.know_space(space(key))
        return self.reports.stats(space_id, parked=parked, now=START, errors=10)

    def rows(self) -> int:
        """How many jobs the file holds, dead letters included."""
        count: int = self.journal.file.db.execute("SELECT count(*) FROM jobs").fetchone()[0]
        return count

    def pending(self) -> int:
        """How many jobs are still on their way."""
        count: int = self.journal.file.db.execute(
            "SELECT count(*) FROM jobs WHERE state IN (0, 1)"
        ).fetchone()[0]
        return count

    def difference(self) -> int:
        """Came in, less what left and what is here: 0, or a job was lost or counted twice."""
        counted = self.journal.counters()
        came = counted.get("accepted", 0) + counted.get("adopted", 0)
        left = sum(
            counted.get(name, 0)
            for name in ("delivered", "dead", "expired", "discarded", "cancelled", "lost")
        )
        return came - left - self.pending()


def texts(frozen: Frozen) -> list[str]:
    """What a batch says, job by job."""
    return [payload.text for payload in frozen.batch.payloads]
