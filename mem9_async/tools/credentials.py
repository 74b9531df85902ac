"""Credentials, checked when they are saved: what is wrong, and what to do about it."""

from collections.abc import Callable, Mapping

from mem9_async.models import key_check
from mem9_async.models.errors import Mem9AsyncError, RequestFailed
from mem9_async.models.outcome import ErrorType
from mem9_async.tools import caller, invocation
from mem9_async.tools.answers import failures
from mem9_async.tools.backend import Backend
from mem9_async.tools.call import Call

_WHAT_TO_DO = {
    "unauthorized": "Check mem9_api_key, and that mem9_base_url is the server this key is from.",
    "invalid_request": "Check mem9_base_url: no mem9 answers there in the expected way.",
    "route_not_found": "Check mem9_base_url: no mem9 answers there, or not under this path.",
    "rate_limited": "The key may well be good: save again in a moment.",
    "timeout": "mem9 did not answer in time: check mem9_base_url, or save again.",
    "unavailable": "Check mem9_base_url, and that the server runs; then save again.",
}


def problem(credentials: Mapping[str, object], backend: Callable[[], Backend]) -> str | None:
    """Return why *credentials* cannot be used, in words for people; None when they can.

    Single space: makes one authenticated request. Multi space: checks the address's form,
    because keys come with the nodes.
    """
    call = Call(parameters={}, credentials=credentials)
    try:
        space, agent_id = caller.check_form(call)
        if space is not None:
            backend().validate(space, agent_id)
    except RequestFailed as error:
        denial = error.outcome.denial
        link = denial.action.url if denial and denial.action else None
        return invocation.without_keys(_told(error), call, link=link)
    except Mem9AsyncError as error:
        return error.message
    return None


def _told(error: RequestFailed) -> str:
    outcome = error.outcome
    failure = failures.of_outcome(outcome)
    if outcome.denial is not None:
        told = (
            f"mem9 knows this key but denies its use for now (HTTP {outcome.http_status}): "
            f"{failure.error} {failure.user_message}"
        )
        link = failure.action_url
        return told if link is None or link in told else f"{told} {link}"
    what = f"mem9 answered HTTP {outcome.http_status}" if outcome.http_status else failure.error
    if outcome.sentence:
        what = f"{what}: {outcome.sentence[:200]}"
    if outcome.error_code in key_check.CODES and outcome.error:
        return f"{outcome.error} ({what})"
    if outcome.error_type is ErrorType.AUTH:
        what = f"mem9 refused this key ({what})"
    reason = failure.retry.reason if failure.retry else "unavailable"
    to_do = _WHAT_TO_DO.get(failure.code or "") or _WHAT_TO_DO.get(reason, "")
    return f"{(what or failures.REQUEST_FAILED).rstrip('. ')}. {to_do}".strip()
