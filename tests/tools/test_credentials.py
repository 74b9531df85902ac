"""Credentials, checked when somebody saves them."""

import re

import pytest

from mem9_async.models.errors import RequestFailed
from mem9_async.models.outcome import Action, ErrorType, Outcome, QuotaDenial
from mem9_async.tools import credentials as validation

from .fakes import CREDENTIALS, KEY, FakeBackend

URL = "https://console.mem9.example/claim?key=example"


def problem(error: Outcome | None = None, **credentials: object) -> str | None:
    """Return what somebody who saves *credentials* is told."""
    backend = FakeBackend()
    backend.error = RequestFailed(error) if error else None
    return validation.problem({**CREDENTIALS, **credentials}, lambda: backend)


def test_a_key_that_mem9_takes_is_accepted_after_one_request() -> None:
    """Single space."""
    backend = FakeBackend()

    assert validation.problem(CREDENTIALS, lambda: backend) is None
    assert [space.key for space, _ in backend.validated] == [KEY]


def test_multi_space_is_accepted_without_a_request() -> None:
    """Its keys come with the nodes."""
    backend = FakeBackend()

    told = validation.problem(
        {**CREDENTIALS, "auth_mode": "multi_space", "mem9_api_key": ""}, lambda: backend
    )

    assert told is None
    assert backend.validated == []


@pytest.mark.parametrize(
    ("credentials", "names"),
    [
        ({"mem9_api_key": ""}, "multi_space"),
        ({"auth_mode": "multi_space", "mem9_base_url": "mem9.example"}, "mem9_base_url"),
        ({"mem9_agent_id": "a" * 101}, "mem9_agent_id"),
        ({"isolation": "per_team"}, "isolation"),
    ],
)
def test_what_can_be_seen_without_a_request_is_refused_without_one(
    credentials: dict[str, object], names: str
) -> None:
    """The text names the field or the way out, and links nowhere."""
    told = problem(Outcome(error_type=ErrorType.BUG), **credentials)

    assert told is not None
    assert names in told
    assert re.findall(r"https?://\S+", told) == []


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (
            Outcome(error_type=ErrorType.AUTH, http_status=400, detail='{"error":"invalid"}'),
            ("refused this key", "HTTP 400", "mem9_api_key"),
        ),
        (
            Outcome(error_type=ErrorType.NOT_FOUND, http_status=404, detail="404 page not found"),
            ("HTTP 404", "mem9_base_url"),
        ),
        (Outcome(error_type=ErrorType.SERVER_ERROR, http_status=500), ("HTTP 500", "save again")),
        (
            Outcome(error_type=ErrorType.CONNECTION_REFUSED, error="Nothing listens there"),
            ("Nothing listens there", "mem9_base_url"),
        ),
        (Outcome(error_type=ErrorType.RATE_LIMITED, http_status=429), ("HTTP 429", "moment")),
        (
            Outcome(error_type=ErrorType.AUTH, http_status=403, detail='{"error":"not here"}'),
            ("HTTP 403: not here)", "mem9_api_key"),
        ),
        (
            Outcome(error_type=ErrorType.AUTH, http_status=403, detail="<html>no</html>"),
            ("HTTP 403: <html>no</html>)", "mem9_api_key"),
        ),
    ],
)
def test_a_failed_request_says_the_status_and_what_to_do(
    outcome: Outcome, says: tuple[str, ...]
) -> None:
    """The person at the form has nothing else to go by."""
    told = problem(outcome)

    assert told is not None
    assert all(part in told for part in says)


def test_a_denial_says_so_and_carries_its_link_once() -> None:
    """The key is right; the account needs something."""
    denial = QuotaDenial(
        message="Exhausted.",
        user_message=f"Claim the key: {URL}",
        action=Action(type="openUrl", url=URL),
    )

    told = problem(Outcome(error_type=ErrorType.QUOTA_EXHAUSTED, http_status=402, denial=denial))

    assert told is not None
    assert re.findall(r"https?://\S+", told) == [URL]
    assert "denies" in told


def test_a_key_that_a_server_sends_back_is_not_shown() -> None:
    """The text ends up on a screen."""
    told = problem(Outcome(error_type=ErrorType.AUTH, http_status=400, detail=f"bad {KEY}"))

    assert told is not None
    assert KEY not in told
