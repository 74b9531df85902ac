"""What every request meets before its route: the log, faults, delay and the rate limiter."""

import asyncio
import json
import logging
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import web
from pydantic import JsonValue, ValidationError

from mem9_async.devserver.access import AGENT_HEADER, API_KEY_HEADER
from mem9_async.devserver.answers import (
    Refusal,
    json_answer,
    no_such_route,
    refusal_answer,
    wrong_method,
)
from mem9_async.devserver.faults import Fault, FaultOrder, Faults
from mem9_async.devserver.routing import Router, is_keyword, meter_of, tenant_in_path
from mem9_async.devserver.traffic import RateLimiter, RequestRecord, Traffic

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Front:
    """The server's one handler. `answer_delay_s` is added to every answer."""

    router: Router
    traffic: Traffic
    faults: Faults
    limiter: RateLimiter | None
    answer_delay_s: float

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; an error of ours is a 500 with an empty body, as a panic is."""
        body = await _read(request)
        if request.path.startswith("/_dev/"):
            return self._control(request, body)
        record = _record(request, body, newer=self.router.flavour.is_newer)
        self.traffic.arrived(record)
        fault = self.faults.take(
            method=record.method, path=record.path, key=record.key, meter=record.meter
        )
        if fault is None:
            response = await self._answer(request, body)
        else:
            response = await self._broken(request, body, fault)
        if fault is None or not fault.cut:
            self.traffic.answered(record, response.status)
        return response

    async def _answer(self, request: web.BaseRequest, body: bytes) -> web.Response:
        if self.answer_delay_s:
            await asyncio.sleep(self.answer_delay_s)
        key = request.headers.get(API_KEY_HEADER, "")
        if self.limiter is not None and not self.limiter.allows(request.remote or "", key):
            return json_answer(429, {"error": "rate limit exceeded"})
        try:
            return await self.router.answer(request, body)
        except Refusal as refusal:
            return refusal_answer(refusal)
        except Exception:
            _log.exception("request failed: %s %s", request.method, request.path)
            return web.Response(status=500)

    async def _broken(self, request: web.BaseRequest, body: bytes, fault: Fault) -> web.Response:
        await asyncio.sleep(fault.delay_s)
        performs = fault.perform or (fault.status is None and not fault.cut)
        response = await self._answer(request, body) if performs else web.Response(status=500)
        if fault.cut and request.transport is not None:
            request.transport.abort()
        if fault.status is None:
            return response
        if isinstance(fault.body, str):
            return web.Response(status=fault.status, text=fault.body, headers=fault.headers)
        if fault.body is None:
            return web.Response(status=fault.status, headers=fault.headers)
        return json_answer(fault.status, fault.body, fault.headers)

    def _control(self, request: web.BaseRequest, body: bytes) -> web.Response:
        """The switches of the embedded server itself; only for this machine, and not counted."""
        if not ip_address(request.remote or "0.0.0.0").is_loopback:  # noqa: S104
            return no_such_route()
        match request.path, request.method:
            case "/_dev/requests", "GET":
                return json_answer(200, self.traffic.summary())
            case "/_dev/faults", "GET":
                return self._faults_answer(200)
            case "/_dev/faults", "POST":
                try:
                    self.faults.add(FaultOrder.model_validate_json(body).fault())
                except (ValidationError, ValueError) as exc:
                    return json_answer(400, {"error": str(exc)})
                return self._faults_answer(201)
            case "/_dev/faults", "DELETE":
                self.faults.clear()
                return self._faults_answer(200)
            case "/_dev/requests", _:
                return wrong_method(("GET",))
            case "/_dev/faults", _:
                return wrong_method(("GET", "POST", "DELETE"))
        return no_such_route()

    def _faults_answer(self, status: int) -> web.Response:
        left: JsonValue = [json.loads(fault.model_dump_json()) for fault in self.faults.left]
        return json_answer(status, {"faults": left})


async def _read(request: web.BaseRequest) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue":
        assert request.transport is not None  # noqa: S101 - the request has only just come in
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await request.content.read()


def _record(request: web.BaseRequest, body: bytes, *, newer: bool) -> RequestRecord:
    query = request.query.get("q", "")
    if newer and is_keyword(request.query):
        query = ""
    return RequestRecord(
        arrived_s=asyncio.get_running_loop().time(),
        method=request.method,
        path=request.path,
        query=request.query_string,
        key=request.headers.get(API_KEY_HEADER, "").strip() or tenant_in_path(request.path),
        agent_id=request.headers.get(AGENT_HEADER, ""),
        meter=meter_of(request.method, request.path, query),
        body=body,
    )
