"""The data routes: memories and session messages of the spaces a request may touch."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from aiohttp import web
from multidict import CIMultiDictProxy, MultiMapping
from pydantic import JsonValue

from mem9_async.devserver import requests
from mem9_async.devserver.access import AGENT_HEADER, Access, Node
from mem9_async.devserver.answers import Refusal, json_answer
from mem9_async.devserver.backlog import Backlog
from mem9_async.devserver.flavour import Flavour
from mem9_async.devserver.ingest import ColumnTooShort, Ingest, NotStorable, holds_nul
from mem9_async.devserver.jobs import Jobs
from mem9_async.devserver.memories import Memories
from mem9_async.devserver.memory import StoredMemory, relative_age, timestamp_ns
from mem9_async.devserver.model import Model, ModelFailed
from mem9_async.devserver.search import Found, Search
from mem9_async.devserver.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a data route, let in: whose spaces, which memory, what was sent."""

    access: Access
    headers: CIMultiDictProxy[str]
    params: MultiMapping[str]
    body: bytes
    memory_id: str = ""

    @property
    def agent(self) -> str:
        """The agent named in the header; it never filters reads."""
        return self.headers.get(AGENT_HEADER, "")


DataHandler = Callable[[Call], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class DataRoutes:
    """Answers the data routes. `conflicts` makes a stale If-Match a 412, as one build does."""

    memories: Memories
    sessions: Sessions
    search: Search
    ingest: Ingest
    backlog: Backlog
    model: Model
    flavour: Flavour
    jobs: Jobs
    conflicts: bool
    now_s: Callable[[], float]

    async def store(self, call: Call) -> web.Response:
        """POST memories: 201 for pinned, else 202, or 200 when asked to wait."""
        asked = requests.parse_store(call.body, call.agent, newer=self.flavour.is_newer)
        tenant = call.access.writes_to.number
        if asked.kind == "pinned":
            return self._store_pinned(call, asked)
        if asked.kind == "messages":
            work = partial(self.ingest.messages, tenant, asked, call.agent)
        else:
            work = partial(self.ingest.content, tenant, asked)
        takes_s = self.model.takes_s() if self.flavour.llm else 0.0
        if not asked.sync and asked.kind == "messages" and self.flavour.server == "aws":
            return self.jobs.accept(tenant, asked, work, takes_s)
        if not asked.sync:
            self.backlog.add(work, takes_s=takes_s)
            return json_answer(202, {"status": "accepted"})
        if takes_s:
            await asyncio.sleep(takes_s)
        self.backlog.run_due()
        try:
            work()
        except (ColumnTooShort, NotStorable, ModelFailed) as exc:
            raise Refusal(500, "internal server error") from exc
        return json_answer(200, {"status": "ok"})

    def _store_pinned(self, call: Call, asked: requests.StoreRequest) -> web.Response:
        try:
            memory = self.ingest.pinned(call.access.writes_to.number, asked)
        except (ColumnTooShort, NotStorable) as exc:
            raise Refusal(500, "internal server error") from exc
        stamp = timestamp_ns(time.time_ns())  # mem9 shows its own clock here, the database's later
        body = memory.wire() | call.access.source(call.access.nodes[0])
        if asked.echoes_null:
            body["metadata"] = None
        return json_answer(201, body | {"created_at": stamp, "updated_at": stamp})

    async def find(self, call: Call) -> web.Response:
        """GET memories: a page of them, or with `q` what is recalled."""
        self.backlog.run_due()
        asked = requests.parse_list(call.params, newer=self.flavour.is_newer)
        self._refuse_nul(*call.params.values())
        if asked.keyword or (asked.query and asked.scan_all and self._leaves_recall(call)):
            found, total = self.search.keyword(call.access, asked)
        elif asked.query:
            found, total = self.search.recall(call.access, asked)
        else:
            found, total = self.search.page(call.access, asked)
        return json_answer(
            200,
            {
                "memories": [self._found_wire(call.access, item) for item in found],
                "total": total,
                "limit": asked.limit,
                "offset": asked.offset,
            },
        )

    def _leaves_recall(self, call: Call) -> bool:
        """Whether scanAll makes a list of it, as a newer mem9 does with an ordinary key."""
        return self.flavour.is_newer and call.access.chain_id is None

    async def get(self, call: Call) -> web.Response:
        """GET one memory, active ones only."""
        node, memory = self._find_active(call)
        return json_answer(200, memory.wire() | call.access.source(node))

    async def change(self, call: Call) -> web.Response:
        """PUT one memory: the version always rises by one, a stale If-Match still wins."""
        change = requests.parse_change(call.body)
        node, memory = self._find_active(call, raw=False)
        requests.check_sizes(change.content or "", change.tags or ())
        if len(call.agent) > requests.ID_LENGTH_MAX:
            raise Refusal(500, "internal server error")
        self._refuse_nul(change.content, *(change.tags or ()), change.metadata, call.agent)
        conflicts = self.conflicts or self.flavour.server == "aws"
        if conflicts and (header := call.headers.get("If-Match")) is not None:
            wanted = requests.parse_if_match(header)
            if wanted is None or wanted <= 0:
                raise Refusal(400, "If-Match: must be a positive integer memory version")
            if wanted != memory.version:
                raise Refusal(412, "precondition failed: version changed")
        changed = replace(
            memory,
            content=memory.content if change.content is None else change.content,
            tags=memory.tags if change.tags is None else change.tags,
            metadata=change.metadata if change.replaces_metadata else memory.metadata,
            version=memory.version + 1,
            updated_by=call.agent,
            updated_at=self.flavour.stamp(self.now_s()),
        )
        self.memories.replace(node.tenant.number, changed)
        body = changed.wire() | call.access.source(node)
        return json_answer(200, body, {"ETag": str(changed.version)})

    async def delete(self, call: Call) -> web.Response:
        """DELETE one memory: 204, again for one deleted before (404 there through a chain)."""
        self.backlog.run_due()
        self._refuse_nul(call.memory_id)
        for node in call.access.nodes:
            memory = self.memories.get(node.tenant.number, call.memory_id)
            if memory is None or (call.access.chain_id and memory.state == "deleted"):
                continue
            self.memories.delete(node.tenant.number, [memory.id], self.flavour.stamp(self.now_s()))
            return web.Response(status=204)
        if self._delete_turns(call, (call.memory_id,)):
            return web.Response(status=204)
        raise Refusal(404, "not found")

    async def batch_delete(self, call: Call) -> web.Response:
        """POST batch-delete: unknown ids are ignored, the rows changed are counted."""
        self.backlog.run_due()
        ids = requests.parse_ids(call.body)
        self._refuse_nul(*ids)
        now_s = self.flavour.stamp(self.now_s())
        deleted = sum(
            self.memories.delete(node.tenant.number, ids, now_s) for node in call.access.nodes
        )
        return json_answer(200, {"deleted": deleted + self._delete_turns(call, ids)})

    def _delete_turns(self, call: Call, ids: tuple[str, ...]) -> int:
        """A newer mem9 deletes raw turns by these routes, too."""
        if not self.flavour.is_newer or self.flavour.on_postgres:
            return 0
        return sum(self.sessions.delete(node.tenant.number, ids) for node in call.access.nodes)

    async def session_messages(self, call: Call) -> web.Response:
        """GET session-messages: the oldest of each session, oldest first; none on PostgreSQL."""
        session_ids, limit = requests.parse_session_messages(call.params)
        if self.flavour.on_postgres:
            raise Refusal(501, "session messages: not supported")
        self.backlog.run_due()
        app_id = requests.app_filter(call.params) if self.flavour.is_newer else None
        found = [
            (key, body | call.access.source(node))
            for node in call.access.nodes
            for key, body in self.sessions.of_sessions(
                node.tenant.number, session_ids, limit, app_id
            )
        ]
        found.sort(key=lambda item: item[0])
        bodies: list[JsonValue] = [body for _, body in found]
        return json_answer(200, {"messages": bodies, "limit_per_session": limit})

    def _refuse_nul(self, *values: JsonValue) -> None:
        """PostgreSQL takes no U+0000, wherever it stands. Raises Refusal."""
        if self.flavour.on_postgres and any(holds_nul(value) for value in values):
            raise Refusal(500, "internal server error")

    def _find_active(self, call: Call, *, raw: bool = True) -> tuple[Node, StoredMemory]:
        """The active memory, and where it is; on a newer mem9 a *raw* turn as well."""
        self.backlog.run_due()
        self._refuse_nul(call.memory_id)
        for node in call.access.nodes:
            memory = self.memories.get(node.tenant.number, call.memory_id)
            if memory is not None and memory.state == "active":
                return node, memory
            if raw and self.flavour.is_newer:
                turn = self.sessions.get(node.tenant.number, call.memory_id)
                if turn is not None:
                    return node, turn
        raise Refusal(404, "not found")

    def _found_wire(self, access: Access, found: Found) -> JsonValue:
        body = found.memory.wire() | access.source(found.node)
        if found.score is not None:
            body["score"] = found.score
        if found.confidence is not None:
            body["confidence"] = found.confidence
        else:
            body["relative_age"] = relative_age(found.memory.updated_at, self.now_s())
        return body
