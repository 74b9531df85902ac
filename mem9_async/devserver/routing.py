"""Which handler answers a path, and who may ask: mem9's router, v1alpha1 and v1alpha2 alike."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from mem9_async.devserver.access import API_KEY_HEADER, Access, Doorkeeper
from mem9_async.devserver.answers import json_answer, no_such_route, wrong_method
from mem9_async.devserver.chain_routes import ChainRoutes
from mem9_async.devserver.faults import Meter
from mem9_async.devserver.handlers import Call, DataHandler, DataRoutes
from mem9_async.devserver.memory import timestamp_ns
from mem9_async.devserver.tenants import Tenants
from mem9_async.devserver.traffic import Traffic

_VERSION: Final = "mem9_async embedded server"


@dataclass(frozen=True, slots=True)
class Router:
    """Finds the handler; below a space's prefix the key is judged before the path."""

    tenants: Tenants
    doorkeeper: Doorkeeper
    data: DataRoutes
    chains: ChainRoutes
    traffic: Traffic
    started_ns: int = field(default_factory=time.time_ns)

    async def answer(self, request: web.BaseRequest, body: bytes) -> web.Response:
        """The answer to one request. Raises Refusal."""
        key = request.headers.get(API_KEY_HEADER, "")
        match split_path(request.path):
            case ("v1alpha2", "mem9s", *rest):
                access = self.doorkeeper.by_key(key)
                return await self._data(request, access, tuple(rest), body, v2=True)
            case ("v1alpha1", "mem9s", tenant_id, *rest):
                access = self.doorkeeper.by_path(tenant_id)
                return await self._data(request, access, tuple(rest), body, v2=False)
            case ("v1alpha2", "space-chains", *rest):
                return self.chains.answer(request.method, tuple(rest), key, body)
            case ("v1alpha1", "mem9s"):
                return self._provision(request.method)
            case path:
                return self._open(request.method, path, key)

    async def _data(
        self,
        request: web.BaseRequest,
        access: Access,
        path: tuple[str, ...],
        body: bytes,
        *,
        v2: bool,
    ) -> web.Response:
        memory_id = ""
        match path:
            case ("memories", "batch-delete") if v2 and request.method == "POST":
                methods: Mapping[str, DataHandler] = {"POST": self.data.batch_delete}
            case ("memories",):
                methods = {"GET": self.data.find, "POST": self.data.store}
            case ("memories", memory_id):
                methods = {
                    "GET": self.data.get,
                    "PUT": self.data.change,
                    "DELETE": self.data.delete,
                }
            case ("session-messages",):
                methods = {"GET": self.data.session_messages}
            case _:
                return no_such_route()
        handler = methods.get(request.method)
        if handler is None:
            return wrong_method(tuple(methods))
        return await handler(Call(access, request.headers, request.query, body, memory_id))

    def _provision(self, method: str) -> web.Response:
        if method != "POST":
            return wrong_method(("POST",))
        return json_answer(201, {"id": self.tenants.provision().id})

    def _open(self, method: str, path: tuple[str, ...], key: str) -> web.Response:
        if path not in (("healthz",), ("versionz",), ("metrics",), ("v1alpha2", "status")):
            return no_such_route()
        if method != "GET":
            return wrong_method(("GET",))
        match path[-1]:
            case "healthz":
                return json_answer(200, {"status": "ok"})
            case "versionz":
                started = timestamp_ns(self.started_ns)
                return json_answer(200, {"go_version": _VERSION, "started_at": started})
            case "metrics":
                return web.Response(text=self.traffic.metrics(), content_type="text/plain")
        return json_answer(200, {"status": self.doorkeeper.key_status(key)})


def split_path(path: str) -> tuple[str, ...]:
    """The segments after the first slash; a trailing slash makes an empty last one."""
    return tuple(path.split("/")[1:])


def tenant_in_path(path: str) -> str:
    """The tenant a v1alpha1 path names; empty for every other path."""
    match split_path(path):
        case ("v1alpha1", "mem9s", tenant_id, *_):
            return tenant_id
    return ""


def meter_of(method: str, path: str, query: str) -> Meter | None:
    """What mem9's quota would count this request as; None for what is free."""
    segments = split_path(path)
    if "memories" not in segments[2:4]:
        return None
    if method == "GET":
        return "recall" if segments[-1] == "memories" and query.strip() else None
    return "write" if method in ("POST", "PUT", "DELETE") else None
