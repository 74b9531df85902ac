"""The journal against a model in plain lists: whatever happens, both hold the same."""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mem9_async.models.job import JobState
from mem9_async.models.outcome import ErrorType
from tests.queue.builders import HOUR_S, START, failure, job
from tests.queue.desk import Desk, texts

LANES = ("s0", "s1", "s2")
BATCH = 4
UNAVAILABLE = failure(ErrorType.UNAVAILABLE, maybe_sent=True)
REFUSED = failure(ErrorType.REJECTED)


@dataclass
class ModelJob:
    """One accepted job."""

    content: str
    job_id: str
    deaths: int = 0


@dataclass
class ModelBatch:
    """One frozen batch; `row` is the journal's name for it."""

    jobs: list[ModelJob]
    row: int
    doubted: bool = False


@dataclass
class ModelLane:
    """What one lane holds, in order; at most one batch is in flight."""

    waiting: list[ModelJob] = field(default_factory=list)
    frozen: list[ModelBatch] = field(default_factory=list)
    flying: ModelBatch | None = None
    dead: list[ModelJob] = field(default_factory=list)
    lane_id: int = 0


class JournalMachine(RuleBasedStateMachine):
    """Three lanes of one space in one journal on disk."""

    def __init__(self) -> None:
        super().__init__()
        # A file, not memory: a crash must find it again.
        self.directory = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.directory.name) / "journal.db")
        self.lanes = {name: ModelLane() for name in LANES}
        self.counted: Counter[str] = Counter()

    @rule(name=st.sampled_from(LANES), content=st.sampled_from("abcdef"))
    def append(self, name: str, content: str) -> None:
        """A job is accepted, or its equal waits already."""
        lane = self.lanes[name]
        (appended,) = self.desk.append(job(content, session=name))
        lane.lane_id = appended.lane_id
        equal = next((each for each in lane.waiting if each.content == content), None)
        assert appended.deduplicated is (equal is not None)
        if equal is None:
            lane.waiting.append(ModelJob(content, appended.job_id))
            self.counted["accepted"] += 1
        else:
            assert appended.job_id == equal.job_id
            self.counted["deduplicated"] += 1

    @rule(name=st.sampled_from(LANES))
    def send(self, name: str) -> None:
        """The lane's next batch leaves: an old one again, or a new one."""
        lane = self.lanes[name]
        if lane.flying is not None or not lane.lane_id:
            return
        if lane.frozen:
            lane.flying = lane.frozen.pop(0)
            found = self.desk.restart(lane.flying.row)
            assert found.maybe_sent is lane.flying.doubted
        else:
            fresh = self.desk.freeze(lane.lane_id, max_jobs=BATCH)
            taken = self._next_batch(lane)
            assert (fresh is None) is (not taken)
            if fresh is None:
                return
            found, lane.flying = fresh, ModelBatch(taken, fresh.row)
        assert texts(found) == [each.content for each in lane.flying.jobs]
        assert list(found.batch.job_ids) == [each.job_id for each in lane.flying.jobs]

    @precondition(lambda self: self._flying())
    @rule(draw=st.data())
    def deliver(self, draw: st.DataObject) -> None:
        """mem9 has taken it."""
        batch = self._land(draw)
        jobs = len(batch.jobs)
        self.desk.journal.delivered(batch.row, redelivered=batch.doubted)
        self.counted["delivered"] += jobs
        self.counted["redelivered"] += jobs if batch.doubted else 0

    @precondition(lambda self: self._flying())
    @rule(draw=st.data())
    def retry(self, draw: st.DataObject) -> None:
        """It may have arrived, and goes again."""
        name = draw.draw(st.sampled_from(self._flying()))
        lane = self.lanes[name]
        batch, lane.flying = lane.flying, None
        assert batch is not None
        batch.doubted = True
        self.desk.journal.retry(batch.row, UNAVAILABLE, due_at=START, costs_attempt=True)
        lane.frozen.insert(0, batch)

    @precondition(lambda self: self._flying(least=2))
    @rule(draw=st.data())
    def split(self, draw: st.DataObject) -> None:
        """It is split."""
        lane = self.lanes[draw.draw(st.sampled_from(self._flying(least=2)))]
        batch, lane.flying = lane.flying, None
        assert batch is not None
        refs = self.desk.journal.split(batch.row, due_at=START)
        size = 1 if len(batch.jobs) <= 3 else (len(batch.jobs) + 1) // 2
        parts = [list(part) for part in batched(batch.jobs, size)]
        lane.frozen[:0] = [
            ModelBatch(part, ref.row, batch.doubted) for part, ref in zip(parts, refs, strict=True)
        ]

    @precondition(lambda self: self._flying())
    @rule(draw=st.data())
    def bury(self, draw: st.DataObject) -> None:
        """mem9 refuses it for good."""
        name = draw.draw(st.sampled_from(self._flying()))
        lane = self.lanes[name]
        batch, lane.flying = lane.flying, None
        assert batch is not None
        assert self.desk.journal.bury(batch.row, REFUSED, now=START) == len(batch.jobs)
        lane.dead += batch.jobs
        self.counted["dead"] += len(batch.jobs)

    @rule()
    def crash(self) -> None:
        """The process dies as it is; the next one opens the file and recovers."""
        self.desk.reopen()
        caught = self.desk.recovery.recover(START, max_due_in_s=HOUR_S)
        assert caught == sum(
            len(lane.flying.jobs) for lane in self.lanes.values() if lane.flying is not None
        )
        backlogs = {backlog.lane_id: backlog for backlog in self.desk.recovery.backlogs()}
        for lane in self.lanes.values():
            if lane.flying is not None:
                self._recover(lane, lane.flying)
                lane.flying = None
            backlog = backlogs.get(lane.lane_id)
            assert (backlog.waiting if backlog else 0) == len(lane.waiting)
            refs = backlog.frozen if backlog else ()
            assert [ref.jobs for ref in refs] == [len(batch.jobs) for batch in lane.frozen]
            for batch, ref in zip(lane.frozen, refs, strict=True):
                batch.row = ref.row

    @rule()
    def replay(self) -> None:
        """Somebody sends every dead letter again; equals are taken once."""
        space_id = self.desk.journal.addresses.know(job("x", session="s0").lane).space_id
        replayed = dropped = 0
        order = {
            row[0].hex(): row[1]
            for row in self.desk.journal.file.db.execute("SELECT job_id, seq FROM jobs")
        }
        for lane in self.lanes.values():
            for dead in sorted(lane.dead, key=lambda each: order[each.job_id]):
                if any(each.content == dead.content for each in lane.waiting):
                    dropped += 1
                else:
                    dead.deaths = 0
                    lane.waiting.append(dead)
                    replayed += 1
            lane.dead.clear()
            lane.waiting.sort(key=lambda each: order[each.job_id])
        assert self.desk.reports.replay(space_id, None, START)[0] == replayed
        self.counted["replayed"] += replayed
        self.counted["discarded"] += dropped
        self.counted["dead"] -= replayed + dropped

    @invariant()
    def the_numbers_add_up(self) -> None:
        """Counters, rows and states are those of the model; the sum is zero."""
        assert self.desk.difference() == 0
        counters = self.desk.journal.counters()
        assert {name: n for name, n in counters.items() if n} == dict(+self.counted)
        counts = self.desk.stats().counts
        lanes = self.lanes.values()
        assert counts[JobState.AVAILABLE] == sum(len(lane.waiting) for lane in lanes)
        assert counts[JobState.DEAD] == sum(len(lane.dead) for lane in lanes)
        assert counts[JobState.IN_FLIGHT] == sum(
            len(lane.flying.jobs) for lane in lanes if lane.flying is not None
        )
        assert counts[JobState.RETRYABLE] == sum(
            len(batch.jobs) for lane in lanes for batch in lane.frozen
        )

    def teardown(self) -> None:
        """The file goes with its directory."""
        self.desk.journal.close()
        self.directory.cleanup()
        super().teardown()

    def _recover(self, lane: ModelLane, batch: ModelBatch) -> None:
        for each in batch.jobs:
            each.deaths += 1
        dead = [each for each in batch.jobs if each.deaths >= 3]
        lane.dead += dead
        self.counted["dead"] += len(dead)
        left = [each for each in batch.jobs if each.deaths < 3]
        alone = any(each.deaths >= 2 for each in left)
        parts = [[each] for each in left] if alone else [left] if left else []
        lane.frozen[:0] = [ModelBatch(part, 0, doubted=True) for part in parts]

    def _next_batch(self, lane: ModelLane) -> list[ModelJob]:
        taken, lane.waiting = lane.waiting[:BATCH], lane.waiting[BATCH:]
        return taken

    def _flying(self, least: int = 1) -> list[str]:
        return [
            name
            for name, lane in self.lanes.items()
            if lane.flying is not None and len(lane.flying.jobs) >= least
        ]

    def _land(self, draw: st.DataObject) -> ModelBatch:
        lane = self.lanes[draw.draw(st.sampled_from(self._flying()))]
        batch, lane.flying = lane.flying, None
        assert batch is not None
        return batch


JournalMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestJournal = JournalMachine.TestCase
