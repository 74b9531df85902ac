"""A search: mem9's answer, one more try if asked, and the writes mem9 may not show yet."""

import asyncio
import time

import structlog

from mem9_async.client.client import Mem9Client
from mem9_async.models.agent_memory import Preparation, Prepared
from mem9_async.models.errors import RequestFailed
from mem9_async.models.job import JobState, PendingWrite
from mem9_async.models.memory import Memory, SearchQuery, SearchResult
from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Space
from mem9_async.queue.clock import Clock
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.parking import Parking
from mem9_async.runtime.recall.pending_writes import LOOKED_AT, Underway
from mem9_async.runtime.recall.usage_notices import Notices
from mem9_async.text.matching import Matcher

log = structlog.get_logger()

_SHOWN = 10
_WORTH_A_RETRY_S = 1.0


class Recall:
    """Answers searches; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        client: Mem9Client,
        journal: Journal,
        reports: Reports,
        parking: Parking,
        underway: Underway,
        notices: Notices,
        clock: Clock,
        timeout_s: float,
    ) -> None:
        self._client = client
        self._addresses = journal.addresses
        self._reports = reports
        self._parking = parking
        self._underway = underway
        self._notices = notices
        self._clock = clock
        self._timeout_s = timeout_s

    async def search(
        self, query: SearchQuery, *, include_pending: bool, second: SearchQuery | None
    ) -> SearchResult:
        """Recall, once more as *second* if nothing was found, and add pending writes.

        Waits at most the search timeout in all. Raises RequestFailed: an empty result always
        means that mem9 found nothing.
        """
        started = time.monotonic()
        result = await self._client.search(query, timeout_s=self._timeout_s)
        left_s = self._timeout_s - (time.monotonic() - started)
        # A part that was cut short is no finding: other words would be cut short as well.
        nothing = not result.memories and not result.partial
        if nothing and second is not None and left_s > _WORTH_A_RETRY_S:
            result = await self._again(query, second, result, left_s)
        space_id = self._addresses.find_space(query.space)
        pending = (
            self._pending(space_id, query, result.memories, Matcher(query.query))
            if include_pending
            else ()
        )
        self._notices.ask(query.space, query.caller_agent_id)
        return result.model_copy(
            update={
                "pending": pending,
                "notice": self._notices.joined(
                    query.space, spoken=result.notice, usage=result.usage_notice
                ),
                "elapsed_s": time.monotonic() - started,
            }
        )

    async def prepare(self, asked: Preparation) -> Prepared:
        """What is known of the query's agent, and what is on its way of it, matching or not.

        Waits at most the time that *asked* leaves. mem9 failing, or silent, leaves what is known
        here.
        """
        query = asked.query
        memories: tuple[Memory, ...] = ()
        failure: str | None = None
        try:
            async with asyncio.timeout(asked.timeout_s):
                found = await self._client.search(query, timeout_s=asked.timeout_s)
            memories = found.memories
            if found.partial and not memories:
                failure = "recall_partial"
        except RequestFailed as exc:
            failure = str(exc.outcome.error_type or exc.code)
        except TimeoutError:
            failure = str(ErrorType.READ_TIMEOUT)
        if failure is not None:
            log.warning("memory.not_recalled", error_type=failure)
        pending: tuple[PendingWrite, ...] = ()
        try:
            space_id = self._addresses.find_space(query.space)
            pending = self._pending(space_id, query, memories, None)
        except JournalError as exc:
            # What mem9 told is worth more than a word about the disk.
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
        self._notices.ask(query.space, query.caller_agent_id)
        return Prepared(memories=memories, pending=pending, failure=failure)

    async def _again(
        self, query: SearchQuery, second: SearchQuery, first: SearchResult, left_s: float
    ) -> SearchResult:
        try:
            found = await self._client.search(second, timeout_s=left_s)
        except RequestFailed as exc:
            # The first answer stands: mem9 was asked and found nothing.
            log.debug("search.retry_failed", error_type=exc.outcome.error_type)
            return first
        # What the caller did not ask for stays out of the wider answer.
        widened = second.memory_type != query.memory_type
        wanted = query.memory_type
        kept = [each for each in found.memories if wanted is None or each.memory_type == wanted]
        return found.model_copy(
            update={
                "memories": tuple(kept[: query.limit]) if widened else found.memories,
                "second": "widened" if widened else "reworded",
                "attempts": first.attempts + found.attempts,
                "notice": found.notice or first.notice,
                "usage_notice": found.usage_notice or first.usage_notice,
            }
        )

    def _pending(
        self,
        space_id: int | None,
        query: SearchQuery,
        shown: tuple[Memory, ...],
        matcher: Matcher | None,
    ) -> tuple[PendingWrite, ...]:
        """Writes of the query's scope that match and that mem9 may not show, newest first.

        *shown* is what mem9 does show.
        """
        if space_id is not None and self._underway.must_load(query.space):
            self._load(space_id, query.space)
        if not self._underway.knows(query.space):
            return ()
        found = self._underway.find(
            query, matcher, (memory.content for memory in shown), limit=_SHOWN
        )
        waits = [each.job_id for each in found if not each.delivered]
        states: dict[str, JobState] = {}
        if waits and space_id is not None:
            parked = self._parking.get(space_id) is not None
            states = self._reports.states(space_id, waits, parked=parked)
            # Set aside, or gone, without our being told.
            self._underway.gone(job_id for job_id in waits if job_id not in states)
        now = self._clock.now()
        return tuple(
            PendingWrite(
                job_id=each.job_id,
                content=each.text,
                state="delivered" if each.delivered else states[each.job_id],
                age_s=round(max(0.0, now - each.accepted_at), 3),
            )
            for each in found
            if each.delivered or each.job_id in states
        )

    def _load(self, space_id: int, space: Space) -> None:
        jobs = self._reports.newest(space_id, limit=LOOKED_AT)
        self._underway.load(
            space, ((job.job_id, job.lane, job.payload, job.accepted_at) for job in jobs)
        )
