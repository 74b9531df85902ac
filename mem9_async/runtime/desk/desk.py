"""Answers what is asked about one journal, running or at rest; a slice of rows at a time.

Between two slices the loop has its turn: a question about a hundred thousand jobs must not make a
store wait.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Protocol

import structlog

from mem9_async.models.history import Step, StepKind
from mem9_async.models.inspection import (
    ChangeAsk,
    Changed,
    ExportAsk,
    Exported,
    FindAsk,
    Found,
    Happening,
    Held,
    HoldAsk,
    JobFilter,
    JobPage,
    JobRow,
    JobStory,
    ListAsk,
    ShowAsk,
)
from mem9_async.models.job import JobState
from mem9_async.models.reference import trace_id
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal import Journal
from mem9_async.queue.journal.interventions import Interventions
from mem9_async.queue.journal.selection import Selection
from mem9_async.queue.journal.transfer import Transfer

log = structlog.get_logger()

_CHANGED_AT_ONCE = 200
_ENDS = {
    StepKind.DELIVERED,
    StepKind.REMEMBERED,
    StepKind.UNCONFIRMED,
    StepKind.DISCARDED,
    StepKind.DEAD,
}
_WITH_ATTEMPT = {StepKind.DELIVERED, StepKind.DEAD, StepKind.SPLIT}


class Unanswerable(Exception):
    """What was asked cannot be done; the text says what to do instead."""


class Queue(Protocol):
    """What runs on the journal, and must know what was changed under it."""

    def changed(self, lanes: set[int], gone: tuple[str, ...]) -> None:
        """These lanes hold other jobs now; *gone* have left for good."""

    def recount(self) -> None:
        """The last of many changes was made: count anew what is costly to count."""

    def flush(self, space_id: int) -> None:
        """What waits in the space goes now."""

    def is_parked(self, space_id: int) -> bool:
        """Whether the space waits for something outside, or for a person."""


class Desk:
    """Reads and changes one journal; belongs to the thread that opened it."""

    def __init__(
        self, journal: Journal, *, holds: Holds, queue: Queue, now: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._holds = holds
        self._queue = queue
        self._now = now
        self._interventions = Interventions(journal)
        self._transfer = Transfer(journal, queue.is_parked)
        self.selection = Selection(journal, queue.is_parked)

    async def page(self, ask: ListAsk) -> JobPage:
        """A page of jobs, the newest first."""
        found: list[JobRow] = []
        after = bytes.fromhex(ask.after) if ask.after else None
        while True:
            part = self.selection.slice(ask.filter, after, self._now(), ask.limit - len(found))
            found += part.jobs
            after = part.after
            if after is None or len(found) >= ask.limit:
                return JobPage(jobs=tuple(found), after=after.hex() if after else None)
            await asyncio.sleep(0)

    async def _matching(self, wanted: JobFilter) -> AsyncIterator[tuple[JobRow, ...]]:
        after: bytes | None = None
        while True:
            part = self.selection.slice(wanted, after, self._now(), _CHANGED_AT_ONCE)
            if part.jobs:
                yield part.jobs
            if (after := part.after) is None:
                return
            await asyncio.sleep(0)

    def find(self, ask: FindAsk) -> Found:
        """The jobs of a reference, here or gone, as far as is known."""
        found = self._journal.history.referring(ask.reference)
        return Found(job_ids=tuple(sorted(job_id.hex() for job_id in found)))

    def show(self, ask: ShowAsk) -> JobStory:
        """Everything about one job. Raises Unanswerable when nothing is known of it."""
        now = self._now()
        job_id = bytes.fromhex(ask.job_id)
        steps, place, reference = self._journal.history.of(job_id)
        story = self.selection.find(job_id, now)
        if story is None and not steps:
            raise Unanswerable(f"nothing is known of job {ask.job_id} (any more)")
        if story is None:
            ends = [step.kind for step in steps if step.kind in _ENDS]
            space, lane = place or (None, None)
            story = JobStory(
                job_id=ask.job_id, state=ends[-1] if ends else "unknown", lane=lane, space=space
            )
        told: dict[str, object] = {"reference": reference, "trace_id": trace_id(reference)}
        if (found := self._journal_content(job_id, wanted=ask.content)) is not None:
            told["kind"], told["content"] = found
        accepted = Happening(at=_iso(_accepted_at(job_id)), event=StepKind.ACCEPTED)
        happened = [each for step in steps for each in _told(step)]
        return story.model_copy(update={**told, "history": (accepted, *happened)})

    def _journal_content(self, job_id: bytes, *, wanted: bool) -> tuple[str, str | None] | None:
        found = self.selection.content(job_id)
        if found is None or not wanted:
            return None if found is None else (found[0], None)
        log.warning("content.shown", job_id=job_id.hex())
        return found

    async def change(self, ask: ChangeAsk) -> Changed:
        """Do it with everything that matches, and count. Raises Unanswerable, JournalError."""
        match ask.do:
            case "retry":
                return await self._retry(ask.filter)
            case "discard":
                return await self._discard(ask.filter)
            case "flush":
                return await self._flush(ask.filter)

    async def _retry(self, wanted: JobFilter) -> Changed:
        if wanted.states and wanted.states != (JobState.DEAD,):
            raise Unanswerable("only dead letters are sent again; for what waits there is flush")
        affected = 0
        async for jobs in self._matching(wanted.model_copy(update={"states": (JobState.DEAD,)})):
            replayed, lanes = self._interventions.replay(_ids(jobs), self._now())
            affected += replayed
            self._queue.changed(lanes, ())
        self._queue.recount()
        if affected:
            log.info("job.replayed", jobs=affected, reason="operator")
        return Changed(affected=affected)

    async def _discard(self, wanted: JobFilter) -> Changed:
        affected = skipped = 0
        async for jobs in self._matching(wanted):
            discarded, lanes = self._interventions.discard(_ids(jobs), self._now())
            affected += len(discarded)
            skipped += len(jobs) - len(discarded)
            self._queue.changed(lanes, tuple(job_id.hex() for job_id in discarded))
        self._queue.recount()
        if affected:
            log.warning("job.discarded", jobs=affected, reason="operator", intentional=True)
        return Changed(affected=affected, skipped=skipped)

    async def _flush(self, wanted: JobFilter) -> Changed:
        affected = 0
        spaces: set[str] = set()
        waits = (JobState.AVAILABLE, JobState.RETRYABLE, JobState.PARKED)
        wanted = wanted.model_copy(update={"states": wanted.states or waits})
        async for jobs in self._matching(wanted):
            affected += len(jobs)
            spaces |= {job.space for job in jobs}
        for name in spaces:
            for space_id in self.selection.spaces(name):
                self._queue.flush(space_id)
        return Changed(affected=affected)

    def export(self, ask: ExportAsk) -> Exported:
        """A page of jobs as they lie in the journal."""
        if ask.content:
            log.warning("content.shown", jobs=ask.limit)
        return self._transfer.page(ask.after, ask.limit, content=ask.content)

    def hold(self, ask: HoldAsk) -> Held:
        """Hold or release a space, or everything. Raises Unanswerable for an unknown space."""
        spaces: list[int | None] = [None]
        if ask.space is not None:
            spaces = [*self.selection.spaces(ask.space)]
            if not spaces:
                raise Unanswerable(f"no space goes by {ask.space}; see queue status or queue list")
        if ask.do == "pause":
            done = [self._holds.hold(space_id, self._now()) for space_id in spaces]
        else:
            done = [self._holds.release(space_id) for space_id in spaces]
        self._queue.changed(set(), ())
        return Held(changed=any(done), space=ask.space)


def _ids(jobs: tuple[JobRow, ...]) -> list[bytes]:
    return [bytes.fromhex(job.job_id) for job in jobs]


def _accepted_at(job_id: bytes) -> float:
    return int.from_bytes(job_id[:6]) / 1000  # a uuid7 begins with the time that it was made


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _told(step: Step) -> list[Happening]:
    """A step as what a person reads: the attempt, and what it came to where that is news."""
    happened = []
    if (attempt := step.attempt) is not None:
        happened.append(
            Happening(
                at=_iso(step.at),
                event="attempt",
                attempt=attempt.number,
                outcome=step.kind,
                http_status=attempt.http_status,
                error_type=attempt.error_type,
                error_code=attempt.error_code,
                duration_s=attempt.duration_s,
                next_at=None if step.next_at is None else _iso(step.next_at),
                batch_id=step.batch_id,
            )
        )
    if attempt is None or step.kind in _WITH_ATTEMPT:
        happened.append(
            Happening(at=_iso(step.at), event=step.kind, reason=step.reason, batch_id=step.batch_id)
        )
    return happened
