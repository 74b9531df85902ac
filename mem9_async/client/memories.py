"""Reads and changes single memories and plain lists."""

from yarl import URL

from mem9_async.client.encoding import DELETE_MAX_IDS, change_body, ids_body, list_params
from mem9_async.client.mapping import memory, of_app
from mem9_async.client.paging import window
from mem9_async.client.pool import LIST_BODY_MAX, SEARCH_BODY_MAX, Request
from mem9_async.client.reader import Asker, addresses_of, unreadable
from mem9_async.client.responses.notices import success_notice
from mem9_async.client.urls import read_headers, write_headers
from mem9_async.client.wire import DeletedBody, MemoryBody, parse, parse_list
from mem9_async.models.errors import NotFound, PartlyDeleted, RequestFailed, VersionConflict
from mem9_async.models.memory import Deletion, ListQuery, Memory, MemoryChange, MemoryPage
from mem9_async.models.outcome import Meter, Outcome
from mem9_async.models.space import Space

_NO_ID = frozenset({"", ".", ".."})  # as a path segment each would name something else
_NOT_FOUND = "mem9 holds no active memory with this id; extraction may have replaced it."


class Memories:
    """The memories of any space, one request at a time; all of it may be repeated safely."""

    def __init__(self, asker: Asker, *, timeout_s: float) -> None:
        self._asker = asker
        self._timeout_s = timeout_s

    async def page(self, query: ListQuery) -> MemoryPage:
        """Return one page, newest first. Free of charge. Raises RequestFailed.

        Pages fit together as far as one request allows: see paging.py.
        """
        wanted = window(query.offset, query.limit, by_time=query.sort_by is None)
        answer = await self._asker.ask_again(
            Request(
                method="GET",
                url=addresses_of(query.space.base_url).memories,
                headers=read_headers(query.space, query.caller_agent_id),
                params=list_params(query, offset=wanted.start, limit=wanted.rows),
                body_max=LIST_BODY_MAX,
                may_resend=True,
            ),
            meter=Meter.RECALL,
            timeout_s=self._timeout_s,
        )
        body = parse_list(answer.body) if answer.whole else None
        if body is None:
            raise unreadable(answer)
        offset = query.offset
        if body.offset is None or body.offset == wanted.start:
            shown = wanted.cut(body.memories, total=body.total)
        else:  # an offset that mem9 could not take, and put right
            offset = body.offset
            shown = list(body.memories[: query.limit])
        mine = of_app(shown, query.app_id)
        return MemoryPage(
            memories=tuple(memory(item) for item in mine),
            total=wanted.start + len(body.memories) if body.total is None else body.total,
            limit=query.limit,
            offset=offset,
            notice=success_notice(body, answer.key),
            warnings=body.cut_short,
            withheld=len(shown) - len(mine),
        )

    async def get(self, space: Space, caller_agent_id: str, memory_id: str) -> Memory:
        """Return one memory. Free of charge. Raises NotFound, RequestFailed."""
        request = Request(
            method="GET",
            url=_memory_url(space, memory_id),
            headers=read_headers(space, caller_agent_id),
            body_max=SEARCH_BODY_MAX,
            may_resend=True,
        )
        return await self._one(request, Meter.RECALL)

    async def update(
        self, space: Space, caller_agent_id: str, memory_id: str, change: MemoryChange
    ) -> Memory:
        """Change one memory; return it as it is now.

        Reads it first, because mem9 drops the embedding of a memory whose content is not sent
        again. Raises VersionConflict when it is not the version asked for, or was changed
        in between (where the server checks), NotFound, RequestFailed.
        """
        current = await self.get(space, caller_agent_id, memory_id)
        if change.version is not None and change.version != current.version:
            raise VersionConflict(
                f"The memory is at version {current.version}, not {change.version}; "
                "read it again before changing it.",
                actual=current.version,
            )
        headers = write_headers(space, caller_agent_id)
        if current.version and current.version > 0:
            headers["If-Match"] = str(current.version)
        content = current.content if change.content is None else change.content
        request = Request(
            method="PUT",
            url=_memory_url(space, memory_id),
            headers=headers,
            body=change_body(change, content),
            body_max=SEARCH_BODY_MAX,
        )
        try:
            return await self._one(request, Meter.WRITE)
        except RequestFailed as exc:
            told = _conflict(exc.outcome)
            if told is None:
                raise
            raise VersionConflict(told, actual=None) from exc

    async def delete(self, space: Space, caller_agent_id: str, ids: tuple[str, ...]) -> Deletion:
        """Delete the memories with these ids; say how many there were.

        Also a single id goes as a list: the route for one answers alike for a memory that is
        there and for one deleted long ago. Lists go in chunks; when one fails, those before it
        stay deleted. Raises RequestFailed, then as PartlyDeleted.
        """
        wanted = tuple(dict.fromkeys(memory_id for memory_id in ids if memory_id not in _NO_ID))
        if not wanted:
            return Deletion(requested=len(ids), deleted=0)
        deleted = 0
        for start in range(0, len(wanted), DELETE_MAX_IDS):
            chunk = wanted[start : start + DELETE_MAX_IDS]
            try:
                deleted += await self._delete_chunk(space, caller_agent_id, chunk)
            except RequestFailed as exc:
                if not deleted:
                    raise
                raise PartlyDeleted(exc.outcome, deleted=deleted) from exc
        return Deletion(requested=len(ids), deleted=deleted)

    async def _delete_chunk(self, space: Space, caller_agent_id: str, ids: tuple[str, ...]) -> int:
        request = Request(
            method="POST",
            url=addresses_of(space.base_url).batch_delete,
            headers=write_headers(space, caller_agent_id),
            body=ids_body(ids),
        )
        answer = await self._asker.ask_again(request, meter=Meter.WRITE, timeout_s=self._timeout_s)
        body = parse(DeletedBody, answer.body) if answer.whole else None
        if body is None or body.deleted is None:
            raise unreadable(answer)
        return body.deleted

    async def _one(self, request: Request, meter: Meter) -> Memory:
        try:
            answer = await self._asker.ask_again(request, meter=meter, timeout_s=self._timeout_s)
        except RequestFailed as exc:
            if exc.outcome.error_code != "not_found":
                raise
            raise NotFound(_NOT_FOUND) from exc
        body = parse(MemoryBody, answer.body) if answer.whole else None
        if body is None or body.content is None:
            raise unreadable(answer)
        return memory(body)


def _conflict(outcome: Outcome) -> str | None:
    if outcome.http_status == 412:
        return "The memory was changed by someone else in between; read it again."
    if outcome.error_code == "if_match_invalid":
        return "mem9 could not compare the memory's version, so nothing was changed; read it again."
    return None


def _memory_url(space: Space, memory_id: str) -> URL:
    if memory_id in _NO_ID:
        raise NotFound(_NOT_FOUND)
    return addresses_of(space.base_url).memory(memory_id)
