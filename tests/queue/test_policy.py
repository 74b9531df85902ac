"""The outcome table, row by row: what each answer of mem9 does to a batch, and for how long."""

import math
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.queue.policy import RULES, Decision, Health, Move, Policy, Situation, Waits
from tests.queue.builders import HOUR_S, WAITS, failure

MINUTE_S = 60.0
_PAUSE = (0.5, 5.0)  # seconds: mem9's limiter refills within about one


@dataclass(frozen=True)
class Row:
    """One row of docs/reference/reliability.md, 2, with docs/reference/mem9-api.md, 7.

    `many` and `one` are the moves for a batch of several jobs and of a single one; `wait_s` are
    the shortest and the longest wait of a first attempt.
    """

    error_type: ErrorType
    many: Move
    one: Move
    health: Health
    wait_s: tuple[float, float]
    status: int | None = None


_BACKOFF = (0.0, WAITS.initial_backoff_s)
_AT_ONCE = (0.0, 0.0)
_FIXED_HOUR = (HOUR_S, HOUR_S)
_FIXED_AUTH = (WAITS.park_auth_initial_s, WAITS.park_auth_initial_s)
_FIXED_QUOTA = (WAITS.park_quota_initial_s, WAITS.park_quota_initial_s)
_FIXED_SLOW = (300.0, 300.0)

TABLE = [
    # nothing was sent: the endpoint cannot be reached
    Row(ErrorType.DNS_ERROR, Move.RETRY, Move.RETRY, Health.UNREACHABLE, _BACKOFF),
    Row(ErrorType.CONNECTION_REFUSED, Move.RETRY, Move.RETRY, Health.UNREACHABLE, _BACKOFF),
    Row(ErrorType.CONNECT_TIMEOUT, Move.RETRY, Move.RETRY, Health.UNREACHABLE, _BACKOFF),
    Row(ErrorType.TLS_ERROR, Move.RETRY, Move.RETRY, Health.UNREACHABLE, _BACKOFF),
    Row(ErrorType.POOL_TIMEOUT, Move.RETRY, Move.RETRY, Health.FAILED, _BACKOFF),
    # it may have arrived
    Row(ErrorType.CONNECTION_RESET, Move.RETRY, Move.RETRY, Health.FAILED, _BACKOFF),
    Row(ErrorType.READ_TIMEOUT, Move.RETRY, Move.RETRY, Health.FAILED, _BACKOFF),
    Row(ErrorType.PROTOCOL_ERROR, Move.RETRY, Move.RETRY, Health.FAILED, _BACKOFF),
    # answers
    Row(ErrorType.INVALID_RESPONSE, Move.RETRY, Move.RETRY, Health.ALIVE, _BACKOFF, 200),
    Row(ErrorType.REDIRECT, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_HOUR, 302),
    Row(ErrorType.AUTH, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_AUTH, 400),
    Row(ErrorType.AUTH, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_AUTH, 401),
    Row(ErrorType.REJECTED, Move.SPLIT, Move.BURY, Health.ALIVE, _AT_ONCE, 400),
    Row(ErrorType.QUOTA_EXHAUSTED, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_QUOTA, 402),
    Row(ErrorType.QUOTA_EXHAUSTED, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_QUOTA, 429),
    Row(ErrorType.NOT_FOUND, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_HOUR, 404),
    Row(ErrorType.REQUEST_TIMEOUT, Move.RETRY, Move.RETRY, Health.ALIVE, _BACKOFF, 408),
    Row(ErrorType.CONFLICT, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_SLOW, 409),
    Row(ErrorType.BLOCKED, Move.SPLIT, Move.RETRY, Health.ALIVE, _BACKOFF, 403),
    Row(ErrorType.TOO_LARGE, Move.SPLIT, Move.BURY, Health.ALIVE, _AT_ONCE, 413),
    Row(ErrorType.RATE_LIMITED, Move.PAUSE, Move.PAUSE, Health.SLOWED, _PAUSE, 429),
    Row(ErrorType.SERVER_ERROR, Move.RETRY, Move.RETRY, Health.FAILED, _BACKOFF, 500),
    Row(ErrorType.REQUEST_TIMEOUT, Move.RETRY, Move.RETRY, Health.ALIVE, _BACKOFF, 499),
    Row(ErrorType.REJECTED, Move.SPLIT, Move.BURY, Health.ALIVE, _AT_ONCE, 422),
    Row(ErrorType.CONFLICT, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_SLOW, 412),
    Row(ErrorType.UNAVAILABLE, Move.RETRY, Move.RETRY, Health.FAILED, _BACKOFF, 503),
    Row(
        ErrorType.GATEWAY_TIMEOUT,
        Move.SPLIT,
        Move.RETRY,
        Health.FAILED,
        (MINUTE_S, MINUTE_S),
        504,
    ),
    # ours
    Row(ErrorType.NOT_OFFERED, Move.BURY, Move.BURY, Health.UNKNOWN, _AT_ONCE),
    Row(ErrorType.NOT_PROVEN, Move.RETRY, Move.RETRY, Health.UNKNOWN, (MINUTE_S, MINUTE_S)),
    Row(ErrorType.BUG, Move.RETRY, Move.RETRY, Health.UNKNOWN, _BACKOFF),
    Row(ErrorType.KEY_MISSING, Move.PARK, Move.PARK, Health.ALIVE, _FIXED_AUTH),
    Row(ErrorType.PAYLOAD_MISMATCH, Move.BURY, Move.BURY, Health.ALIVE, _AT_ONCE),
    Row(ErrorType.DEADLINE_EXCEEDED, Move.BURY, Move.BURY, Health.ALIVE, _AT_ONCE),
    Row(ErrorType.WORKER_CRASH, Move.BURY, Move.BURY, Health.ALIVE, _AT_ONCE),
]


def _name(row: Row) -> str:
    return f"{row.error_type}-{row.status}" if row.status else str(row.error_type)


def _situation(
    jobs: int = 20,
    attempt: int = 1,
    *,
    from_split: bool = False,
    served_others: bool = False,
    age_s: float = 0.0,
    park_step: int = 0,
    key_state: KeyState | None = None,
    invalid_responses: int = 0,
) -> Situation:
    return Situation(
        jobs,
        attempt,
        from_split,
        served_others,
        age_s,
        park_step,
        key_state,
        invalid_responses,
    )


def _policy(seed: int = 0, waits: Waits = WAITS) -> Policy:
    return Policy(waits, random.Random(seed))


def _decide(error_type: ErrorType, situation: Situation, seed: int = 0) -> Decision:
    return _policy(seed).decide(failure(error_type), situation)


def test_every_error_type_has_a_rule_and_a_row() -> None:
    """Nothing mem9 or we can say is left undecided, or untested."""
    # No attempt ends in these: one is said of what mem9 had taken, one of what a person holds.
    assert set(RULES) == set(ErrorType) - {ErrorType.NOT_REMEMBERED, ErrorType.PAUSED}
    assert {row.error_type for row in TABLE} == set(RULES)


@pytest.mark.parametrize("row", TABLE, ids=_name)
@pytest.mark.parametrize("jobs", [1, 2, 20])
def test_a_first_attempt_is_decided_as_the_table_says(row: Row, jobs: int) -> None:
    """Move, what it says of the endpoint, how long to wait, and whether it costs an attempt."""
    move = row.one if jobs == 1 else row.many
    for seed in range(20):
        decision = _policy(seed).decide(
            failure(row.error_type, status=row.status), _situation(jobs=jobs)
        )

        shortest_s, longest_s = (0.0, 0.0) if move is Move.BURY else row.wait_s
        assert decision.move is move
        assert decision.health is row.health
        assert shortest_s <= decision.after_s <= longest_s
        free = move in (Move.PARK, Move.PAUSE) or row.error_type is ErrorType.NOT_PROVEN
        assert decision.costs_attempt is not free
        assert decision.reason == row.error_type


@pytest.mark.parametrize("row", TABLE, ids=_name)
def test_the_table_in_the_code_says_the_same(row: Row) -> None:
    """RULES is the data behind the decisions above: no rule is there that no row describes."""
    rule = RULES[row.error_type]

    assert rule.move is row.many
    assert (rule.single or rule.move) is row.one
    assert rule.health is row.health


@pytest.mark.parametrize("confirmation", Confirmation)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_success_is_delivered(confirmation: Confirmation, status: int) -> None:
    """200, 201 and 202 end a batch, and the endpoint has served."""
    outcome = Outcome(confirmation=confirmation, http_status=status)

    decision = _policy().decide(outcome, _situation())

    assert (decision.move, decision.health) == (Move.DELIVER, Health.SERVED)


@pytest.mark.parametrize("row", TABLE, ids=_name)
@given(hint_s=st.floats(0.0, HOUR_S), jobs=st.integers(1, 20), attempt=st.integers(1, 30))
def test_a_hint_of_the_server_is_a_lower_bound(
    row: Row, hint_s: float, jobs: int, attempt: int
) -> None:
    """Whatever we would wait by ourselves, we never come before the time mem9 named."""
    outcome = failure(row.error_type, status=row.status, retry_after_s=hint_s)

    decision = _policy().decide(outcome, _situation(jobs=jobs, attempt=attempt))

    if decision.move in (Move.RETRY, Move.PARK, Move.PAUSE):
        assert decision.after_s >= hint_s


@given(hint_s=st.floats(1.0, HOUR_S), step=st.integers(0, 40))
def test_a_quota_hint_holds_however_often_the_space_was_parked(hint_s: float, step: int) -> None:
    """mem9 says when the quota is there again: within a minute of that we ask."""
    outcome = failure(ErrorType.QUOTA_EXHAUSTED, retry_after_s=hint_s)

    decision = _policy().decide(outcome, _situation(park_step=step))

    assert hint_s <= decision.after_s <= hint_s + MINUTE_S


@given(attempt=st.integers(1, 2_000), seed=st.integers())
def test_backoff_stays_between_nothing_and_the_doubled_initial_or_the_cap(
    attempt: int, seed: int
) -> None:
    """Full jitter: 0 … min(60, 1 * 2^(attempt - 1)) seconds, for any attempt."""
    decision = _decide(ErrorType.UNAVAILABLE, _situation(attempt=attempt), seed)

    longest_s = min(WAITS.max_backoff_s, WAITS.initial_backoff_s * 2.0 ** min(attempt - 1, 60))
    assert 0.0 <= decision.after_s <= longest_s


def test_jitter_spreads_retries_over_the_whole_window() -> None:
    """Many clients that failed together do not come back together."""
    waits = [_decide(ErrorType.UNAVAILABLE, _situation(attempt=7), s).after_s for s in range(500)]

    assert min(waits) < 0.1 * WAITS.max_backoff_s
    assert max(waits) > 0.9 * WAITS.max_backoff_s
    assert abs(sum(waits) / len(waits) - WAITS.max_backoff_s / 2) < 3.0


def test_without_jitter_the_wait_doubles_exactly() -> None:
    """retry_jitter = none: 1, 2, 4 … 60 seconds."""
    waits = Waits(
        initial_backoff_s=1.0,
        max_backoff_s=60.0,
        multiplier=2.0,
        full_jitter=False,
        park_auth_initial_s=30.0,
        park_auth_max_s=HOUR_S,
        park_quota_initial_s=900.0,
        park_quota_max_s=6 * HOUR_S,
        max_attempts=25,
    )
    policy = _policy(waits=waits)

    after_s = [
        policy.decide(failure(ErrorType.UNAVAILABLE), _situation(attempt=attempt)).after_s
        for attempt in range(1, 9)
    ]

    assert after_s == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(
    ("error_type", "waits_s"),
    [
        (ErrorType.AUTH, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]),
        (ErrorType.QUOTA_EXHAUSTED, [900, 1_800, 3_600, 7_200, 14_400, 21_600, 21_600]),
        (ErrorType.NOT_FOUND, [3_600, 3_600, 3_600]),
        (ErrorType.REDIRECT, [3_600, 3_600, 3_600]),
    ],
)
def test_parks_double_up_to_their_cap(error_type: ErrorType, waits_s: list[float]) -> None:
    """Auth from 30 s to 1 h, quota from 15 min to 6 h, a wrong address hourly."""
    found = [
        _decide(error_type, _situation(park_step=step)).after_s for step in range(len(waits_s))
    ]

    assert found == waits_s


@pytest.mark.parametrize("step", [100, 10_000])
def test_a_space_parked_very_often_waits_no_longer_than_the_cap(step: int) -> None:
    """Doubling never overflows."""
    decision = _decide(ErrorType.QUOTA_EXHAUSTED, _situation(park_step=step))

    assert decision.after_s == WAITS.park_quota_max_s
    assert math.isfinite(decision.after_s)


@pytest.mark.parametrize("key_state", [*KeyState, None])
@given(attempt=st.integers(1, 10_000), jobs=st.integers(1, 20))
def test_a_refused_key_never_makes_a_dead_letter(
    key_state: KeyState | None, attempt: int, jobs: int
) -> None:
    """A hiccup of mem9's database looks the same: wait, whatever the status route says."""
    decision = _decide(
        ErrorType.AUTH,
        _situation(jobs=jobs, attempt=attempt, served_others=True, key_state=key_state),
    )

    assert decision.move in (Move.PARK, Move.PAUSE)
    assert not decision.costs_attempt


@pytest.mark.parametrize(
    ("key_state", "reason"),
    [
        (KeyState.ACTIVE, "unavailable"),
        (KeyState.UNAVAILABLE, "unavailable"),
        (KeyState.INACTIVE, "auth"),
        (KeyState.UNKNOWN, "auth"),
        (KeyState.UNDECIDED, "auth"),
        (None, "auth"),
    ],
)
def test_a_refused_key_whose_lookup_failed_waits_for_seconds(
    key_state: KeyState | None, reason: str
) -> None:
    """That passes, however often it happens; any other answer is the key's own schedule."""
    decision = _decide(ErrorType.AUTH, _situation(key_state=key_state, park_step=6))

    assert (decision.move, decision.reason) == (Move.PARK, reason)
    if reason == "unavailable":
        assert _PAUSE[0] <= decision.after_s <= _PAUSE[1]
    else:
        assert decision.after_s > 1_000.0


def test_an_unreadable_success_is_tried_five_times_and_then_parks() -> None:
    """A proxy's page is no success; five of them, not five failures, mean a wrong address."""
    moves = [
        _decide(ErrorType.INVALID_RESPONSE, _situation(attempt=9, invalid_responses=seen))
        for seen in (1, 4, 5, 6)
    ]

    assert [each.move for each in moves] == [Move.RETRY, Move.RETRY, Move.PARK, Move.PARK]
    assert moves[-1].after_s == HOUR_S


def test_a_job_that_our_own_code_cannot_send_is_found_and_set_aside() -> None:
    """Halved to find it, then as many attempts as anything that may be poison; no outage."""
    moves = [
        _decide(ErrorType.BUG, _situation(jobs, attempt)).move
        for jobs, attempt in ((20, 3), (20, 4), (1, 24), (1, 25))
    ]

    assert moves == [Move.RETRY, Move.SPLIT, Move.RETRY, Move.BURY]


def test_a_conflict_is_a_dead_letter_after_a_day() -> None:
    """An operator must fix their schema; until then 5 minutes doubling to an hour."""
    waits = [_decide(ErrorType.CONFLICT, _situation(park_step=n)).after_s for n in range(6)]

    assert waits == [300, 600, 1_200, 2_400, 3_600, 3_600]
    assert _decide(ErrorType.CONFLICT, _situation(age_s=86_399.0)).move is Move.PARK
    assert _decide(ErrorType.CONFLICT, _situation(age_s=86_401.0)).move is Move.BURY


@pytest.mark.parametrize(
    ("jobs", "attempt", "from_split", "served_others", "move"),
    [
        (20, 1, False, False, Move.RETRY),
        (20, 1, False, True, Move.RETRY),  # one 500 is nothing
        (20, 2, False, True, Move.SPLIT),  # the server works for others: this batch is suspect
        (20, 3, False, False, Move.RETRY),
        (20, 4, False, False, Move.SPLIT),
        (10, 3, True, False, Move.SPLIT),  # the search goes on
        (1, 4, True, True, Move.RETRY),
        (1, 5, True, True, Move.BURY),
        (1, 24, False, True, Move.RETRY),
        (1, 25, False, True, Move.BURY),
        (1, 25, True, False, Move.RETRY),  # an outage: nothing proves that it is the job
        (1, 1_000, False, False, Move.RETRY),
    ],
)
def test_a_500_makes_a_batch_suspect_before_it_makes_a_dead_letter(
    jobs: int, attempt: int, from_split: bool, served_others: bool, move: Move
) -> None:
    """mem9 says 500 for an outage and for one bad job: only what others get through proves it."""
    decision = _decide(
        ErrorType.SERVER_ERROR,
        _situation(jobs, attempt, from_split=from_split, served_others=served_others),
    )

    assert decision.move is move


@pytest.mark.parametrize(
    "error_type",
    [rule for rule in RULES if RULES[rule].health in (Health.UNREACHABLE, Health.FAILED)],
)
@given(attempt=st.integers(1, 10_000), age_s=st.floats(0.0, 1e7), jobs=st.integers(1, 20))
def test_an_outage_alone_never_makes_a_dead_letter(
    error_type: ErrorType, attempt: int, age_s: float, jobs: int
) -> None:
    """However long it lasts: while nobody is served, nothing proves that it is the job."""
    decision = _decide(error_type, _situation(jobs, attempt, age_s=age_s, from_split=True))

    assert decision.move in (Move.RETRY, Move.SPLIT)
    assert decision.after_s <= MINUTE_S


@given(
    row=st.sampled_from(TABLE),
    jobs=st.integers(1, 20),
    attempt=st.integers(1, 100),
    from_split=st.booleans(),
    served_others=st.booleans(),
    age_s=st.floats(0.0, 1e7),
    step=st.integers(0, 50),
    seed=st.integers(),
)
def test_every_decision_can_be_carried_out(
    row: Row,
    jobs: int,
    attempt: int,
    from_split: bool,
    served_others: bool,
    age_s: float,
    step: int,
    seed: int,
) -> None:
    """A single job is never split, and no wait is negative or endless."""
    decision = _policy(seed).decide(
        failure(row.error_type, status=row.status),
        _situation(
            jobs,
            attempt,
            from_split=from_split,
            served_others=served_others,
            age_s=age_s,
            park_step=step,
        ),
    )

    assert not (decision.move is Move.SPLIT and jobs == 1)
    assert 0.0 <= decision.after_s <= WAITS.park_quota_max_s
    if decision.move is Move.BURY:
        assert decision.after_s == 0.0


def test_a_quota_that_is_being_counted_slows_nobody_else() -> None:
    """Only the space waits, for as long as it is told."""
    busy = Outcome(
        error_type=ErrorType.RATE_LIMITED,
        error_code="runtime_usage_busy",
        http_status=429,
        retry_after_s=7.0,
    )

    decision = _policy().decide(busy, _situation())

    assert (decision.move, decision.health) == (Move.PAUSE, Health.ALIVE)
    assert decision.after_s >= 7.0
    assert not decision.costs_attempt


def test_what_was_not_tried_costs_no_attempt() -> None:
    """Whether the server keeps the job as asked is not known: it waits, however often."""
    decision = _decide(ErrorType.NOT_PROVEN, _situation(jobs=1, attempt=25))

    assert (decision.move, decision.costs_attempt) == (Move.RETRY, False)
