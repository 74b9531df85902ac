"""From Dify's request to the page and back: settings, doors, and whose spaces are shown."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from mem9_async.dashboard.door import Door
from mem9_async.dashboard.exchange import PageRequest, PageResponse
from mem9_async.dashboard.site import Site
from mem9_async.endpoints.own_spaces import OwnSpaces
from mem9_async.models.errors import RuntimeUnavailable
from mem9_async.models.space import Space
from mem9_async.runtime.plugin import Plugin

DEFAULT_URL = "https://api.mem9.ai"
_DOORS_MOST = 100
_SPACES_MOST = 50
_SECRET_LEAST = 8
_doors: dict[tuple[str, str], Door] = {}


@dataclass(frozen=True, slots=True)
class Asked:
    """The request, and Dify's name for this page."""

    page: PageRequest
    hook_id: str


def asked(
    method: str,
    query: Mapping[str, str],
    form: Mapping[str, str],
    cookies: Mapping[str, str],
    hook_id: str,
) -> Asked:
    """Read what Dify handed on."""
    page = PageRequest(method, dict(query.items()), dict(form.items()), dict(cookies.items()))
    return Asked(page, hook_id if hook_id.isascii() and hook_id.isalnum() else "")


def answer(request: Asked, settings: Mapping[str, object], plugin: Plugin) -> PageResponse:
    """The page for the spaces of *settings*, behind the secret that stands there."""
    secret = str(settings.get("secret") or "")
    if len(secret) < _SECRET_LEAST:
        return _told(403, f"This page needs a secret of {_SECRET_LEAST} characters or more.")
    spaces = _spaces(settings)
    if not spaces:
        return _told(403, "Give the API key of a space in this page's settings.")
    path = f"/e/{request.hook_id}/" if request.hook_id else "/"
    door = _door(request.hook_id, secret)
    try:
        return plugin.operate(
            lambda app: Site(OwnSpaces(app, spaces), door, cookie_path=path, secure=False).respond(
                request.page
            )
        )
    except RuntimeUnavailable as exc:
        return _told(503, exc.message)


def _door(hook_id: str, secret: str) -> Door:
    # It counts wrong secrets, so it is kept; a changed secret is another door.
    digest = hashlib.sha256(f"mem9_async queue page\n{hook_id}\n{secret}".encode())
    name = (hook_id, digest.hexdigest())
    if name not in _doors:
        while len(_doors) >= _DOORS_MOST:
            del _doors[next(iter(_doors))]
        # Made of the secret alone: a cookie holds on every node, and over restarts.
        _doors[name] = Door(secret, key=digest.digest())
    return _doors[name]


def _spaces(settings: Mapping[str, object]) -> tuple[Space, ...]:
    url = str(settings.get("base_url") or DEFAULT_URL).strip().rstrip("/") or DEFAULT_URL
    given = str(settings.get("api_keys") or "").replace("\n", ",").split(",")
    keys = dict.fromkeys(key for each in given if (key := each.strip()))
    return tuple(Space(base_url=url, api_key=SecretStr(key)) for key in list(keys)[:_SPACES_MOST])


def _told(status: int, sentence: str) -> PageResponse:
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
    return PageResponse(status, f"{sentence}\n", headers)
