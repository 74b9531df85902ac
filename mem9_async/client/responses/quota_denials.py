"""mem9's structured quota denials: recognised, read, and put into words for the user."""

from collections.abc import Iterable

from mem9_async.client.wire import ActionBody, DetailsBody, ErrorBody, QuotaBody
from mem9_async.models.outcome import Action, Meter, QuotaDenial

DENIED = "runtime_quota_denied"
STATUSES = frozenset({402, 429})

_LEGACY_CODES = frozenset(
    {
        "quota_exhausted",
        "post_quota_rate_limited",
        "spending_limit_exceeded",
        "runtime_access_blocked",
        DENIED,
    }
)
_RATE_LIMITED_CODE = "post_quota_rate_limited"
_RATE_LIMITED_REASON = "postQuotaRateLimitExceeded"
_OPEN_URL = "openUrl"

_VERBS = {Meter.WRITE: "Saving new memories", Meter.RECALL: "Memory recall"}
_REASONS = {
    "claimApiKey": "the free quota of this unclaimed mem9 key is used up",
    "upgradePlan": "the quota of the current mem9 plan is used up",
    "increaseSpendingLimit": "the spending limit of the mem9 account has been reached",
    "enableOnDemand": "the included mem9 quota is used up and on-demand usage is off",
    "resolveAccountState": "the mem9 account needs attention",
}
_REMEDIES = {
    "claimApiKey": "Claiming the key lifts the limit:",
    "upgradePlan": "A larger plan lifts the limit:",
    "increaseSpendingLimit": "A higher spending limit lets it go on:",
    "enableOnDemand": "Turning on on-demand usage lets it go on:",
    "resolveAccountState": "The account's state can be settled here:",
}


def is_denied(body: ErrorBody) -> bool:
    """True when *body* is a quota denial, in the public form or an older one."""
    return _is_public(body) or _is_legacy(body)


def read_denial(
    body: ErrorBody, *, status: int, asked: Meter, retry_after: Iterable[str]
) -> tuple[QuotaDenial, bool]:
    """Read a denial (`is_denied`); the flag says that waiting helps, so it is a rate limit.

    *asked* is the meter of the request, for a body that names none; *retry_after* are the
    header's values, used only where the body gives no time.
    """
    sources = _sources(body)
    rate_limited = _is_rate_limited(body, status, sources)
    meter = _first(source.meter for source in sources)
    wait_s = _wait_s(sources, retry_after)
    action = public_action(sources[0].action) if _is_public(body) else _legacy_action(sources)
    denial = QuotaDenial(
        message=_message(body),
        user_message=_user_message(
            _meter(meter, asked), action, rate_limited=rate_limited, wait_s=wait_s
        ),
        meter=meter,
        retry_after_s=wait_s,
        action=action,
    )
    return denial, rate_limited


def window_s(body: ErrorBody) -> int | None:
    """The length of the rate limit's window, in seconds, where the body tells it."""
    for source in _sources(body):
        if source.gate and source.gate.rate_limit and source.gate.rate_limit.window_s:
            return source.gate.rate_limit.window_s
    return None


def public_action(action: ActionBody | None) -> Action | None:
    """Take over a recommended action of the public form: only a link to open is one."""
    if action is None or action.type != _OPEN_URL:
        return None
    return Action(
        type=action.type,
        provider_action_code=action.provider_action_code,
        url=_link(action.url),
        severity=action.severity,
    )


def linked(sentence: str, action: Action | None) -> str:
    """Put the action's link, exactly as sent, behind *sentence*."""
    if action is None or action.url is None:
        return sentence
    remedy = _REMEDIES.get(action.provider_action_code or "", "What to do about it:")
    return f"{sentence} {remedy} {action.url}"


def _is_public(body: ErrorBody) -> bool:
    return body.details is not None and body.details.category == DENIED


def _is_legacy(body: ErrorBody) -> bool:
    details = body.details or DetailsBody()
    marks = (details.mem9_code_camel, details.mem9_code, body.mem9_code)
    return DENIED in marks or body.code in _LEGACY_CODES


def _sources(body: ErrorBody) -> tuple[QuotaBody, ...]:
    """Where the quota fields may stand, most trusted first; never empty.

    The public form keeps them in one place. What stands elsewhere there is not part of it.
    """
    quota = body.details.quota if body.details else None
    if _is_public(body):
        return (quota or QuotaBody(),)
    return tuple(source for source in (quota, body.details, body) if source is not None)


def _is_rate_limited(body: ErrorBody, status: int, sources: tuple[QuotaBody, ...]) -> bool:
    reasons = (source.gate.reason for source in sources if source.gate)
    return status == 429 or body.code == _RATE_LIMITED_CODE or _RATE_LIMITED_REASON in reasons


def _message(body: ErrorBody) -> str:
    texts = (body.error, body.message) if _is_public(body) else (body.message, body.error)
    return _first(text.strip() for text in texts if text) or "mem9 denied the request for quota."


def _wait_s(sources: tuple[QuotaBody, ...], retry_after: Iterable[str]) -> int | None:
    told = [source.retry_after_s for source in sources]
    told += [
        source.gate.rate_limit.retry_after_s
        for source in sources
        if source.gate and source.gate.rate_limit
    ]
    told += [int(value) for value in map(str.strip, retry_after) if _is_seconds(value)]
    return next((seconds for seconds in told if seconds is not None and seconds > 0), None)


def _is_seconds(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 18  # beyond that it is no time


def _legacy_action(sources: tuple[QuotaBody, ...]) -> Action | None:
    """Older servers put the code into `type`, or code and link into two fields of their own."""
    action = _first(source.action for source in sources) or ActionBody()
    code = action.provider_action_code or _first(source.upgrade_action for source in sources)
    if code is None and action.type in _REASONS:
        code = action.type
    url = _link(action.url) or _link(_first(source.upgrade_url for source in sources))
    if action.type is None and code is None and url is None:
        return None
    return Action(type=action.type, provider_action_code=code, url=url, severity=action.severity)


def _link(url: str | None) -> str | None:
    """*url* as sent, where a person can open it."""
    return url if url and url.lower().startswith(("https://", "http://")) else None


def _meter(name: str | None, asked: Meter) -> Meter:
    try:
        return Meter(name) if name else asked
    except ValueError:
        return asked


def _user_message(
    meter: Meter, action: Action | None, *, rate_limited: bool, wait_s: int | None
) -> str:
    verb = _VERBS[meter]
    if rate_limited:
        when = f"in {wait_s} seconds" if wait_s else "in a little while"
        sentence = (
            f"Tell the user: {verb[0].lower()}{verb[1:]} is slowed down, because the mem9 quota "
            f"is used up and only a few requests a minute are let through. "
            f"It can be tried again {when}."
        )
    else:
        code = action.provider_action_code if action else None
        reason = _REASONS.get(code or "", "the mem9 account's quota does not allow it")
        sentence = f"Tell the user: {verb[0].lower()}{verb[1:]} is paused, because {reason}."
    return linked(sentence, action)


def _first[T](values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value), None)
