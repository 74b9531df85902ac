"""Answers a server in trouble would give, on demand: for tests, and to try quota handling."""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Meter = Literal["write", "recall"]

_UPGRADE_URL = "https://example.com/mem9/upgrade"


class Fault(BaseModel):
    """What to do to requests that match. Unset conditions match everything.

    `status` answers instead of the server, `body` is JSON or (a string) plain text; with
    `perform` the work is done first and the answer replaced. `cut` closes the connection
    without an answer. `delay_s` waits before either. `times` None: until cleared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: int | None = Field(1, ge=1)
    key: str | None = None
    meter: Meter | None = None
    method: str | None = None
    path: str | None = None  # any part of it
    delay_s: float = Field(0.0, ge=0)
    perform: bool = False
    cut: bool = False
    status: int | None = Field(None, ge=200, le=599)
    body: JsonValue = None
    headers: dict[str, str] = {}

    def matches(self, *, method: str, path: str, key: str, meter: Meter | None) -> bool:
        """True when every condition that is set holds."""
        return (
            (self.key is None or self.key == key)
            and (self.meter is None or self.meter == meter)
            and (self.method is None or self.method == method)
            and (self.path is None or self.path in path)
        )


def _denial(meter: str, gate: dict[str, JsonValue], action: str) -> JsonValue:
    return {
        "error": "The quota of this API key is used up.",
        "details": {
            "errorCategory": "runtime_quota_denied",
            "runtimeQuota": {
                "meter": meter,
                "recommendedAction": {
                    "type": "openUrl",
                    "providerActionCode": action,
                    "severity": "blocking",
                    "url": _UPGRADE_URL,
                },
                "quotaGateResult": gate,
            },
        },
    }


def _rate_limited(meter: str) -> JsonValue:
    limit: JsonValue = {
        "requestsPerMinute": 2,
        "windowDurationSeconds": 60,
        "scope": "apiKeyMeter",
        "retryAfterSeconds": 5,
    }
    return _denial(
        meter,
        {
            "outcome": "rateLimited",
            "mode": "postQuota",
            "reason": "postQuotaRateLimitExceeded",
            "postQuotaRateLimit": limit,
        },
        "upgradePlan",
    )


_BLOCKED: Final[dict[str, JsonValue]] = {"outcome": "blocked", "reason": "quotaExhausted"}

PRESETS: Final[Mapping[str, Fault]] = {
    "write_quota_blocked": Fault(
        meter="write", status=402, body=_denial("memory_write_requests", _BLOCKED, "upgradePlan")
    ),
    "recall_quota_blocked": Fault(
        meter="recall", status=402, body=_denial("memory_recall_requests", _BLOCKED, "upgradePlan")
    ),
    "write_rate_limited": Fault(
        meter="write", status=429, body=_rate_limited("memory_write_requests")
    ),
    "recall_rate_limited": Fault(
        meter="recall", status=429, body=_rate_limited("memory_recall_requests")
    ),
    "unavailable": Fault(status=503, body={"error": "cannot connect to tenant database"}),
    "invalid_key": Fault(path="/mem9s", status=400, body={"error": "invalid API key"}),
    "lost_after_accept": Fault(meter="write", status=202, body={"status": "accepted"}),
}


class Faults:
    """The faults in force, the oldest first; each is used up after its `times`."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        """Put *fault* in force for the next requests that match."""
        self._faults.append((fault, fault.times))

    def clear(self) -> None:
        """Back to health."""
        self._faults.clear()

    @property
    def left(self) -> tuple[Fault, ...]:
        """The faults still in force, `times` counted down."""
        return tuple(fault.model_copy(update={"times": left}) for fault, left in self._faults)

    def take(self, *, method: str, path: str, key: str, meter: Meter | None) -> Fault | None:
        """The first fault that matches, one use of it spent; None when all is well."""
        for index, (fault, left) in enumerate(self._faults):
            if fault.matches(method=method, path=path, key=key, meter=meter):
                if left == 1:
                    del self._faults[index]
                elif left is not None:
                    self._faults[index] = (fault, left - 1)
                return fault
        return None


class FaultOrder(BaseModel):
    """A fault as the control route takes it: a preset's name, or the fields of a Fault."""

    model_config = ConfigDict(frozen=True, extra="allow")

    preset: str | None = None

    def fault(self) -> Fault:
        """The fault ordered. Raises ValueError for an unknown preset or bad fields."""
        fields = self.model_extra or {}
        if self.preset is None:
            return Fault.model_validate(fields)
        if self.preset not in PRESETS:
            raise ValueError(f"no such preset; there are {', '.join(sorted(PRESETS))}")
        return Fault.model_validate(PRESETS[self.preset].model_dump() | fields)
