"""aioresponses at the client's edge: canned answers, and what was asked.

aioresponses 0.7.9 builds responses without the `stream_writer` that aiohttp 3.14 wants;
`_Response` supplies one.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import aiohttp
from aioresponses import aioresponses
from pydantic import JsonValue
from yarl import URL

from tests.client.builders import BASE_URL

_OURS = {"User-Agent"}  # the session's own, on every request


class _Response(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)


@dataclass(frozen=True)
class Sent:
    """One request as the client made it."""

    method: str
    url: URL
    headers: dict[str, str]
    params: dict[str, str]
    data: bytes | None

    @property
    def json(self) -> Any:
        """The body, decoded."""
        assert self.data is not None

        return json.loads(self.data)


class MockedMem9:
    """Answers in the order they were given, per method and path; `sent` holds the requests."""

    def __init__(self, mock: aioresponses) -> None:
        self._mock = mock
        self.sent: list[Sent] = []

    def answers(
        self,
        method: str,
        path: str,
        status: int = 200,
        body: JsonValue | bytes = b"",
        *,
        headers: dict[str, str] | None = None,
        fails: Exception | None = None,
        repeat: bool = False,
    ) -> None:
        """Answer the next request to *path* (every one, with *repeat*)."""

        def remember(url: URL, **kwargs: Any) -> None:
            self.sent.append(
                Sent(
                    method=method,
                    url=url,
                    headers={
                        name: text for name, text in kwargs["headers"].items() if name not in _OURS
                    },
                    params=dict(kwargs["params"] or {}),
                    data=kwargs["data"],
                )
            )

        self._mock.add(
            re.compile(re.escape(BASE_URL + path) + r"(\?.*)?$"),
            method=method,
            status=status,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers=headers,
            exception=fails,
            repeat=repeat,
            response_class=_Response,
            callback=remember,
        )
