"""What each outcome means for the batch, its space and its endpoint. Pure; the table is data.

Source: docs/reference/reliability.md, 2, and docs/reference/mem9-api.md, 7.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import OF_ONE_SPACE, QUOTA_BUSY, ErrorType, Outcome


class Move(StrEnum):
    """What happens to a batch after an attempt."""

    DELIVER = "deliver"  #: forget it, mem9 has it
    RETRY = "retry"  #: the same bytes again, later
    SPLIT = "split"  #: two halves, to find the job that is refused
    BURY = "bury"  #: dead letter
    PARK = "park"  #: the space waits for an outside condition; costs no attempt
    PAUSE = "pause"  #: the space slows down for seconds; costs no attempt


class Health(StrEnum):
    """What an outcome says about the endpoint."""

    SERVED = "served"
    ALIVE = "alive"  #: it answered, if only to refuse
    SLOWED = "slowed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"  #: it was not asked


class Wait(StrEnum):
    """Which schedule of waits holds."""

    BACKOFF = "backoff"
    SHORT = "short"  #: half a second to 5
    TENANT = "tenant"  #: 1 second doubling to 1 minute
    SLOW = "slow"  #: 5 minutes doubling to 1 hour
    MINUTE = "minute"
    AUTH = "auth"
    QUOTA = "quota"
    HOURLY = "hourly"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. `single` is the move for a batch of one job, when it differs."""

    move: Move
    health: Health
    wait: Wait = Wait.BACKOFF
    single: Move | None = None


RULES: dict[ErrorType, Rule] = {
    ErrorType.DNS_ERROR: Rule(Move.RETRY, Health.UNREACHABLE),
    ErrorType.CONNECTION_REFUSED: Rule(Move.RETRY, Health.UNREACHABLE),
    ErrorType.CONNECT_TIMEOUT: Rule(Move.RETRY, Health.UNREACHABLE),
    ErrorType.TLS_ERROR: Rule(Move.RETRY, Health.UNREACHABLE),
    ErrorType.POOL_TIMEOUT: Rule(Move.RETRY, Health.FAILED),
    ErrorType.CONNECTION_RESET: Rule(Move.RETRY, Health.FAILED),
    ErrorType.READ_TIMEOUT: Rule(Move.RETRY, Health.FAILED),
    ErrorType.PROTOCOL_ERROR: Rule(Move.RETRY, Health.FAILED),
    ErrorType.BUG: Rule(Move.RETRY, Health.UNKNOWN),
    ErrorType.REQUEST_TIMEOUT: Rule(Move.RETRY, Health.ALIVE),
    ErrorType.UNAVAILABLE: Rule(Move.RETRY, Health.FAILED),
    ErrorType.SERVER_ERROR: Rule(Move.RETRY, Health.FAILED),
    ErrorType.GATEWAY_TIMEOUT: Rule(Move.SPLIT, Health.FAILED, Wait.MINUTE, single=Move.RETRY),
    ErrorType.INVALID_RESPONSE: Rule(Move.RETRY, Health.ALIVE),
    ErrorType.REDIRECT: Rule(Move.PARK, Health.ALIVE, Wait.HOURLY),
    ErrorType.AUTH: Rule(Move.PARK, Health.ALIVE, Wait.AUTH),
    ErrorType.QUOTA_EXHAUSTED: Rule(Move.PARK, Health.ALIVE, Wait.QUOTA),
    ErrorType.NOT_FOUND: Rule(Move.PARK, Health.ALIVE, Wait.HOURLY),
    ErrorType.KEY_MISSING: Rule(Move.PARK, Health.ALIVE, Wait.AUTH),
    ErrorType.CONFLICT: Rule(Move.PARK, Health.ALIVE, Wait.SLOW),
    ErrorType.RATE_LIMITED: Rule(Move.PAUSE, Health.SLOWED),
    ErrorType.REJECTED: Rule(Move.SPLIT, Health.ALIVE, single=Move.BURY),
    ErrorType.BLOCKED: Rule(Move.SPLIT, Health.ALIVE, single=Move.RETRY),
    ErrorType.TOO_LARGE: Rule(Move.SPLIT, Health.ALIVE, single=Move.BURY),
    ErrorType.NOT_OFFERED: Rule(Move.BURY, Health.UNKNOWN),
    ErrorType.NOT_PROVEN: Rule(Move.RETRY, Health.UNKNOWN, Wait.MINUTE),
    ErrorType.PAYLOAD_MISMATCH: Rule(Move.BURY, Health.ALIVE),
    ErrorType.DEADLINE_EXCEEDED: Rule(Move.BURY, Health.ALIVE),
    ErrorType.WORKER_CRASH: Rule(Move.BURY, Health.ALIVE),
}

_SUSPECT_ATTEMPTS = 4  # a batch that alone fails this often is halved to find out which job it is
_PROVEN_ATTEMPTS = 5  # a lone job whose siblings went through is refused after this many
_INVALID_RESPONSES = 5
_PARKED_WITHOUT_SCHEDULE = {  # in their rule: what they are parked for is seen later
    str(ErrorType.BLOCKED): Wait.AUTH,
    str(ErrorType.UNAVAILABLE): Wait.TENANT,
    str(ErrorType.SERVER_ERROR): Wait.TENANT,
}
_UNSENT = (ErrorType.NOT_PROVEN,)  # nothing was tried: its lane waits, and no other
_LOOKUP_FAILED = (KeyState.ACTIVE, KeyState.UNAVAILABLE)
_BLOCKED_ATTEMPTS = 3  # a lone job that is blocked this often is blocked for what it says,
_BLOCKED_JOBS = 3  # unless this many different ones were, and none was taken between
_CONFLICT_LIMIT_S = 24 * 3600.0
_SLOW_S, _HOUR_S, _MINUTE_S, _TENANT_S = 300.0, 3600.0, 60.0, 1.0
_PAUSE_MIN_S, _PAUSE_MAX_S = 0.5, 5.0  # mem9's limiter refills within about a second


@dataclass(frozen=True, slots=True)
class Waits:
    """The schedules of waits, in seconds."""

    initial_backoff_s: float
    max_backoff_s: float
    multiplier: float
    full_jitter: bool
    park_auth_initial_s: float
    park_auth_max_s: float
    park_quota_initial_s: float
    park_quota_max_s: float
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Situation:
    """What deciding needs to know besides the outcome.

    `served_others` is True when mem9 has taken something of the same space since this batch was
    first sent: another space's luck proves nothing, as each has a database of its own.
    `park_step` counts how often the space was parked in a row; `invalid_responses` how often
    this batch got an answer that no mem9 would give; `blocked_jobs` how many different jobs of the
    space were blocked with nothing taken between.
    """

    jobs: int
    attempt: int
    from_split: bool
    served_others: bool
    age_s: float
    park_step: int = 0
    key_state: KeyState | None = None
    invalid_responses: int = 0
    blocked_jobs: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and after how many seconds. A burial with a wait parks the space as well."""

    move: Move
    health: Health
    after_s: float = 0.0
    costs_attempt: bool = True
    reason: str = ""


class Policy:
    """Turns an outcome into a decision."""

    def __init__(self, waits: Waits, rng: random.Random) -> None:
        self._waits = waits
        self._rng = rng

    def decide(self, outcome: Outcome, situation: Situation) -> Decision:
        """The decision for one attempt's *outcome*."""
        if outcome.error_type is None:
            return Decision(Move.DELIVER, Health.SERVED)
        move, wait, health, reason = self._judged(outcome, outcome.error_type, situation)
        return Decision(
            move=move,
            health=health,
            after_s=self._after_s(wait, move, outcome, situation),
            costs_attempt=move not in (Move.PARK, Move.PAUSE) and reason not in _UNSENT,
            reason=str(reason),
        )

    def _judged(
        self, outcome: Outcome, error_type: ErrorType, situation: Situation
    ) -> tuple[Move, Wait, Health, ErrorType]:
        """The rule of *error_type*, as the situation bends it."""
        rule = RULES[error_type]
        move = rule.single if rule.single and situation.jobs == 1 else rule.move
        wait, reason, health = rule.wait, error_type, rule.health
        match error_type:
            case _ if outcome.error_code in OF_ONE_SPACE:
                # One tenant's database is away, the server is not: its other spaces go on.
                move, wait, health = Move.PARK, Wait.TENANT, Health.ALIVE
            case ErrorType.RATE_LIMITED if outcome.error_code == QUOTA_BUSY:
                # One space's quota is being counted: nothing speaks for sending less elsewhere.
                health = Health.ALIVE
            case ErrorType.SERVER_ERROR:
                move = self._suspect(situation)
            case ErrorType.AUTH if situation.key_state in _LOOKUP_FAILED:
                # mem9 says the key is good, or that it cannot say: its own lookup failed, which
                # passes. Parked, the space is probed by one batch at a time, whatever the budget
                # of retries: it goes on seconds after mem9 does.
                wait, reason = Wait.SHORT, ErrorType.UNAVAILABLE
            case ErrorType.INVALID_RESPONSE if situation.invalid_responses >= _INVALID_RESPONSES:
                move, wait = Move.PARK, Wait.HOURLY
            case ErrorType.BUG if situation.jobs > 1:
                move = Move.SPLIT if situation.attempt >= _SUSPECT_ATTEMPTS else Move.RETRY
            case ErrorType.BUG if situation.attempt >= self._waits.max_attempts:
                move = Move.BURY
            case ErrorType.BLOCKED if situation.jobs == 1:
                move, wait = self._blocked(situation)
            case ErrorType.CONFLICT if situation.age_s > _CONFLICT_LIMIT_S:
                move = Move.BURY
            case _:
                pass
        return move, wait, health, reason

    def _after_s(self, wait: Wait, move: Move, outcome: Outcome, situation: Situation) -> float:
        ends = move is Move.BURY and wait is not Wait.AUTH
        after_s = 0.0 if ends else self._wait_s(wait, move, situation)
        if outcome.retry_after_s is not None:
            # The server's word is a lower bound; the client has clamped it already.
            after_s = max(after_s, outcome.retry_after_s)
            if move is Move.PARK and wait is Wait.QUOTA:
                after_s = outcome.retry_after_s + self._rng.uniform(0.0, 1.0)
        return 0.0 if move is Move.SPLIT and wait is Wait.BACKOFF else after_s

    def longest_park_s(self, reason: str, outcome: Outcome, step: int) -> float:
        """How long a space that was parked *step* times for *reason* waits at most, in seconds.

        The server's own word counts as well: *outcome* is the refusal that parked it.
        """
        try:
            wait = RULES[ErrorType(reason)].wait
        except (KeyError, ValueError):  # parked by another version, for a reason of its own
            wait = Wait.HOURLY
        # Answers in no form are tried again for a while before they park, then by the hour.
        if wait is Wait.BACKOFF:
            wait = _PARKED_WITHOUT_SCHEDULE.get(reason, Wait.HOURLY)
        move = Move.PARK
        situation = Situation(
            jobs=1, attempt=1, from_split=False, served_others=False, age_s=0.0, park_step=step
        )
        longest_s = _PAUSE_MAX_S if wait is Wait.SHORT else self._wait_s(wait, move, situation)
        return max(longest_s, (outcome.retry_after_s or 0.0) + 1.0)

    def _blocked(self, situation: Situation) -> tuple[Move, Wait]:
        # Of the job's own content, or of all that the space sends: the other jobs tell.
        if situation.blocked_jobs >= _BLOCKED_JOBS:
            # A probe that is blocked as well leaves the line, or its lane would ask with it for
            # ever. What is cleared later comes back in its place.
            return (Move.BURY if situation.park_step else Move.PARK), Wait.AUTH
        if situation.attempt >= _BLOCKED_ATTEMPTS:
            return Move.BURY, Wait.BACKOFF
        return Move.RETRY, Wait.BACKOFF

    def _suspect(self, situation: Situation) -> Move:
        # 500 is an outage or one bad job, and mem9 does not say which.
        if situation.jobs > 1:
            suspicious = situation.from_split or situation.attempt >= _SUSPECT_ATTEMPTS
            proven = situation.served_others and situation.attempt >= 2
            return Move.SPLIT if suspicious or proven else Move.RETRY
        limit = _PROVEN_ATTEMPTS if situation.from_split else self._waits.max_attempts
        if situation.served_others and situation.attempt >= limit:
            return Move.BURY
        return Move.RETRY

    def _wait_s(self, wait: Wait, move: Move, situation: Situation) -> float:
        waits = self._waits
        match wait:
            case Wait.AUTH:
                return _doubled(
                    waits.park_auth_initial_s, waits.park_auth_max_s, situation.park_step
                )
            case Wait.QUOTA:
                return _doubled(
                    waits.park_quota_initial_s, waits.park_quota_max_s, situation.park_step
                )
            case Wait.TENANT:
                return _doubled(_TENANT_S, _MINUTE_S, situation.park_step)
            case Wait.SLOW:
                return _doubled(_SLOW_S, _HOUR_S, situation.park_step)
            case Wait.HOURLY:
                return _HOUR_S
            case Wait.MINUTE:
                return _MINUTE_S
            case Wait.SHORT:
                return self._rng.uniform(_PAUSE_MIN_S, _PAUSE_MAX_S)
            case Wait.BACKOFF if move is Move.PAUSE:
                return self._rng.uniform(_PAUSE_MIN_S, _PAUSE_MAX_S)
            case Wait.BACKOFF:
                return self._backoff_s(situation.attempt)

    def _backoff_s(self, attempt: int) -> float:
        waits = self._waits
        longest_s = min(
            waits.max_backoff_s,
            waits.initial_backoff_s * waits.multiplier ** min(attempt - 1, 60),
        )
        return self._rng.uniform(0.0, longest_s) if waits.full_jitter else longest_s


def _doubled(initial_s: float, max_s: float, step: int) -> float:
    return min(max_s, initial_s * 2.0 ** min(max(step, 0), 60))
