"""What has been asked of the server: a bounded log, counters, and the rate limiter."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import JsonValue

from mem9_async.devserver.faults import Meter


@dataclass(slots=True)
class RequestRecord:
    """One request. `arrived_s` is the loop's clock; `status` None: not answered (yet)."""

    arrived_s: float
    method: str
    path: str
    query: str
    key: str
    agent_id: str
    meter: Meter | None
    body: bytes
    status: int | None = None


@dataclass(slots=True)
class Traffic:
    """Counts every request and remembers the last ones."""

    recent: deque[RequestRecord]
    _meters: Counter[str] = field(default_factory=Counter)
    _statuses: Counter[int] = field(default_factory=Counter)
    _routes: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    _total: int = 0

    def arrived(self, record: RequestRecord) -> None:
        """Count a request before anything is done about it."""
        self.recent.append(record)
        self._total += 1
        if record.meter is not None:
            self._meters[record.meter] += 1
        if record.method == "POST" and record.path.endswith("/memories"):
            self._meters["store"] += 1

    def answered(self, record: RequestRecord, status: int) -> None:
        """Note how it ended."""
        record.status = status
        self._statuses[status] += 1
        self._routes[record.method, _route(record.path), status] += 1

    def begin_again(self) -> None:
        """Count for Prometheus from nothing, as a new process does."""
        self._routes.clear()

    def summary(self) -> dict[str, JsonValue]:
        """Totals since the start: requests, metered writes and recalls, stores, by status."""
        return {
            "total": self._total,
            "writes": self._meters["write"],
            "recalls": self._meters["recall"],
            "stores": self._meters["store"],
            "by_status": {str(code): count for code, count in sorted(self._statuses.items())},
        }

    def metrics(self) -> Iterable[str]:
        """The same for Prometheus, by method, route and status."""
        yield "# TYPE mnemo_http_requests_total counter"
        for (method, route, status), count in sorted(self._routes.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            yield f"mnemo_http_requests_total{{{labels}}} {count}"


def _route(path: str) -> str:
    """The pattern of mem9's router that *path* fits, near enough to tell routes apart."""
    match path.split("/")[1:]:
        case [version, "mem9s", _, *rest] if version == "v1alpha1" and rest:
            return "/".join(("", version, "mem9s", "{tenantID}", *_resource(rest)))
        case [version, "mem9s", *rest]:
            return "/".join(("", version, "mem9s", *_resource(rest)))
    return path if path.count("/") < 3 else "unmatched"


def _resource(rest: list[str]) -> tuple[str, ...]:
    match rest:
        case ["memories", name] if name != "batch-delete":
            return ("memories", "{id}")
    return tuple(rest)


class RateLimiter:
    """Token buckets: each request takes one of its peer's, then one of its key's."""

    def __init__(self, *, per_s: float, burst: int, now_s: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._now_s = now_s
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, peer: str, key: str) -> bool:
        """True when there was a token for the peer and, if a key was sent, for the key."""
        return self._take(f"peer {peer}") and (not key or self._take(f"key {key}"))

    def _take(self, bucket: str) -> bool:
        now_s = self._now_s()
        tokens, filled_s = self._buckets.get(bucket, (self._burst, now_s))
        tokens = min(self._burst, tokens + (now_s - filled_s) * self._per_s)
        self._buckets[bucket] = (tokens - 1 if tokens >= 1 else tokens, now_s)
        return tokens >= 1
