"""Making ready what an earlier process left behind."""

from collections.abc import Iterable, Iterator

import structlog
from pydantic_core import to_json

from mem9_async.models.history import Step, StepKind
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue import failpoints
from mem9_async.queue.journal.journal import DEATHS_ALONE, Journal
from mem9_async.queue.journal.repair.consistency import mend
from mem9_async.queue.journal.sealed_outcomes import seal_outcome
from mem9_async.queue.records import Backlog, FrozenRef
from mem9_async.queue.sealing import SealBroken

log = structlog.get_logger()

_DEATHS_BURIED = 3
_CHOSEN = "(:lanes IS NULL OR {} IN (SELECT value FROM json_each(:lanes)))"


class Recovery:
    """The journal as it is found: what was in flight, and what each lane holds."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._file = journal.file
        self._sealer = journal.sealer

    def recover(self, now: float, *, max_due_in_s: float, deaths: bool = True) -> int:
        """Make ready what the last process left: return how many jobs it had in flight.

        Batches that were being sent may have arrived: they go again, counted as redelivered.
        A job in flight at two deaths goes alone from now on, at three it is set aside; without
        *deaths* it was we who began anew, not a process that died.
        Due times are clamped into [now, now + *max_due_in_s*]: the wall clock may have jumped.
        Rows that contradict each other are mended first, or their jobs would never be seen again.
        """
        with self._journal.numbering.leaving():
            mended = mend(self._file)
            caught = self._interrupted(now, now + max_due_in_s, deaths=deaths)
            buried = self._buried(now)
            self._set_apart(now)
            self._file.db.execute(
                "DELETE FROM batches WHERE NOT EXISTS"
                " (SELECT 1 FROM jobs WHERE jobs.batch_row = batches.batch_row)"
            )
            failpoints.hit("recover.written")
        failpoints.hit("recover.committed")
        if buried:
            log.error("job.dead_lettered", error_type=ErrorType.WORKER_CRASH, jobs=buried)
        if mended:
            log.error("journal.corrupted", jobs=mended, lost=0, reason="their states were changed")
        self._spoil_unaddressed()
        return caught

    def _interrupted(self, now: float, latest: float, *, deaths: bool) -> int:
        """Due now is what was being sent, by *latest* all else; how many jobs were being sent."""
        db = self._file.db
        for (row,) in db.execute("SELECT batch_row FROM batches WHERE state = 1").fetchall():
            self._journal.history.of_batch(row, Step(StepKind.INTERRUPTED, now))
        caught = db.execute(
            "UPDATE jobs SET deaths = deaths + ? WHERE batch_row IN"
            " (SELECT batch_row FROM batches WHERE state = 1)",
            (deaths,),
        ).rowcount
        db.execute(
            "UPDATE batches SET state = 2, maybe_sent = 1, due_at = ? WHERE state = 1", (now,)
        )
        db.execute("UPDATE batches SET due_at = min(max(due_at, ?), ?)", (now, latest))
        return caught

    def _buried(self, now: float) -> int:
        """Set aside what was in flight at too many deaths; how many jobs."""
        outcome = seal_outcome(
            self._sealer,
            Outcome(
                error_type=ErrorType.WORKER_CRASH,
                error="the plugin process died three times while this job was being sent",
                maybe_sent=True,
            ),
        )
        buried = self._file.db.execute(
            "UPDATE jobs SET state = 4, batch_row = NULL, finished_at = ?, sealed_outcome = ?"
            " WHERE batch_row IS NOT NULL AND state = 1 AND deaths >= ?",
            (now, outcome, _DEATHS_BURIED),
        ).rowcount
        self._file.count_dead(ErrorType.WORKER_CRASH, buried)
        return buried

    def _set_apart(self, now: float) -> None:
        # New batches, new ids: the old id stands for the bytes of all of them together.
        for job in self._file.db.execute(
            "SELECT seq, size, accepted_at, lane_id FROM jobs WHERE batch_row IN"
            " (SELECT batch_row FROM jobs WHERE batch_row IS NOT NULL AND state = 1"
            "  GROUP BY batch_row HAVING count(*) > 1 AND max(deaths) >= ?) ORDER BY seq",
            (DEATHS_ALONE,),
        ).fetchall():
            self._journal.batch_rows.refreeze([job], now, attempts=1, maybe_sent=True)

    def _spoil_unaddressed(self) -> None:
        """Set jobs aside whose lane has lost its space: the key is gone, not just unknown."""
        lane_ids = self._file.db.execute(
            "SELECT lane_id FROM lanes WHERE space_id NOT IN (SELECT space_id FROM spaces)"
        ).fetchall()
        for (lane_id,) in lane_ids:
            self._journal.spoil_lane(lane_id)

    def backlogs(self, lane_ids: Iterable[int] | None = None) -> Iterator[Backlog]:
        """What each lane holds, for those that hold anything (or for *lane_ids* only)."""
        chosen = {"lanes": None if lane_ids is None else to_json(sorted(lane_ids)).decode()}
        frozen: dict[int, list[FrozenRef]] = {}
        for lane_id, *ref in self._file.db.execute(
            "SELECT b.lane_id, b.batch_row, count(*), sum(j.size), min(j.accepted_at), b.due_at"
            " FROM batches b JOIN jobs j ON j.batch_row = b.batch_row AND b.state = 2"
            f" WHERE {_CHOSEN.format('b.lane_id')} GROUP BY b.batch_row ORDER BY b.first_seq",
            chosen,
        ):
            frozen.setdefault(lane_id, []).append(FrozenRef(*ref))
        waiting = {
            row[0]: row[1:]
            for row in self._file.db.execute(
                "SELECT lane_id, count(*), sum(size), min(accepted_at), max(accepted_at)"
                f" FROM jobs WHERE state = 0 AND {_CHOSEN.format('lane_id')} GROUP BY lane_id",
                chosen,
            )
        }
        for lane_id in sorted(waiting.keys() | frozen.keys()):
            refs = tuple(frozen.get(lane_id, ()))
            head = refs[0].oldest_at if refs else 0.0
            count, size, oldest, newest = waiting.get(lane_id, (0, 0, head, head))
            try:
                known = self._journal.addresses.lane(lane_id)
            except SealBroken:
                self._journal.spoil_lane(lane_id)
                continue
            yield Backlog(
                lane_id=lane_id,
                space_id=known.space_id,
                endpoint=known.lane.space.base_url if known.lane else None,
                waiting=count,
                waiting_bytes=size,
                oldest_at=oldest,
                newest_at=newest,
                frozen=refs,
            )
