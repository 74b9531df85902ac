"""Every error a tool can meet, as the part of an answer that tells it. Nothing here is secret."""

from mem9_async.models import key_check
from mem9_async.models.errors import (
    CredentialsMissing,
    Mem9AsyncError,
    NotOffered,
    QueueFull,
    RequestFailed,
    RuntimeUnavailable,
)
from mem9_async.models.outcome import (
    MEMORY_LIST_BUDGET,
    RECALL_DEADLINE,
    ErrorType,
    Outcome,
    QuotaDenial,
)
from mem9_async.tools.answers.base import Failure, Quota, QuotaAction, Reason, Retry

REQUEST_FAILED = "mem9 request failed"
_DENIED_WAIT_S = 60.0  # mem9's post-quota window, where it names no wait
_LIMITER_WAIT_S = 1.0  # mem9's limiter refills within a second, and names no wait
_NO_ROUTE = "route_not_found"
_TOO_LARGE = "answer_too_large"
#: Codes of mem9's whose words say less than what can be done about them.
_SENTENCES = {
    MEMORY_LIST_BUDGET: "mem9 has more memories than it gathers for one search of all kinds: "
    "choose a memory_type, or narrow the search with tags or a session.",
    RECALL_DEADLINE: "mem9 could not finish the search in its own time: search with a shorter "
    "phrase, or for one memory_type.",
}
_ADDRESS_TOO_LONG = (414, 431)

#: error_type -> what a caller can make of it, and whether the same call may succeed later.
_ADVICE: dict[ErrorType, tuple[Reason, bool]] = {
    ErrorType.DNS_ERROR: ("unavailable", True),
    ErrorType.CONNECTION_REFUSED: ("unavailable", True),
    ErrorType.CONNECT_TIMEOUT: ("timeout", True),
    ErrorType.TLS_ERROR: ("unavailable", False),
    ErrorType.POOL_TIMEOUT: ("timeout", True),
    ErrorType.CONNECTION_RESET: ("unavailable", True),
    ErrorType.READ_TIMEOUT: ("timeout", True),
    ErrorType.PROTOCOL_ERROR: ("unavailable", True),
    ErrorType.INVALID_RESPONSE: ("unavailable", True),
    ErrorType.REDIRECT: ("invalid_request", False),
    ErrorType.AUTH: ("unauthorized", False),
    ErrorType.REJECTED: ("invalid_request", False),
    ErrorType.BLOCKED: ("invalid_request", False),
    ErrorType.QUOTA_EXHAUSTED: ("quota_denied", False),
    ErrorType.NOT_FOUND: ("invalid_request", False),
    ErrorType.REQUEST_TIMEOUT: ("timeout", True),
    ErrorType.CONFLICT: ("unavailable", False),
    ErrorType.TOO_LARGE: ("invalid_request", False),
    ErrorType.RATE_LIMITED: ("rate_limited", True),
    ErrorType.SERVER_ERROR: ("unavailable", True),
    ErrorType.UNAVAILABLE: ("unavailable", True),
    ErrorType.GATEWAY_TIMEOUT: ("timeout", True),
    ErrorType.PAYLOAD_MISMATCH: ("unavailable", False),
    ErrorType.DEADLINE_EXCEEDED: ("timeout", False),
    ErrorType.WORKER_CRASH: ("unavailable", False),
    ErrorType.NOT_REMEMBERED: ("unavailable", False),
    ErrorType.PAUSED: ("unavailable", False),
    ErrorType.KEY_MISSING: ("unauthorized", False),
    ErrorType.NOT_OFFERED: ("invalid_request", False),
    ErrorType.NOT_PROVEN: ("unavailable", True),
    ErrorType.BUG: ("unavailable", False),
}


def of(error: Mem9AsyncError) -> Failure:
    """Return what *error* means to the caller."""
    match error:
        case RequestFailed():
            return of_outcome(error.outcome)
        case QueueFull():
            retry = Retry(reason="unavailable", retryable=True, after_s=error.after_s)
        case NotOffered(known=False):
            retry = Retry(reason="unavailable", retryable=True)
        case RuntimeUnavailable():
            retry = Retry(reason="unavailable", retryable=True)
        case CredentialsMissing():
            retry = Retry(reason="unauthorized", retryable=False)
        case _:
            retry = Retry(reason="invalid_request", retryable=False)
    return Failure(error=error.message, code=error.code, retry=retry)


def of_outcome(outcome: Outcome) -> Failure:
    """Return what a request that mem9 did not carry out means to the caller."""
    if outcome.denial is not None:
        return _denied(outcome, outcome.denial)
    error_type = outcome.error_type or ErrorType.SERVER_ERROR
    reason, retryable = _ADVICE[error_type]
    code = str(error_type)
    if outcome.error_code == _NO_ROUTE:
        # Whoever said this 404 did not speak of a memory.
        code, reason = _NO_ROUTE, "unavailable"
    elif outcome.error_code == _TOO_LARGE:
        code, reason, retryable = _TOO_LARGE, "invalid_request", False
    elif outcome.http_status in _ADDRESS_TOO_LONG:
        return Failure(
            error="The server takes no address this long: search with a shorter phrase, or with "
            "fewer filters.",
            code="query_too_long",
            status_code=outcome.http_status,
            detail=outcome.detail,
            retry=Retry(reason="invalid_request", retryable=False),
        )
    if (sentence := _SENTENCES.get(outcome.error_code or "")) is not None:
        return Failure(
            error=sentence,
            code=outcome.error_code,
            status_code=outcome.http_status,
            detail=outcome.detail,
            retry=Retry(reason=reason, retryable=retryable),
        )
    answered = outcome.http_status is not None and error_type is not ErrorType.INVALID_RESPONSE
    told = outcome.error_code in key_check.CODES
    return Failure(
        error=outcome.error or REQUEST_FAILED if told or not answered else REQUEST_FAILED,
        code=code,
        status_code=outcome.http_status,
        detail=outcome.detail,
        retry=Retry(reason=reason, retryable=retryable, after_s=_after_s(outcome)),
    )


def _after_s(outcome: Outcome) -> float | None:
    if outcome.retry_after_s is None and outcome.error_type is ErrorType.RATE_LIMITED:
        return _LIMITER_WAIT_S
    return outcome.retry_after_s


def unexpected() -> Failure:
    """Return what the caller is told of a fault of our own, whose text might hold anything."""
    return Failure(
        error="The plugin met an unexpected error; its log has the details.",
        code="internal_error",
        retry=Retry(reason="unavailable", retryable=False),
    )


def _denied(outcome: Outcome, denial: QuotaDenial) -> Failure:
    action = denial.action
    after_s = denial.retry_after_s if denial.retry_after_s is not None else outcome.retry_after_s
    # The lane behind the quota opens again by itself, under 402 as under 429; the rest asks a
    # person to change the account (docs/reference/mem9-api.md, 6).
    passes = outcome.error_type is ErrorType.RATE_LIMITED
    if passes and after_s is None:
        after_s = _DENIED_WAIT_S
    return Failure(
        error=denial.message,
        code=denial.code,
        status_code=outcome.http_status,
        user_message=denial.user_message,
        quota=Quota(
            code=denial.code,
            message=denial.message,
            user_message=denial.user_message,
            meter=denial.meter,
            retry_after_s=denial.retry_after_s,
            action=None
            if action is None
            else QuotaAction(
                type=action.type,
                provider_action_code=action.provider_action_code,
                url=action.url,
                severity=action.severity,
            ),
        ),
        action_url=action.url if action else None,
        retry=Retry(reason="quota_denied", retryable=passes, after_s=after_s),
    )
