"""Delivers batches: what the queue's `Sink` asks for. Each call is one request, never repeated."""

import asyncio

from mem9_async.client.capabilities.known import Known
from mem9_async.client.encoding import store_body
from mem9_async.client.failures import FAILURES, of_failure
from mem9_async.client.mapping import of_app
from mem9_async.client.pool import LIST_BODY_MAX, STORE_BODY_MAX, Pool, Request
from mem9_async.client.reader import Asker, addresses_of
from mem9_async.client.responses.outcomes import of_store
from mem9_async.client.urls import addresses, read_headers, write_headers
from mem9_async.client.wire import MemoryBody, parse_list
from mem9_async.models.batch import Batch
from mem9_async.models.capability import needed_by_job
from mem9_async.models.errors import NotOffered, RequestFailed
from mem9_async.models.job import Pinned
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import ErrorType, Meter, Outcome
from mem9_async.models.space import Space

_PAGE = 200  # mem9's largest
_PAGES = 5  # the memory in question was sent a moment ago, and the newest come first
_NOTHING_LEFT = "Nothing was left to store once recalled memories were taken out of the text."


class Delivery:
    """One pool's way of sending batches and of looking after them."""

    def __init__(
        self, pool: Pool, known: Known, *, probe_timeout_s: float, retry_after_max_s: float
    ) -> None:
        """*known* says what servers have that must not be asked to do without."""
        self._pool = pool
        self._known = known
        self._asker = Asker(pool, retry_after_max_s=retry_after_max_s)
        self._probe_timeout_s = probe_timeout_s
        self._retry_after_max_s = retry_after_max_s

    async def send(self, batch: Batch) -> Outcome:
        """Send *batch* once and say what came of it. Raises nothing a server can cause.

        Waits until mem9 answers or the pool's time is over. Cancelled: the connection is
        dropped, and whether mem9 acted is unknown.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        body = store_body(batch)
        if body is None:
            return Outcome(
                error_type=ErrorType.REJECTED, error=_NOTHING_LEFT, error_code="nothing_to_store"
            )
        lane = batch.lane
        if (unfit := await self._unfit(batch)) is not None:
            return unfit
        try:
            headers = write_headers(lane.space, lane.agent_id)
            headers["Idempotency-Key"] = batch.batch_id
            url = addresses(lane.space.base_url).memories
            answer = await self._pool.exchange(
                Request("POST", url, headers, body, body_max=STORE_BODY_MAX)
            )
        except FAILURES as exc:
            return of_failure(exc, duration_s=clock() - began)
        return of_store(
            answer, retry_after_max_s=self._retry_after_max_s, duration_s=clock() - began
        )

    async def _unfit(self, batch: Batch) -> Outcome | None:
        """Why *batch* must not be sent: what protects its content is not, or may not be, there."""
        needed = {
            feature for payload in batch.payloads for feature in needed_by_job(batch.lane, payload)
        }
        if not needed:
            return None
        try:
            await self._known.require(batch.lane.space, sorted(needed))
        except NotOffered as exc:
            kind = ErrorType.NOT_OFFERED if exc.known else ErrorType.NOT_PROVEN
            return Outcome(error_type=kind, error=exc.message, error_code=exc.feature)
        except RequestFailed as exc:
            return exc.outcome
        return None

    async def key_state(self, space: Space) -> KeyState:
        """Ask the status route about *space*'s key: the only way to tell why it is refused."""
        return await self._asker.key_state(
            addresses_of(space.base_url).status,
            read_headers(space, None),
            timeout_s=self._probe_timeout_s,
        )

    async def holds_pinned(self, batch: Batch) -> bool | None:
        """Look for *batch*'s pinned memory in the free list: same content, same tags.

        None when the list could not be read, or not to its end.
        """
        pinned = batch.payloads[0]
        if not isinstance(pinned, Pinned):
            return None
        space = batch.lane.space
        for page in range(_PAGES):
            try:
                answer = await self._asker.ask(
                    Request(
                        "GET",
                        addresses_of(space.base_url).memories,
                        read_headers(space, batch.lane.agent_id),
                        params={
                            "memory_type": "pinned",
                            "limit": str(_PAGE),
                            "offset": str(page * _PAGE),
                        },
                        body_max=LIST_BODY_MAX,
                    ),
                    meter=Meter.RECALL,
                    timeout_s=self._probe_timeout_s,
                )
            except RequestFailed:
                return None
            body = parse_list(answer.body) if answer.whole else None
            if body is None:
                return None
            mine = of_app(body.memories, batch.lane.app_id or "")
            if any(_is_same(memory, pinned) for memory in mine):
                return True
            if body.cut_short:
                return None
            if len(body.memories) < _PAGE:
                return False
        return None


def _is_same(memory: MemoryBody, pinned: Pinned) -> bool:
    return memory.content == pinned.content and set(memory.tags) == set(pinned.tags)
