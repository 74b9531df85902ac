"""A mem9 that answers what it is told, with as many base URLs as there are cases.

Each base URL is a path on one port: to the plugin it is an endpoint of its own, so that one
case's failures never slow another's.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import CIMultiDictProxy
from pydantic import JsonValue


@dataclass(frozen=True)
class Reply:
    """One HTTP answer, after *delay_s* seconds. Status 0: the connection ends without one."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    @classmethod
    def json(cls, status: int, body: JsonValue) -> "Reply":
        """An answer as mem9 gives it."""
        return cls(status, json.dumps(body).encode())


@dataclass(frozen=True)
class Asked:
    """One request as it came; `path` is below the base URL."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def key(self) -> str | None:
        """The API key it carried."""
        return self.headers.get("X-API-Key")

    @property
    def json(self) -> Any:
        """The body, None when there is none."""
        return json.loads(self.body) if self.body else None


#: The end of the connection in place of an answer.
NOTHING = Reply(0)

_MEMORIES = "/v1alpha2/mem9s/memories"
_RUNTIME_STATE = "/v1alpha2/mem9s/runtime-state"
_WELL = {"POST": Reply.json(202, {"status": "accepted"})}
_EMPTY = Reply.json(200, {"memories": [], "total": 0, "limit": 30, "offset": 0})
_ACTIVE = Reply.json(200, {"status": "active"})
_UNKNOWN = Reply.json(404, {"error": "not found"})


class ScriptedMem9:
    """An async context manager. `asked` holds the requests of each base URL, by its name.

    Stores, recalls and lists get the case's replies, one after the other, the last one again
    and again; the key's status is active; every other route is unknown, as it is to mem9.
    """

    def __init__(self) -> None:
        self.asked: dict[str, list[Asked]] = defaultdict(list)
        self.key_states: dict[str, Reply] = {}
        self.states: dict[str, Reply] = {}
        self._replies: dict[str, list[Reply]] = {}
        self._to_stores: dict[str, Reply] = {}
        self._port = 0

    async def __aenter__(self) -> "ScriptedMem9":
        server = web.Server(self._answer, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=512).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def base_url(self, name: str, *replies: Reply) -> str:
        """The address of a mem9 that gives *replies* (none: all is well)."""
        self.answer(name, *replies)
        return f"http://127.0.0.1:{self._port}/{name}"

    def answer(self, name: str, *replies: Reply) -> None:
        """Give *replies* from now on."""
        self._replies[name] = list(replies)

    def answer_stores(self, name: str, reply: Reply) -> None:
        """Give *reply* to stores; the other replies are for reads."""
        self._to_stores[name] = reply

    def of_state(self, name: str) -> Sequence[Asked]:
        """How often the runtime-state route was asked, and how."""
        return [asked for asked in self.asked[name] if asked.path == _RUNTIME_STATE]

    def of_memories(self, name: str) -> Sequence[Asked]:
        """The stores, recalls and lists that *name* was asked for."""
        return [asked for asked in self.asked[name] if asked.path == _MEMORIES]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        name, _, rest = request.path.removeprefix("/").partition("/")
        asked = Asked(
            request.method, f"/{rest}", dict(request.query), request.headers, await request.read()
        )
        self.asked[name].append(asked)
        reply = self._reply(name, asked)
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply == NOTHING:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = dict(reply.headers)
        if reply.content_type:
            headers["Content-Type"] = reply.content_type
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    def _reply(self, name: str, asked: Asked) -> Reply:
        if asked.path.endswith("/status"):
            return self.key_states.get(name, _ACTIVE)
        if asked.path == _RUNTIME_STATE:
            return self.states.get(name, _UNKNOWN)
        if not asked.path.startswith(_MEMORIES):
            return _UNKNOWN
        if asked.method == "POST" and name in self._to_stores:
            return self._to_stores[name]
        replies = self._replies[name]
        if not replies:
            return _WELL.get(asked.method, _EMPTY)
        return replies.pop(0) if len(replies) > 1 else replies[0]
