"""Values that most tests of the queue start from."""

from pydantic import SecretStr

from mem9_async.models.job import Message, NewJob, Pinned, Turn
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.models.space import Lane, Space
from mem9_async.queue.circuit import EndpointLimits
from mem9_async.queue.lane_state import Limits
from mem9_async.queue.policy import Waits

START = 1_800_000_000.0
BASE_URL = "http://mem9.test"
KEY = "sk-canary-key"
HOUR_S = 3600.0

WAITS = Waits(
    initial_backoff_s=1.0,
    max_backoff_s=60.0,
    multiplier=2.0,
    full_jitter=True,
    park_auth_initial_s=30.0,
    park_auth_max_s=HOUR_S,
    park_quota_initial_s=900.0,
    park_quota_max_s=6 * HOUR_S,
    max_attempts=25,
)
LIMITS = Limits(
    linger_s=1.0,
    linger_max_s=3.0,
    batch_max_jobs=20,
    batch_max_bytes=64 * 1024,
    max_in_flight=32,
    max_in_flight_per_space=4,
)
ENDPOINT_LIMITS = EndpointLimits(
    max_in_flight=32,
    failure_threshold=5,
    max_open_s=60.0,
    recovery_doubling_s=10.0,
    budget_ratio=0.1,
    budget_tokens=10.0,
)


def space(key: str = KEY, base_url: str = BASE_URL) -> Space:
    """A space of the test's mem9."""
    return Space(base_url=base_url, api_key=SecretStr(key))


def lane(session: str | None = "conv-1", key: str = KEY, base_url: str = BASE_URL) -> Lane:
    """A lane of that space."""
    return Lane(space=space(key, base_url), agent_id="dify", session_id=session, user_id="user-1")


def turn(content: str) -> Turn:
    """A turn of one user message."""
    return Turn(messages=(Message(role="user", content=content),))


def job(content: str, session: str | None = "conv-1", key: str = KEY) -> NewJob:
    """A job that stores *content*."""
    return NewJob(lane=lane(session, key), payload=turn(content))


def event(content: str, event_id: str, session: str = "run", key: str = KEY) -> NewJob:
    """A job that is an event of an agent's run."""
    return job(content, session, key).model_copy(update={"event_id": event_id})


def pinned(content: str, session: str | None = "conv-1", key: str = KEY) -> NewJob:
    """A job that stores *content* verbatim."""
    return NewJob(lane=lane(session, key), payload=Pinned(content=content, tags=("a",)))


def failure(
    error_type: ErrorType,
    *,
    status: int | None = None,
    maybe_sent: bool = False,
    retry_after_s: float | None = None,
) -> Outcome:
    """An attempt that came to nothing."""
    return Outcome(
        error_type=error_type,
        http_status=status,
        maybe_sent=maybe_sent,
        retry_after_s=retry_after_s,
        error="mem9 request failed",
    )
