"""What a person may do with jobs that are not on their way: send again, or take out for good."""

from collections.abc import Iterable

from mem9_async.models.history import Step, StepKind
from mem9_async.queue.journal.journal import Journal

#: Jobs that nothing is being done with: waiting, between two attempts, or dead.
AT_HAND = (
    "(state IN (0, 4) OR (state = 1 AND batch_row IN"
    " (SELECT batch_row FROM batches WHERE state = 2)))"
)


class Interventions:
    """Changes that a person asks for. Each verb is one transaction and returns the lanes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db

    def replay(self, job_ids: Iterable[bytes], now: float) -> tuple[int, set[int]]:
        """Put those of *job_ids* that are dead letters back in line; return how many.

        One whose equal waits already is not sent twice: it is dropped and counted.
        """
        with self._journal.numbering.leaving():
            chosen, lanes = self._told(job_ids, "state = 4", Step(StepKind.REPLAYED, now))
            replayed = self._db.executemany(
                "UPDATE OR IGNORE jobs SET state = 0, deaths = 0, parked_s = 0,"
                " finished_at = NULL, sealed_outcome = NULL WHERE job_id = ?",
                chosen,
            ).rowcount
            replayed = max(0, replayed)
            dropped = self._db.executemany(
                "DELETE FROM jobs WHERE job_id = ? AND state = 4", chosen
            ).rowcount
            dropped = max(0, dropped)
            self._file.count("replayed", replayed)
            self._file.count("discarded", dropped)
            self._file.count("dead", -(replayed + dropped))
        return replayed, lanes

    def discard(self, job_ids: Iterable[bytes], now: float) -> tuple[list[bytes], set[int]]:
        """Take those of *job_ids* out that are not on their way; return which."""
        with self._journal.numbering.leaving():
            chosen, lanes = self._told(
                job_ids, AT_HAND, Step(StepKind.DISCARDED, now), leaving=True
            )
            dead = self._db.executemany(
                "DELETE FROM jobs WHERE job_id = ? AND state = 4", chosen
            ).rowcount
            waiting = self._db.executemany("DELETE FROM jobs WHERE job_id = ?", chosen).rowcount
            dead, waiting = max(0, dead), max(0, waiting)
            if waiting:
                self._db.execute(
                    "DELETE FROM batches WHERE state = 2 AND NOT EXISTS"
                    " (SELECT 1 FROM jobs WHERE jobs.batch_row = batches.batch_row)"
                )
            self._file.count("discarded", dead + waiting)
            self._file.count("dead", -dead)
        return [job_id for (job_id,) in chosen], lanes

    def _told(
        self, job_ids: Iterable[bytes], which: str, step: Step, *, leaving: bool = False
    ) -> tuple[list[tuple[bytes]], set[int]]:
        """Those of *job_ids* that are *which*, with *step* in their history; and their lanes."""
        by_lane: dict[int, list[bytes]] = {}
        for job_id in job_ids:
            row = self._db.execute(
                f"SELECT lane_id FROM jobs WHERE job_id = ? AND {which}", (job_id,)
            ).fetchone()
            if row is not None:
                by_lane.setdefault(row[0], []).append(job_id)
        for lane_id, found in by_lane.items():
            self._journal.history.add(step, found, lane_id, leaving=leaving)
        return [(job_id,) for found in by_lane.values() for job_id in found], set(by_lane)
