"""The two kinds of answer mem9 gives: JSON, and a refusal with one sentence."""

import json
from collections.abc import Mapping

from aiohttp import web
from pydantic import JsonValue


class Refusal(Exception):
    """The request is answered with `status` and `{"error": text}`."""

    def __init__(self, status: int, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code


class InvalidField(Refusal):
    """A 400 that names the field, as mem9's validation does."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(400, f"{field}: {problem}")


def json_answer(
    status: int, body: JsonValue, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON with a final newline and a bare `application/json`, as mem9's encoder writes it."""
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n"
    return web.Response(
        status=status,
        body=raw.encode("utf-8", "replace"),
        content_type="application/json",
        headers=headers,
    )


def refusal_answer(refusal: Refusal) -> web.Response:
    """The error body of *refusal*."""
    body: dict[str, JsonValue] = {"error": refusal.text}
    if refusal.code is not None:
        body["code"] = refusal.code
    return json_answer(refusal.status, body)


def no_such_route() -> web.Response:
    """mem9's router answers an unknown path in plain text."""
    return web.Response(
        status=404,
        body=b"404 page not found\n",
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "X-Content-Type-Options": "nosniff",
        },
    )


def wrong_method(allowed: tuple[str, ...]) -> web.Response:
    """405 with an empty body; `Allow` names the first that the route knows, and no other."""
    return web.Response(status=405, headers={"Allow": allowed[0]})
