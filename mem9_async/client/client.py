"""The mem9 client: one object for everything the plugin asks of mem9."""

import asyncio
import time

from mem9_async.client.batch_sender import Delivery
from mem9_async.client.capabilities.known import Known
from mem9_async.client.evidence import Evidence
from mem9_async.client.memories import Memories
from mem9_async.client.pool import SEARCH_BODY_MAX, Pool, Request
from mem9_async.client.reader import Asker, addresses_of, unreadable
from mem9_async.client.responses.notices import route_notice
from mem9_async.client.search import search
from mem9_async.client.single_flight import InFlight
from mem9_async.client.urls import read_headers
from mem9_async.client.wire import StoreBody, parse, parse_list
from mem9_async.models.batch import Batch
from mem9_async.models.capability import Feature, needed_by_list, needed_by_search
from mem9_async.models.errors import NotOffered, RequestFailed
from mem9_async.models.memory import (
    Deletion,
    KeyState,
    ListQuery,
    Memory,
    MemoryChange,
    MemoryPage,
    SearchQuery,
    SearchResult,
)
from mem9_async.models.outcome import Meter, Outcome
from mem9_async.models.space import Space

READ_CONNECTIONS = 100
PROBE_TIMEOUT_S = 8.0


class Mem9Client:
    """mem9 over two pools of connections, so that queued writes never slow a search.

    Belongs to one event loop: the one that makes the first request, where connections are
    opened. Which space is meant travels with each call. `aclose()` when done.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        attempt_timeout_s: float,
        search_timeout_s: float,
        keepalive_idle_s: float,
        max_in_flight: int,
        retry_after_max_s: float,
    ) -> None:
        self._writing = Pool(
            limit=max_in_flight,
            connect_timeout_s=connect_timeout_s,
            total_timeout_s=attempt_timeout_s,
            keepalive_idle_s=keepalive_idle_s,
        )
        self._reading = Pool(
            limit=READ_CONNECTIONS,
            connect_timeout_s=connect_timeout_s,
            total_timeout_s=search_timeout_s,
            keepalive_idle_s=keepalive_idle_s,
        )
        self._search_timeout_s = search_timeout_s
        self._asker = Asker(self._reading, retry_after_max_s=retry_after_max_s)
        self._memories = Memories(self._asker, timeout_s=search_timeout_s)
        self.known = Known(self._asker, timeout_s=PROBE_TIMEOUT_S, now=time.monotonic)
        self._delivery = Delivery(
            self._writing,
            self.known,
            probe_timeout_s=PROBE_TIMEOUT_S,
            retry_after_max_s=retry_after_max_s,
        )
        self.evidence = Evidence(self._asker, timeout_s=PROBE_TIMEOUT_S)
        self._searches: InFlight[tuple[SearchQuery, float], SearchResult] = InFlight()

    async def aclose(self) -> None:
        """Close every connection. Requests under way end as connections that broke."""
        await self.known.aclose()
        await self._writing.aclose()
        await self._reading.aclose()

    async def send(self, batch: Batch) -> Outcome:
        """Send *batch* once and say what came of it; see the queue's `Sink`."""
        return await self._delivery.send(batch)

    async def key_state(self, space: Space) -> KeyState:
        """Ask whether *space*'s key is known and active; free of charge."""
        return await self._delivery.key_state(space)

    async def holds_pinned(self, batch: Batch) -> bool | None:
        """Look, free of charge, whether the pinned memory of *batch* is already there."""
        return await self._delivery.holds_pinned(batch)

    async def search(self, query: SearchQuery, *, timeout_s: float | None = None) -> SearchResult:
        """Return the best memories for *query*; equal searches at one time share one request.

        Waits at most *timeout_s* (None: the client's own) in all. Cancelled: others who
        share the request keep it. Raises RequestFailed, or NotOffered where the server lacks what
        is asked for; never an empty result in their place.
        """
        limit_s = self._search_timeout_s if timeout_s is None else timeout_s
        return await self._searches.run((query, limit_s), lambda: self._search(query, limit_s))

    async def _search(self, query: SearchQuery, limit_s: float) -> SearchResult:
        needed = needed_by_search(query)
        if not needed:
            return await search(self._asker, query, timeout_s=limit_s)
        clock = asyncio.get_running_loop().time
        began = clock()
        await self.known.require(query.space, needed, timeout_s=limit_s)
        try:
            result = await search(self._asker, query, timeout_s=limit_s - (clock() - began))
        except NotOffered:
            self.known.doubt(query.space, Feature.KEYWORD)
            raise
        if result.withheld:
            self.known.doubt(query.space, Feature.APP_ID)
        return result

    async def list_memories(self, query: ListQuery) -> MemoryPage:
        """Return one page of memories; free of charge. Raises NotOffered, RequestFailed."""
        needed = needed_by_list(query)
        if needed:
            await self.known.require(query.space, needed)
        page = await self._memories.page(query)
        if page.withheld:
            self.known.doubt(query.space, Feature.APP_ID)
        return page

    async def get(self, space: Space, caller_agent_id: str, memory_id: str) -> Memory:
        """Return one memory; free of charge. Raises NotFound, RequestFailed."""
        return await self._memories.get(space, caller_agent_id, memory_id)

    async def update(
        self, space: Space, caller_agent_id: str, memory_id: str, change: MemoryChange
    ) -> Memory:
        """Change one memory; return it as it is now.

        Raises VersionConflict (nothing was written), NotFound, RequestFailed.
        """
        return await self._memories.update(space, caller_agent_id, memory_id, change)

    async def delete(self, space: Space, caller_agent_id: str, ids: tuple[str, ...]) -> Deletion:
        """Delete the memories with these ids; unknown ones are passed over. Raises RequestFailed.

        More than 1,000 go in several requests: when one fails, those before it stay deleted, and
        the error is a PartlyDeleted.
        """
        return await self._memories.delete(space, caller_agent_id, ids)

    async def validate(self, space: Space, caller_agent_id: str) -> None:
        """Check, free of charge and within 8 s, that the key opens *space*.

        Raises RequestFailed.
        """
        answer = await self._asker.ask(
            Request(
                "GET",
                addresses_of(space.base_url).memories,
                read_headers(space, caller_agent_id),
                params={"limit": "1"},
                body_max=SEARCH_BODY_MAX,
                may_resend=True,
            ),
            meter=Meter.RECALL,
            timeout_s=PROBE_TIMEOUT_S,
        )
        if parse_list(answer.body) is None:
            raise unreadable(answer)

    async def runtime_notice(self, space: Space, caller_agent_id: str) -> str | None:
        """Ask, within 8 s and free of charge, how *space*'s usage stands, as a sentence.

        None when all is well, and when it could not be asked: older servers lack the route.
        """
        try:
            answer = await self._asker.ask(
                Request(
                    "GET",
                    addresses_of(space.base_url).runtime_state,
                    read_headers(space, caller_agent_id),
                    may_resend=True,
                ),
                meter=Meter.RECALL,
                timeout_s=PROBE_TIMEOUT_S,
            )
        except RequestFailed:
            return None
        return route_notice(answer.body, answer.key)

    async def provision(self, base_url: str) -> str:
        """Make a space on a self-hosted mem9; return its key. Raises RequestFailed."""
        answer = await self._asker.ask(
            Request("POST", addresses_of(base_url).provision, {}),
            meter=Meter.WRITE,
            timeout_s=self._search_timeout_s,
        )
        body = parse(StoreBody, answer.body)
        if body is None or not body.id:
            raise unreadable(answer)
        return body.id
