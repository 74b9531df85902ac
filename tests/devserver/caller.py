"""A client that knows nothing of the server but its address."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is the parsed JSON, or None for an empty or plain answer."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str
    body: Any

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        return str(self.body["error"])

    @property
    def contents(self) -> list[str]:
        """The contents of the memories returned, in order."""
        return [memory["content"] for memory in self.body["memories"]]


@dataclass(frozen=True)
class Caller:
    """Speaks for one space. `memories` is the path of its memories on the API version chosen."""

    session: aiohttp.ClientSession
    base_url: str
    key: str
    version: str = "v1alpha2"
    agent: str = ""

    @property
    def space(self) -> str:
        """The path below which the data routes stand."""
        if self.version == "v1alpha1":
            return f"/v1alpha1/mem9s/{self.key}"
        return "/v1alpha2/mem9s"

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        params: dict[str, Any] | list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; `path` starting with a slash is the whole path, else below the space."""
        sent = {} if self.version == "v1alpha1" else {"X-API-Key": self.key}
        if self.agent:
            sent["X-Mnemo-Agent-Id"] = self.agent
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        url = self.base_url + (path if path.startswith("/") else f"{self.space}/{path}")
        async with self.session.request(
            method,
            URL(url, encoded="%" in url),
            data=data,
            params=params,
            headers=sent | (headers or {}),
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(
                response.status,
                response.headers,
                text,
                json.loads(text) if is_json and text else None,
            )

    async def store(self, **body: object) -> Answer:
        """POST memories."""
        return await self.ask("POST", "memories", body)

    async def say(self, *contents: str, session_id: str = "s1", **more: object) -> Answer:
        """Store user messages."""
        messages = [{"role": "user", "content": content} for content in contents]
        return await self.store(messages=messages, session_id=session_id, **more)

    async def find(self, **params: Any) -> Answer:
        """GET memories."""
        return await self.ask("GET", "memories", params=params)
