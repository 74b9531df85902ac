"""The page as a visitor meets it: the door, the view, and what may be done, with a confirmation."""

import secrets
from collections.abc import Mapping
from typing import Literal, Protocol
from urllib.parse import urlencode

from mem9_async.dashboard.asked import Wanted, wanted
from mem9_async.dashboard.door import COOKIE, Door
from mem9_async.dashboard.exchange import PageRequest, PageResponse
from mem9_async.dashboard.rendering import rendered
from mem9_async.dashboard.view import View
from mem9_async.models.inspection import Changed, JobFilter
from mem9_async.models.job import JobState

ANSWER_MOST_BYTES = 256 * 1024
_DONE = {"retry": "sent again", "discard": "discarded", "pause": "held back", "resume": "let go"}
_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

Change = Literal["retry", "discard"]
Hold = Literal["pause", "resume"]


class Backend(Protocol):
    """Whose queue is shown; it decides what this visitor may see and change."""

    async def view(self, filter_: JobFilter, *, after: str | None, limit: int) -> View:
        """What stands there now."""

    async def count(self, filter_: JobFilter) -> int:
        """How many jobs match."""

    async def change(self, do: Change, filter_: JobFilter) -> Changed:
        """Do it with all that match."""

    async def hold(self, do: Hold, space: str | None) -> bool:
        """Hold a space back (None: everything), or let it go; whether that changed anything."""


class Site:
    """One page with its door. Keeps nothing of a visitor."""

    def __init__(self, backend: Backend, door: Door, *, cookie_path: str, secure: bool) -> None:
        self._backend = backend
        self._door = door
        self._cookie_path = cookie_path
        self._secure = secure

    async def respond(self, request: PageRequest) -> PageResponse:
        """Answer a GET or a POST of the page's one address."""
        cookie = request.cookies.get(COOKIE)
        if request.method == "POST" and request.form.get("do") == "login":
            return self._log_in(request.form.get("secret", ""))
        if not self._door.lets_in(cookie):
            return _page(401, "door.html", wrong=False, shut=self._door.shut)
        if request.method == "GET":
            return await self._shown(request.query, cookie)
        if request.method != "POST":
            return _page(405, "told.html", sentence="Only GET and POST are answered here.")
        if not self._door.knows(request.form.get("token", ""), cookie):
            sentence = "This form is not of this page, or too old. Load the page anew."
            return _page(403, "told.html", sentence=sentence)
        return await self._done(request.form, cookie)

    def _log_in(self, given: str) -> PageResponse:
        if self._door.opens(given):
            return _away({}, cookie=self._cookie(self._door.cookie()))
        shut = self._door.shut
        return _page(429 if shut else 401, "door.html", wrong=True, shut=shut)

    def _cookie(self, value: str) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{COOKIE}={value}; Path={self._cookie_path}; HttpOnly; SameSite=Strict{secure}"

    async def _shown(self, query: Mapping[str, str], cookie: str | None) -> PageResponse:
        asked = wanted(query)
        limit = 100
        after = query.get("after", "")
        told = _told(query)
        while True:
            view = await self._backend.view(asked.filter, after=_job_id(after), limit=limit)
            response = _page(
                200,
                "queue.html",
                view=view,
                asked=asked,
                token=self._door.token(cookie),
                told=told,
                kept=urlencode(asked.given),
            )
            if len(response.body.encode()) < ANSWER_MOST_BYTES or limit <= 1:
                return response
            limit //= 2

    async def _done(self, form: Mapping[str, str], cookie: str | None) -> PageResponse:
        asked = wanted(form)
        match form.get("do"):
            case ("pause" | "resume") as do:
                space = form.get("hold_space", "").strip() or None
                await self._backend.hold(do, space)
                return _away({**asked.given, "done": do, "of": space or "everything"})
            case ("retry" | "discard") as do if asked.problem is None:
                filter_ = asked.filter
                if do == "retry":  # of what is shown, only dead letters can go again
                    filter_ = filter_.model_copy(update={"states": (JobState.DEAD,)})
                if form.get("sure") != "yes":
                    return await self._confirm(do, asked, filter_, cookie)
                changed = await self._backend.change(do, filter_)
                return _away({**asked.given, "done": do, "of": str(changed.affected)})
        return _page(400, "told.html", sentence=asked.problem or "Nothing to be done was named.")

    async def _confirm(
        self, do: Change, asked: Wanted, filter_: JobFilter, cookie: str | None
    ) -> PageResponse:
        matching = await self._backend.count(filter_)
        return _page(
            200,
            "confirm.html",
            do=do,
            matching=matching,
            asked=asked,
            token=self._door.token(cookie),
            kept=urlencode(asked.given),
        )


def _told(query: Mapping[str, str]) -> str | None:
    """What was just done; its words come from here, whatever the address says."""
    done, of = query.get("done", ""), query.get("of", "")
    if done not in _DONE:
        return None
    if done in ("retry", "discard"):
        return f"{of} job(s) {_DONE[done]}." if of.isascii() and of.isdigit() else None
    plain = of if len(of) == len("0123abcd") and of.isalnum() else "Everything"
    return f"{plain if plain == 'Everything' else f'Space {plain}'} is {_DONE[done]}."


def _job_id(text: str) -> str | None:
    return text if len(text) == 32 and not set(text) - set("0123456789abcdef") else None


def _away(query: Mapping[str, str], *, cookie: str | None = None) -> PageResponse:
    headers = {**_headers("none"), "Location": f"?{urlencode(query)}"}
    if cookie is not None:
        headers["Set-Cookie"] = cookie
    return PageResponse(303, "", headers)


def _page(status: int, template: str, **values: object) -> PageResponse:
    nonce = secrets.token_urlsafe(16)
    return PageResponse(status, rendered(template, nonce=nonce, **values), _headers(nonce))


def _headers(nonce: str) -> dict[str, str]:
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
