"""What the settings mean for the parts: milliseconds become seconds, names become limits."""

from mem9_async.client.client import Mem9Client
from mem9_async.queue.circuit import EndpointLimits
from mem9_async.queue.lane_state import Limits
from mem9_async.queue.policy import Waits
from mem9_async.settings import Settings


def client(settings: Settings) -> Mem9Client:
    """The mem9 client: how long to wait for it, and how many requests at once."""
    return Mem9Client(
        connect_timeout_s=settings.connect_timeout_ms / 1000,
        attempt_timeout_s=settings.attempt_timeout_effective_ms / 1000,
        search_timeout_s=settings.search_timeout_ms / 1000,
        keepalive_idle_s=settings.keepalive_idle_ms / 1000,
        max_in_flight=settings.max_in_flight,
        retry_after_max_s=settings.retry_after_max,
    )


def limits(settings: Settings) -> Limits:
    """How much may wait for company, travel together, and be on its way."""
    # One at a time per space where mem9 confirms ingestion: two at once would not see each other.
    ingested = settings.confirmation == "ingested"
    return Limits(
        linger_s=settings.linger_ms / 1000,
        linger_max_s=settings.linger_max_ms / 1000,
        batch_max_jobs=settings.batch_max_jobs,
        batch_max_bytes=settings.batch_max_bytes,
        max_in_flight=settings.max_in_flight,
        max_in_flight_per_space=1 if ingested else settings.max_in_flight_per_space,
        lane_gap_s=settings.lane_gap_ms / 1000 if settings.confirmation == "remembered" else 0.0,
        watched=settings.confirmation != "accepted",
    )


def shown_s(settings: Settings) -> float:
    """How long a write that mem9 has taken is shown as one that it may not show yet."""
    recent_s = settings.recent_window_ms / 1000
    if settings.confirmation == "accepted" or not recent_s:
        return recent_s
    return max(recent_s, settings.remember_window)


def endpoint_limits(settings: Settings) -> EndpointLimits:
    """When a server is left alone, and how much it is asked."""
    return EndpointLimits(
        max_in_flight=settings.max_in_flight,
        failure_threshold=settings.circuit_failure_threshold,
        max_open_s=settings.circuit_max_open_ms / 1000,
        # 10 s by default; whoever wants shorter waits wants a quicker return too.
        recovery_doubling_s=settings.circuit_max_open_ms / 1000 / 6,
        budget_ratio=settings.retry_budget_ratio,
        budget_tokens=settings.retry_budget_tokens,
    )


def waits(settings: Settings) -> Waits:
    """The schedules of waits."""
    return Waits(
        initial_backoff_s=settings.retry_initial_backoff_ms / 1000,
        max_backoff_s=settings.retry_max_backoff_ms / 1000,
        multiplier=settings.retry_multiplier,
        full_jitter=settings.retry_jitter == "full",
        park_auth_initial_s=settings.park_auth_initial,
        park_auth_max_s=settings.park_auth_max,
        park_quota_initial_s=settings.park_quota_initial,
        park_quota_max_s=settings.park_quota_max,
        max_attempts=settings.max_attempts,
    )
