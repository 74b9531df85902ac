"""Which handler answers a path, and who may ask: mem9's router, v1alpha1 and v1alpha2 alike."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from aiohttp import web
from multidict import MultiDict

from mem9_async.devserver.access import API_KEY_HEADER, Access, Doorkeeper
from mem9_async.devserver.answers import Refusal, json_answer, no_such_route, wrong_method
from mem9_async.devserver.chain_routes import ChainRoutes
from mem9_async.devserver.faults import Meter
from mem9_async.devserver.flavour import Flavour
from mem9_async.devserver.handlers import Call, DataHandler, DataRoutes
from mem9_async.devserver.imports import Imports
from mem9_async.devserver.memory import timestamp_ns
from mem9_async.devserver.model import Model
from mem9_async.devserver.newer import Newer
from mem9_async.devserver.tenants import Tenants
from mem9_async.devserver.traffic import Traffic

_BROKEN: Final = re.compile("%(?![0-9a-fA-F]{2})")
_VERSION: Final = "mem9_async embedded server"


@dataclass(slots=True)
class Router:
    """Finds the handler; below a space's prefix the key is judged before the path."""

    tenants: Tenants
    doorkeeper: Doorkeeper
    data: DataRoutes
    chains: ChainRoutes
    imports: Imports
    newer: Newer
    traffic: Traffic
    model: Model
    flavour: Flavour
    _started_ns: int = field(default_factory=time.time_ns)

    def begin_again(self) -> None:
        """Be a process that has only just begun."""
        self._started_ns = time.time_ns()

    async def answer(self, request: web.BaseRequest, body: bytes) -> web.Response:
        """The answer to one request. Raises Refusal."""
        key = request.headers.get(API_KEY_HEADER, "")
        match split_path(request.rel_url.raw_path):
            case ("v1alpha2", "mem9s", "runtime-state") if self.flavour.is_newer:
                return self._runtime_state(request.method, key)
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
            case ("memories", memory_id) if memory_id:
                methods = {
                    "GET": self.data.get,
                    "PUT": self.data.change,
                    "DELETE": self.data.delete,
                }
            case ("session-messages",):
                methods = {"GET": self.data.session_messages}
            case ("session-messages", _, "edit") if v2 and self.flavour.is_newer:
                return self.newer.edit()
            case ("webhooks", *which) if v2 and self.flavour.is_newer:
                return self.newer.webhooks(request.method, access, tuple(which), body)
            case ("ingest-jobs", job_id) if v2 and self.flavour.server == "aws":
                tenant = access.writes_to.number if access.chain_id is None else None
                return self.data.jobs.get(tenant, job_id)
            case ("imports", *which):
                return self.imports.answer(request, access, tuple(which), body)
            case _:
                return no_such_route()
        handler = methods.get(request.method)
        if handler is None:
            return wrong_method(tuple(methods))
        errors = "surrogateescape" if self.flavour.on_postgres else "replace"
        params = parse_query(request.rel_url.raw_query_string, errors)
        return await handler(Call(access, request.headers, params, body, memory_id))

    def _runtime_state(self, method: str, key: str) -> web.Response:
        if method != "GET":
            return wrong_method(("GET",))
        if not key.strip():
            raise Refusal(401, "API key required")
        return self.newer.runtime_state(str(self.doorkeeper.key_status(key)))

    def _provision(self, method: str) -> web.Response:
        if method != "POST":
            return wrong_method(("POST",))
        if self.flavour.on_postgres:
            raise Refusal(400, 'auto-provisioning requires tidb backend; got "postgres"')
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
                started = timestamp_ns(self._started_ns)
                return json_answer(200, {"go_version": _VERSION, "started_at": started})
            case "metrics":
                text = "\n".join((*self.traffic.metrics(), *self.model.metrics())) + "\n"
                kind = "text/plain; version=0.0.4; charset=utf-8; escaping=values"
                return web.Response(body=text.encode(), headers={"Content-Type": kind})
        return json_answer(200, {"status": self.doorkeeper.key_status(key)})


def split_path(raw_path: str) -> tuple[str, ...]:
    """The segments after the first slash, decoded; a trailing slash makes an empty last one."""
    return tuple(unquote(part) for part in raw_path.split("/")[1:])


def parse_query(raw: str, errors: str) -> MultiDict[str]:
    """The parameters as Go reads them: a pair with `;` or a broken escape counts as not sent.

    *errors* says what becomes of bytes that are no UTF-8, as for `bytes.decode`.
    """
    params: MultiDict[str] = MultiDict()
    for pair in raw.split("&"):
        if not pair or ";" in pair or _BROKEN.search(pair):
            continue
        name, _, value = pair.partition("=")
        params.add(_decoded(name, errors), _decoded(value, errors))
    return params


def _decoded(text: str, errors: str) -> str:
    return unquote(text.replace("+", " "), errors=errors)


def tenant_in_path(path: str) -> str:
    """The tenant a v1alpha1 path names; empty for every other path."""
    match split_path(path):
        case ("v1alpha1", "mem9s", tenant_id, *_):
            return tenant_id
    return ""


def is_keyword(params: Mapping[str, str]) -> bool:
    """Whether a newer mem9 takes the query for one by keyword, which is free."""
    mode = params.get("search_mode") or params.get("searchMode") or ""
    return mode.lower() in ("keyword", "content_keyword")


def meter_of(method: str, path: str, query: str) -> Meter | None:
    """What mem9's quota would count this request as; None for what is free."""
    segments = split_path(path)
    if "memories" not in segments[2:4]:
        return None
    if method == "GET":
        return "recall" if segments[-1] == "memories" and query.strip() else None
    return "write" if method in ("POST", "PUT", "DELETE") else None
