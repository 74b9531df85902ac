"""How much one server may be asked: circuit breaker, retry budget, adaptive concurrency.

Pure, in the caller's clock (seconds). An endpoint is a base URL, shared by all its spaces.
"""

import random
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

_INITIAL_OPEN_S = 1.0
_TRICKLE_WINDOW_S = 120.0  # a spent budget refills in this time even if nothing succeeds
_NEIGHBOUR_WINDOW_S = 120.0  # another space served this recently speaks for the endpoint
_SERVED_SPACES = 10_000  # remembered, the latest ones
_NEVER = float("-inf")


class CircuitState(StrEnum):
    """Whether an endpoint is asked at all."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  #: one probe is on its way


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """When to stop asking, how much trying again may cost, how to begin anew. Seconds.

    After an outage the number of requests at once may double once in *recovery_doubling_s*.
    """

    max_in_flight: int
    failure_threshold: int
    max_open_s: float
    recovery_doubling_s: float
    budget_ratio: float
    budget_tokens: float


@dataclass(frozen=True, slots=True)
class EndpointView:
    """How one endpoint stands. `reopens_at` only while its circuit is open."""

    url: str
    state: CircuitState
    in_flight: int
    limit: int
    failures: int
    tokens: float
    reopens_at: float | None


@dataclass(slots=True)
class _Endpoint:
    limit: float
    tokens: float
    tokens_at: float
    state: CircuitState = CircuitState.CLOSED
    in_flight: int = 0
    failures: int = 0
    failing_spaces: set[int] = field(default_factory=set)
    served_at: OrderedDict[int, float] = field(default_factory=OrderedDict)
    opened: int = 0
    recovered_at: float | None = None
    reopens_at: float = 0.0


class Endpoints:
    """The state of every endpoint in use."""

    def __init__(self, limits: EndpointLimits, rng: random.Random) -> None:
        self._limits = limits
        self._rng = rng
        self._endpoints: dict[str, _Endpoint] = {}

    def views(self) -> list[EndpointView]:
        """Every endpoint that was ever asked."""
        return [
            EndpointView(
                url=url,
                state=each.state,
                in_flight=each.in_flight,
                limit=max(1, int(each.limit)),
                failures=each.failures,
                tokens=each.tokens,
                reopens_at=each.reopens_at if each.state is CircuitState.OPEN else None,
            )
            for url, each in self._endpoints.items()
        ]

    def state(self, url: str) -> CircuitState:
        """The circuit of *url*; closed when it was never asked."""
        endpoint = self._endpoints.get(url)
        return CircuitState.CLOSED if endpoint is None else endpoint.state

    def served_at(self, url: str, space_id: int) -> float:
        """When *url* last took something of the space; minus infinity for never, or long ago."""
        endpoint = self._endpoints.get(url)
        return _NEVER if endpoint is None else endpoint.served_at.get(space_id, _NEVER)

    def admit(self, url: str, now: float, *, retry: bool) -> bool:
        """Whether one more request may start now; if so it counts until it is answered for."""
        endpoint = self._get(url, now)
        if endpoint.state is CircuitState.OPEN and now >= endpoint.reopens_at:
            endpoint.state = CircuitState.HALF_OPEN
        if endpoint.state is CircuitState.OPEN:
            return False
        if endpoint.state is CircuitState.HALF_OPEN and endpoint.in_flight > 0:
            return False
        if endpoint.in_flight >= max(1, int(endpoint.limit)):
            return False
        # A half-open probe is bounded by its own back-off and needs no token.
        if retry and endpoint.state is CircuitState.CLOSED:
            self._refill(endpoint, now)
            if endpoint.tokens < 1.0:
                return False
            endpoint.tokens -= 1.0
        elif not retry:
            endpoint.tokens = min(self._most_tokens(), endpoint.tokens + self._limits.budget_ratio)
        endpoint.in_flight += 1
        return True

    def admits_at(self, url: str, now: float, *, retry: bool) -> float | None:
        """When time alone would let a request start; None if only an answer can."""
        endpoint = self._get(url, now)
        if endpoint.state is CircuitState.OPEN:
            return max(endpoint.reopens_at, now)
        if endpoint.in_flight >= max(1, int(endpoint.limit)):
            return None
        if endpoint.state is CircuitState.HALF_OPEN:
            return None if endpoint.in_flight else now
        if not retry:
            return now
        self._refill(endpoint, now)
        missing = 1.0 - endpoint.tokens
        return now if missing <= 0 else now + missing / self._refill_rate()

    def succeeded(self, url: str, space_id: int, now: float, *, retry: bool) -> bool:
        """mem9 took a request; return True when that closed the circuit."""
        endpoint = self._landed(url, now)
        if retry:  # an honoured retry cost the server nothing it did not want
            endpoint.tokens = min(self._most_tokens(), endpoint.tokens + 1.0)
        endpoint.served_at[space_id] = now
        endpoint.served_at.move_to_end(space_id)
        if len(endpoint.served_at) > _SERVED_SPACES:
            endpoint.served_at.popitem(last=False)
        closed = self._lives(endpoint, now)
        # One more at once for each round of answers.
        grown = endpoint.limit + 1.0 / max(1.0, endpoint.limit)
        endpoint.limit = min(grown, self._ceiling(endpoint, now))
        return closed

    def answered(self, url: str, now: float) -> bool:
        """mem9 refused a request, which proves that it lives; True when that closed the circuit."""
        return self._lives(self._landed(url, now), now)

    def slowed(self, url: str, now: float) -> bool:
        """mem9 asked us to slow down: halve how much it is asked at once. It lives."""
        endpoint = self._landed(url, now)
        endpoint.limit = max(1.0, endpoint.limit / 2)
        return self._lives(endpoint, now)

    def failed(self, url: str, space_id: int, now: float, *, unreachable: bool) -> bool:
        """A request came to nothing; return True when that opened the circuit.

        One space that always times out must not close the endpoint to the others: unless
        the server cannot be reached at all, it takes two failing spaces, or none that was
        served lately.
        """
        endpoint = self._landed(url, now)
        endpoint.failures += 1
        endpoint.failing_spaces.add(space_id)
        if endpoint.state is CircuitState.HALF_OPEN:
            self._open(endpoint, now)
            return False
        if (
            endpoint.state is CircuitState.OPEN
            or endpoint.failures < self._limits.failure_threshold
        ):
            return False
        others_served = any(
            at > now - _NEIGHBOUR_WINDOW_S
            for other, at in endpoint.served_at.items()
            if other not in endpoint.failing_spaces
        )
        if not unreachable and others_served and len(endpoint.failing_spaces) < 2:
            return False
        self._open(endpoint, now)
        return True

    def abandon_all(self) -> None:
        """Every request under way was given up by us."""
        for endpoint in self._endpoints.values():
            endpoint.in_flight = 0

    def cancelled(self, url: str, now: float) -> None:
        """A request was given up by us; it says nothing about the server."""
        self._landed(url, now)

    def reopens_in_s(self, url: str, now: float) -> float | None:
        """Seconds until an open circuit is probed; None when it is not open."""
        endpoint = self._endpoints.get(url)
        if endpoint is None or endpoint.state is not CircuitState.OPEN:
            return None
        return max(0.0, endpoint.reopens_at - now)

    def _open(self, endpoint: _Endpoint, now: float) -> None:
        longest_s = min(self._limits.max_open_s, _INITIAL_OPEN_S * 2 ** min(endpoint.opened, 30))
        endpoint.opened += 1
        endpoint.state = CircuitState.OPEN
        # Half the wait is certain: a full-jitter probe could come at once, again and again.
        endpoint.reopens_at = now + longest_s * self._rng.uniform(0.5, 1.0)
        endpoint.limit = 1.0

    def _ceiling(self, endpoint: _Endpoint, now: float) -> float:
        # A server that has just come back meets all its clients' backlogs at once.
        most = float(self._limits.max_in_flight)
        if endpoint.recovered_at is None:
            return most
        doublings = int((now - endpoint.recovered_at) / self._limits.recovery_doubling_s)
        ceiling = float(1 << min(doublings, 30))
        if ceiling >= most:
            endpoint.recovered_at = None
        return min(ceiling, most)

    def _lives(self, endpoint: _Endpoint, now: float) -> bool:
        endpoint.failures = 0
        endpoint.failing_spaces.clear()
        endpoint.opened = 0
        if endpoint.state is CircuitState.CLOSED:
            return False
        endpoint.state = CircuitState.CLOSED
        endpoint.recovered_at = now
        return True

    def _landed(self, url: str, now: float) -> _Endpoint:
        endpoint = self._get(url, now)
        endpoint.in_flight = max(0, endpoint.in_flight - 1)
        return endpoint

    def _most_tokens(self) -> float:
        # Room for one whole token even under a budget of none: a retry must come in the end.
        return max(self._limits.budget_tokens, 1.0)

    def _refill_rate(self) -> float:
        return self._most_tokens() / _TRICKLE_WINDOW_S

    def _refill(self, endpoint: _Endpoint, now: float) -> None:
        grown = endpoint.tokens + max(0.0, now - endpoint.tokens_at) * self._refill_rate()
        endpoint.tokens = min(self._most_tokens(), grown)
        endpoint.tokens_at = now

    def _get(self, url: str, now: float) -> _Endpoint:
        endpoint = self._endpoints.get(url)
        if endpoint is None:
            endpoint = self._endpoints[url] = _Endpoint(
                limit=float(self._limits.max_in_flight),
                tokens=self._limits.budget_tokens,
                tokens_at=now,
            )
        return endpoint
