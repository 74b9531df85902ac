"""What an answer of mem9 means: status, headers and body become one Outcome.

The table is error_catalogue.py, with transport_errors.py for requests that ended without an
answer (docs/reference/reliability.md, 2; docs/reference/mem9-api.md, 7).
"""

from codecs import BOM_UTF8
from collections.abc import Sequence
from datetime import UTC, datetime

from mem9_async.client.pool import Response
from mem9_async.client.redaction import without_key
from mem9_async.client.responses.error_catalogue import (
    Meaning,
    Status,
    status_meaning,
    text_meaning,
)
from mem9_async.client.responses.notices import success_notice
from mem9_async.client.responses.quota_denials import STATUSES, is_denied, read_denial, window_s
from mem9_async.client.retry_after import retry_after_s
from mem9_async.client.wire import ErrorBody, StoreBody, parse
from mem9_async.models.outcome import Confirmation, ErrorType, Meter, Outcome, QuotaDenial

FAILED = "mem9 request failed"
UNREADABLE = "mem9 answered, but not in the form it should: the base URL may lead elsewhere."
TOO_LARGE = "mem9's answer is too large to be taken in: ask for fewer memories at a time."
DETAIL_MAX = 500  # characters

_NO_STORE_HERE = frozenset({405, 501})  # every mem9 stores: the address leads to something else
_NEVER_MEM9S = frozenset({406, 410, 451})
_TAKEN = frozenset({201, 202, 204})
_POST_QUOTA_WAIT_S = 60  # the window of mem9's limiter, where it tells neither wait nor window


def of_store(answer: Response, *, retry_after_max_s: float, duration_s: float = 0.0) -> Outcome:
    """What became of a store.

    201, 202 and 204 say by themselves that it was taken, whatever is left of the body: sent again
    it would be stored twice. A page (some gateways challenge with 202), megabytes and an error
    are no success, and a 200 needs mem9's small JSON object: sign-in pages say 200 too.
    """
    if not answer.ok:
        refusal = of_refusal(
            answer,
            asked=Meter.WRITE,
            retry_after_max_s=retry_after_max_s,
            duration_s=duration_s,
        )
        if answer.status in _NO_STORE_HERE:
            return refusal.model_copy(update={"error_type": ErrorType.NOT_FOUND})
        if _is_blocked(answer, refusal):
            return refusal.model_copy(
                update={"error_type": ErrorType.BLOCKED, "error_code": "blocked"}
            )
        return refusal
    body = parse(StoreBody, answer.body.removeprefix(BOM_UTF8)) if answer.whole else None
    if body is None and answer.status in _TAKEN and not _is_no_answer(answer):
        body = StoreBody()
    if body is None or (body.error and not body.status):
        return of_unreadable(answer, duration_s=duration_s)
    accepted = answer.status in (202, 204)
    return Outcome(
        confirmation=Confirmation.ACCEPTED if accepted else Confirmation.INGESTED,
        http_status=answer.status,
        notice=success_notice(body, answer.key),
        memory_id=body.id or None,
        duration_s=duration_s,
    )


def of_refusal(
    answer: Response, *, asked: Meter, retry_after_max_s: float, duration_s: float = 0.0
) -> Outcome:
    """What an answer other than 2xx means to a request of the meter *asked*."""
    body = parse(ErrorBody, answer.body)
    if body is not None and answer.status in STATUSES and is_denied(body):
        return _of_denial(answer, body, asked, retry_after_max_s, duration_s)
    text = _error_text(body, answer.body)
    status = status_meaning(answer.status)
    meaning = text_meaning(answer.status, text)
    error_type = (meaning and meaning.error_type) or status.error_type
    return Outcome(
        error_type=error_type,
        maybe_sent=_maybe_sent(meaning, status),
        http_status=answer.status,
        error=FAILED,
        error_code=meaning.code if meaning else status.code or _not_found_code(answer, body),
        detail=printable(answer.body, hide=answer.key),
        retry_after_s=_header_wait_s(answer.retry_after, retry_after_max_s),
        duration_s=duration_s,
    )


def of_unreadable(answer: Response, *, duration_s: float = 0.0) -> Outcome:
    """A 2xx that does not say what it should: no success, though mem9 may have acted."""
    return Outcome(
        error_type=ErrorType.INVALID_RESPONSE,
        maybe_sent=True,
        http_status=answer.status,
        error=UNREADABLE,
        detail=printable(answer.body, hide=answer.key),
        duration_s=duration_s,
    )


def of_overflow(answer: Response, *, duration_s: float = 0.0) -> Outcome:
    """An answer of which there is more than we take in: asked again, it would be no smaller."""
    return Outcome(
        error_type=ErrorType.INVALID_RESPONSE,
        maybe_sent=True,
        http_status=answer.status,
        error=TOO_LARGE,
        error_code="answer_too_large",
        duration_s=duration_s,
    )


def printable(body: bytes, *, hide: str = "") -> str | None:
    """The first DETAIL_MAX characters of *body* that can be shown; None when there are none.

    The key *hide* is taken out of it.
    """
    text = body[: 8 * DETAIL_MAX].decode("utf-8", "ignore")
    text = without_key(text, hide)
    shown = "".join(char if char.isprintable() else " " for char in text).strip()
    return shown[:DETAIL_MAX].rstrip() or None


def _is_blocked(answer: Response, refusal: Outcome) -> bool:
    """Whether something before mem9 refused a store: a status or words that are not mem9's."""
    if answer.status in _NEVER_MEM9S:
        return True
    if refusal.error_type not in (ErrorType.REJECTED, ErrorType.TOO_LARGE, ErrorType.AUTH):
        return False
    body = parse(ErrorBody, answer.body)
    text = _error_text(body, answer.body)
    if text_meaning(answer.status, text) is not None:
        return False
    if refusal.error_type is ErrorType.AUTH:
        return answer.status == 403  # a 401 is about who asks, whoever says it
    return body is None or not body.error


def _is_no_answer(answer: Response) -> bool:
    return answer.overflowed or answer.body.removeprefix(BOM_UTF8).lstrip().startswith(b"<")


def _of_denial(
    answer: Response, body: ErrorBody, asked: Meter, retry_after_max_s: float, duration_s: float
) -> Outcome:
    denial, rate_limited = read_denial(
        body, status=answer.status, asked=asked, retry_after=answer.retry_after
    )
    denial = _shown(denial, answer.key)
    wait_s: float | None = denial.retry_after_s
    if wait_s is None and rate_limited:
        wait_s = window_s(body) or _POST_QUOTA_WAIT_S
    return Outcome(
        error_type=ErrorType.RATE_LIMITED if rate_limited else ErrorType.QUOTA_EXHAUSTED,
        http_status=answer.status,
        error=denial.message,
        error_code=denial.code,
        detail=printable(answer.body, hide=answer.key),
        retry_after_s=None if wait_s is None else min(max(0.0, wait_s), retry_after_max_s),
        denial=denial,
        duration_s=duration_s,
    )


def _shown(denial: QuotaDenial, key: str) -> QuotaDenial:
    """Take *key* out of what mem9 said; the link stays exactly as sent."""
    action = denial.action
    link = action.url if action else None
    if action is not None:
        action = action.model_copy(
            update={
                name: without_key(text, key)
                for name in ("type", "provider_action_code", "severity")
                if (text := getattr(action, name))
            }
        )
    return denial.model_copy(
        update={
            "message": without_key(denial.message, key, keep=link),
            "meter": denial.meter and without_key(denial.meter, key),
            "action": action,
        }
    )


def _error_text(body: ErrorBody | None, raw: bytes) -> str:
    """mem9's own words and code: of its JSON, else the start of a body that is none."""
    if body is not None:
        return " ".join(part for part in (body.error or body.message, body.code) if part)
    return raw[:DETAIL_MAX].decode("utf-8", "ignore")


def _maybe_sent(meaning: Meaning | None, status: Status) -> bool:
    if meaning is None or meaning.maybe_sent is None:
        return status.maybe_sent
    return meaning.maybe_sent


def _not_found_code(answer: Response, body: ErrorBody | None) -> str | None:
    """Tell a missing memory, said in mem9's JSON, from a route that is not there."""
    if answer.status != 404:
        return None
    return "not_found" if body is not None and body.error else "route_not_found"


def _header_wait_s(values: Sequence[str], longest_s: float) -> float | None:
    if not values:
        return None
    return retry_after_s(values, longest_s=longest_s, now=datetime.now(UTC))
