"""Asks mem9 once on behalf of a reader: a 2xx comes back, anything else is raised."""

import asyncio
import random
from collections.abc import Mapping

from yarl import URL

from mem9_async.client.failures import FAILURES, of_failure
from mem9_async.client.pool import Pool, Request, Response
from mem9_async.client.responses.outcomes import of_overflow, of_refusal, of_unreadable
from mem9_async.client.search_retry import pause_s
from mem9_async.client.urls import Addresses, addresses, status_beside
from mem9_async.client.wire import SuccessBody, parse
from mem9_async.models.errors import RequestFailed
from mem9_async.models.key_check import explained, is_doubtful
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import ErrorType, Meter, Outcome

_KEY_STATES = {"active": KeyState.ACTIVE, "inactive": KeyState.INACTIVE}


class Asker:
    """A pool, and how its failures are told."""

    def __init__(self, pool: Pool, *, retry_after_max_s: float) -> None:
        self._pool = pool
        self._retry_after_max_s = retry_after_max_s

    async def ask(self, request: Request, *, meter: Meter, timeout_s: float) -> Response:
        """Send *request* once and return the 2xx. Raises RequestFailed for anything else.

        *meter* is what the request is counted under, for the words of a denial.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        answer = await self.exchange(request, timeout_s=timeout_s)
        if not answer.ok:
            outcome = self.refusal(answer, meter, duration_s=clock() - began)
            state = None
            if is_doubtful(outcome) and (left_s := timeout_s - (clock() - began)) > 0:
                state = await self.key_state(
                    status_beside(request.url), request.headers, timeout_s=left_s
                )
            raise RequestFailed(explained(outcome, state))
        return answer

    async def exchange(self, request: Request, *, timeout_s: float) -> Response:
        """Send *request* once and return what came. Raises RequestFailed where nothing did."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await self._pool.exchange(request, timeout_s=timeout_s)
        except FAILURES as exc:
            raise RequestFailed(of_failure(exc, duration_s=clock() - began)) from exc

    def refusal(self, answer: Response, meter: Meter, *, duration_s: float = 0.0) -> Outcome:
        """What an *answer* other than 2xx means to a request that is counted under *meter*."""
        return of_refusal(
            answer,
            asked=meter,
            retry_after_max_s=self._retry_after_max_s,
            duration_s=duration_s,
        )

    async def key_state(
        self, status: URL, headers: Mapping[str, str], *, timeout_s: float
    ) -> KeyState:
        """Ask the route *status* about the key in *headers*; free of charge, raises nothing."""
        try:
            answer = await self.ask(
                Request("GET", status, headers, may_resend=True),
                meter=Meter.RECALL,
                timeout_s=timeout_s,
            )
        except RequestFailed as exc:
            http_status = exc.outcome.http_status or 0
            if http_status == 404 and exc.outcome.error_code != "route_not_found":
                return KeyState.UNKNOWN
            return KeyState.UNAVAILABLE if http_status >= 500 else KeyState.UNDECIDED
        body = parse(SuccessBody, answer.body)
        return _KEY_STATES.get((body and body.status) or "", KeyState.UNDECIDED)

    async def ask_again(self, request: Request, *, meter: Meter, timeout_s: float) -> Response:
        """Send *request*, again while a rate limit passes within *timeout_s*; else as `ask`.

        A limited request was not carried out, whatever it asks for.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + timeout_s
        tries = 0
        while True:
            tries += 1
            try:
                return await self.ask(request, meter=meter, timeout_s=ends_at - clock())
            except RequestFailed as exc:
                if exc.outcome.error_type is not ErrorType.RATE_LIMITED:
                    raise
                pause = pause_s(
                    exc.outcome,
                    tries=tries,
                    left_s=ends_at - clock(),
                    jitter=random.random(),  # noqa: S311  # spreads load, hides nothing
                )
                if pause is None:
                    raise
                await asyncio.sleep(pause)


def addresses_of(base_url: str) -> Addresses:
    """The addresses under *base_url*. Raises RequestFailed for one that is no URL."""
    try:
        return addresses(base_url)
    except ValueError as exc:
        raise RequestFailed(of_failure(exc)) from exc


def unreadable(answer: Response) -> RequestFailed:
    """The error for a 2xx that does not say what it should."""
    # What overflows may as well be a page of something else.
    too_large = answer.overflowed and b'"memories"' in answer.body
    return RequestFailed(of_overflow(answer) if too_large else of_unreadable(answer))
