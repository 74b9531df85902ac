"""Asking a server everything, and answers with what differs from run to run taken out."""

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp
from pydantic import BaseModel, ConfigDict, JsonValue
from yarl import URL

from tests.comparison.exchanges import Exchange

_PATIENCE_S = 30.0
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIGURES = {"score", "confidence"}


class Answer(BaseModel):
    """One answer without ids, times, figures and the word of the run."""

    model_config = ConfigDict(frozen=True)

    status: int
    kind: str  #: the content type
    body: JsonValue  #: parsed, or the text of what is no JSON


@dataclass
class Asking:
    """A run against one server. `has_model` says whether facts are worth waiting for."""

    base_url: str
    key: str
    has_model: bool
    run: str = field(default_factory=lambda: f"run{uuid4().hex[:8]}")
    _ids: dict[str, str] = field(default_factory=dict)

    async def everything(self, exchanges: Iterable[Exchange]) -> dict[str, Answer]:
        """Ask all in order; by the names of the exchanges. Raises aiohttp.ClientError."""
        async with aiohttp.ClientSession() as session:
            return {each.name: await self._asked(session, each) for each in exchanges}

    async def _asked(self, session: aiohttp.ClientSession, exchange: Exchange) -> Answer:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + _PATIENCE_S
        while True:
            answer, body = await self._once(session, exchange)
            wanted = exchange.until if self.has_model or not exchange.needs_model else None
            if wanted is None or loop.time() > ends_at or _total(body) >= wanted:
                break
            await asyncio.sleep(0.05)
        if exchange.keeps is not None:
            self._ids[exchange.keeps] = _first_id(body) or "none"
        return answer

    async def _once(
        self, session: aiohttp.ClientSession, exchange: Exchange
    ) -> tuple[Answer, JsonValue]:
        key = self.key if exchange.key is None else exchange.key
        headers = {"X-API-Key": key, "X-Mnemo-Agent-Id": self.run, **exchange.headers}
        data = exchange.raw
        if data is None and exchange.body is not None:
            data = self._filled(json.dumps(exchange.body)).encode()
            headers["Content-Type"] = "application/json"
        url = URL(self.base_url + self._filled(exchange.path), encoded=True)
        async with session.request(exchange.method, url, data=data, headers=headers) as response:
            text = await response.text()
        body: JsonValue = json.loads(text) if response.content_type == "application/json" else text
        kind = response.headers.get("Content-Type", "")
        shown = _plain(json.loads(json.dumps(body).replace(self.run, "{run}")))
        return Answer(status=response.status, kind=kind, body=shown), body

    def _filled(self, text: str) -> str:
        for name, value in {"run": self.run, **self._ids}.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def _plain(value: JsonValue, name: str = "") -> JsonValue:
    if isinstance(value, dict):
        return {key: _plain(item, key) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_plain(item, name) for item in value]
    if name in _FIGURES and isinstance(value, int | float):
        return f"<{name}>"
    if isinstance(value, str):
        fraction = _TIME.fullmatch(value)
        if fraction:
            return "<time, in parts of a second>" if fraction[1] else "<time>"
        return "<id>" if _ID.fullmatch(value) else value
    return value


def _total(body: JsonValue) -> int:
    total = body.get("total") if isinstance(body, dict) else None
    return total if isinstance(total, int) else 0


def _first_id(body: JsonValue) -> str | None:
    if not isinstance(body, dict):
        return None
    memories = body.get("memories")
    first = memories[0] if isinstance(memories, list) and memories else body
    found = first.get("id") if isinstance(first, dict) else None
    return found if isinstance(found, str) else None
