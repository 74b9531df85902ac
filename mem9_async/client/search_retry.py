"""Whether, and when, a failed search is worth another try within its deadline. Pure."""

from mem9_async.models.outcome import MEMORY_LIST_BUDGET, RECALL_DEADLINE, ErrorType, Outcome

MORE_TRIES = 2
_FIRST_S = 0.1
_FACTOR = 4
_LIMITER_S = (0.5, 2.0)  # mem9's limiter names no wait, and refills within a second
_ROOM_S = 0.05  # less than this left after the pause, and the try could only time out

# Nothing was counted, or nothing came of it. A timeout is not here: its time is spent.
_MAY_PASS = frozenset(
    {
        ErrorType.DNS_ERROR,
        ErrorType.CONNECTION_REFUSED,
        ErrorType.CONNECT_TIMEOUT,
        ErrorType.POOL_TIMEOUT,
        ErrorType.CONNECTION_RESET,
        ErrorType.UNAVAILABLE,
        ErrorType.GATEWAY_TIMEOUT,
        ErrorType.RATE_LIMITED,
    }
)
_NEEDS_A_PERSON = frozenset(
    {"invalid_url", "proxy_auth_required", "chain_auth_unavailable", MEMORY_LIST_BUDGET}
)


def pause_s(outcome: Outcome, *, tries: int, left_s: float, jitter: float) -> float | None:
    """Seconds to wait before the next try; None when there should be none.

    *tries* were made, *left_s* seconds remain of the deadline, *jitter* (0-1) spreads the
    pause. A Retry-After is the least that is waited; one that does not fit ends it.
    """
    most = 1 if is_too_slow(outcome) else MORE_TRIES
    if tries > most or not _may_pass(outcome):
        return None
    pause = _FIRST_S * _FACTOR ** (tries - 1) * jitter
    if outcome.error_type is ErrorType.RATE_LIMITED and outcome.retry_after_s is None:
        pause = _LIMITER_S[0] + (_LIMITER_S[1] - _LIMITER_S[0]) * jitter
    if outcome.retry_after_s is not None:
        pause += outcome.retry_after_s
    return pause if pause + _ROOM_S < left_s else None


def is_too_slow(outcome: Outcome) -> bool:
    """Whether mem9 could not gather as much in its time: fewer rows may do."""
    return outcome.error_code == RECALL_DEADLINE


def _may_pass(outcome: Outcome) -> bool:
    # A denial for quota is told at once: the user has to know, and waiting costs the same again.
    if outcome.denial is not None or outcome.error_code in _NEEDS_A_PERSON:
        return False
    return outcome.error_type in _MAY_PASS
