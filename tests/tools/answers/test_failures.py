"""Every error as the part of an answer that tells it."""

import pytest

from mem9_async.models.errors import (
    CredentialsMissing,
    InvalidRequest,
    Mem9AsyncError,
    NotFound,
    QueueFull,
    RequestFailed,
    RuntimeUnavailable,
    VersionConflict,
)
from mem9_async.models.outcome import Action, ErrorType, Outcome, QuotaDenial
from mem9_async.tools.answers import failures

URL = "https://console.mem9.example/claim?key=example"


@pytest.mark.parametrize("error_type", list(ErrorType))
def test_every_error_type_has_advice(error_type: ErrorType) -> None:
    """A new one without advice would crash the answer that tells it."""
    failure = failures.of_outcome(Outcome(error_type=error_type, error="e"))

    assert failure.code == error_type
    assert failure.retry is not None


@pytest.mark.parametrize(
    ("error", "reason", "retryable"),
    [
        (InvalidRequest("e"), "invalid_request", False),
        (CredentialsMissing("e"), "unauthorized", False),
        (RuntimeUnavailable("e"), "unavailable", True),
        (NotFound("e"), "invalid_request", False),
        (VersionConflict("e", actual=4), "invalid_request", False),
        (QueueFull("e", depth=1, capacity=1, oldest_age_s=1, after_s=2), "unavailable", True),
    ],
)
def test_our_own_errors_say_whether_to_try_again(
    error: Mem9AsyncError, reason: str, retryable: bool
) -> None:
    """A refusal stays a refusal; a lack of room or of an answer may pass."""
    failure = failures.of(error)

    assert failure.code == error.code
    assert failure.retry is not None
    assert (failure.retry.reason, failure.retry.retryable) == (reason, retryable)


def test_an_answered_failure_has_the_form_of_the_original() -> None:
    """Status and body, under one constant sentence."""
    failure = failures.of(
        RequestFailed(
            Outcome(
                error_type=ErrorType.SERVER_ERROR, http_status=500, error="other", detail='{"e":1}'
            )
        )
    )

    assert failure.error == "mem9 request failed"
    assert (failure.status_code, failure.detail) == (500, '{"e":1}')


def test_a_failure_without_an_answer_says_what_happened() -> None:
    """There is no status to show."""
    failure = failures.of_outcome(
        Outcome(error_type=ErrorType.CONNECTION_REFUSED, error="Nothing listens at mem9's address.")
    )

    assert failure.error == "Nothing listens at mem9's address."
    assert failure.status_code is None


def test_an_unreadable_answer_says_so_whatever_its_status() -> None:
    """A 200 that is a login page is no failed request."""
    failure = failures.of_outcome(
        Outcome(error_type=ErrorType.INVALID_RESPONSE, http_status=200, error="Not mem9's form.")
    )

    assert failure.error == "Not mem9's form."


def test_a_wrong_address_is_not_a_missing_memory() -> None:
    """Models are told that `not_found` means gone: that must be mem9's own word."""
    lost = Outcome(error_type=ErrorType.NOT_FOUND, http_status=404, error_code="not_found")
    elsewhere = lost.model_copy(update={"error_code": "route_not_found"})

    failure = failures.of_outcome(elsewhere)

    assert failures.of_outcome(lost).code == "not_found"
    assert failure.code == "route_not_found"
    assert failure.retry is not None
    assert (failure.retry.reason, failure.retry.retryable) == ("unavailable", False)


@pytest.mark.parametrize(
    ("error_type", "code", "reason", "retryable", "said"),
    [
        (
            ErrorType.REJECTED,
            "memory_list_budget_exceeded",
            "invalid_request",
            False,
            "memory_type",
        ),
        (ErrorType.GATEWAY_TIMEOUT, "recall_deadline_exceeded", "timeout", True, "shorter"),
    ],
)
def test_a_search_that_asks_too_much_says_how_to_ask_less(
    error_type: ErrorType, code: str, reason: str, retryable: bool, said: str
) -> None:
    """mem9's own words name a budget, and no way out."""
    failure = failures.of_outcome(Outcome(error_type=error_type, error_code=code, http_status=422))

    assert failure.code == code
    assert said in (failure.error or "")
    assert failure.retry is not None
    assert (failure.retry.reason, failure.retry.retryable) == (reason, retryable)


@pytest.mark.parametrize("status", [414, 431])
def test_an_address_that_is_too_long_for_a_gateway_is_told_as_that(status: int) -> None:
    """Its own page says nothing to a model."""
    outcome = Outcome(error_type=ErrorType.TOO_LARGE, http_status=status, detail="<html>")

    failure = failures.of_outcome(outcome)

    assert failure.code == "query_too_long"
    assert "shorter" in str(failure.error)
    assert failure.retry is not None
    assert (failure.retry.reason, failure.retry.retryable) == ("invalid_request", False)


def _denied(status: int, *, passes: bool = False, **parts: object) -> Outcome:
    error_type = ErrorType.RATE_LIMITED if passes else ErrorType.QUOTA_EXHAUSTED
    denial = QuotaDenial.model_validate({"message": "Denied.", "user_message": "Say so.", **parts})
    return Outcome(error_type=error_type, http_status=status, denial=denial)


def test_a_denial_carries_the_whole_quota_in_the_names_of_the_original() -> None:
    """CamelCase inside, and the link exactly as sent."""
    action = Action(type="openUrl", provider_action_code="claimApiKey", url=URL)
    failure = failures.of_outcome(
        _denied(402, meter="memory_write_requests", retry_after_s=7, action=action)
    )

    dumped = failure.model_dump(exclude_none=True, by_alias=True)
    assert dumped["quota"] == {
        "code": "runtime_quota_denied",
        "message": "Denied.",
        "user_message": "Say so.",
        "meter": "memory_write_requests",
        "retryAfterSeconds": 7,
        "recommendedAction": {"type": "openUrl", "providerActionCode": "claimApiKey", "url": URL},
    }
    assert dumped["action_url"] == URL
    assert dumped["code"] == "runtime_quota_denied"


def test_a_minimal_denial_has_no_empty_parts() -> None:
    """What mem9 did not say is absent."""
    dumped = failures.of_outcome(_denied(402)).model_dump(exclude_none=True, by_alias=True)

    assert set(dumped["quota"]) == {"code", "message", "user_message"}
    assert "action_url" not in dumped


@pytest.mark.parametrize(
    ("status", "passes", "retry_after_s", "after_s"),
    [
        (402, False, None, None),
        (402, True, 23, 23),
        (429, True, 7, 7),
        (429, True, None, 60),
    ],
)
def test_only_a_rate_limit_passes_by_itself(
    status: int, passes: bool, retry_after_s: int | None, after_s: float | None
) -> None:
    """Whatever its status; else a person has to change the account."""
    denied = _denied(status, passes=passes, retry_after_s=retry_after_s)
    retry = failures.of_outcome(denied).retry

    assert retry is not None
    assert (retry.reason, retry.retryable, retry.after_s) == ("quota_denied", passes, after_s)
