"""Trying a search again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.client.search_retry import MORE_TRIES, pause_s
from mem9_async.models.outcome import ErrorType, Outcome, QuotaDenial

E = ErrorType
AGAIN = {E.DNS_ERROR, E.CONNECTION_REFUSED, E.CONNECT_TIMEOUT, E.POOL_TIMEOUT}
AGAIN |= {E.CONNECTION_RESET, E.UNAVAILABLE, E.GATEWAY_TIMEOUT, E.RATE_LIMITED}


@pytest.mark.parametrize("error_type", list(ErrorType))
def test_only_what_may_pass_is_tried_again(error_type: ErrorType) -> None:
    """Connection trouble and gateways; no timeout, no refusal, no server error."""
    pause = pause_s(Outcome(error_type=error_type), tries=1, left_s=10.0, jitter=1.0)

    assert (pause is not None) == (error_type in AGAIN)


@pytest.mark.parametrize(
    ("retry_after_s", "left_s", "pause"),
    [
        (None, 30.0, 2.0),
        (None, 2.0, None),
        (2.0, 30.0, 2.1),
        (29.0, 30.0, 29.1),
        (30.0, 30.0, None),
        (0.0, 30.0, 0.1),
    ],
)
def test_a_rate_limit_is_waited_out_where_the_hint_fits(
    retry_after_s: float | None, left_s: float, pause: float | None
) -> None:
    """Without a hint, as long as mem9's limiter needs to refill."""
    outcome = Outcome(error_type=E.RATE_LIMITED, retry_after_s=retry_after_s)

    told = pause_s(outcome, tries=1, left_s=left_s, jitter=1.0)

    assert told == (None if pause is None else pytest.approx(pause))


def test_a_denial_is_not_waited_out() -> None:
    """The user has to know at once."""
    denial = QuotaDenial(message="no", user_message="no", retry_after_s=1)
    outcome = Outcome(error_type=E.RATE_LIMITED, retry_after_s=1.0, denial=denial)

    assert pause_s(outcome, tries=1, left_s=10.0, jitter=1.0) is None


@pytest.mark.parametrize("code", ["invalid_url", "proxy_auth_required", "chain_auth_unavailable"])
def test_what_a_person_must_mend_is_not_tried_again(code: str) -> None:
    """It fails the same way in a moment."""
    outcome = Outcome(error_type=E.UNAVAILABLE, error_code=code)

    assert pause_s(outcome, tries=1, left_s=10.0, jitter=1.0) is None


def test_there_is_an_end_to_it() -> None:
    """Two more tries."""
    outcome = Outcome(error_type=E.UNAVAILABLE)
    pauses = [pause_s(outcome, tries=tries, left_s=10.0, jitter=1.0) for tries in (1, 2, 3, 4)]

    assert [pause is not None for pause in pauses] == [True] * MORE_TRIES + [False] * 2


@given(st.integers(1, 5), st.floats(0, 60), st.floats(0, 1), st.none() | st.floats(0, 60))
def test_no_pause_outlasts_the_deadline(
    tries: int, left_s: float, jitter: float, hint_s: float | None
) -> None:
    """And none is shorter than the hint."""
    outcome = Outcome(error_type=E.UNAVAILABLE, retry_after_s=hint_s)

    pause = pause_s(outcome, tries=tries, left_s=left_s, jitter=jitter)

    assert pause is None or (hint_s or 0.0) <= pause < left_s
