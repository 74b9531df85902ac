"""Whether the plugin keeps its promises at the moment, and if not, why."""

from typing import Literal

HealthState = Literal["ok", "degraded", "failed"]


class Health:
    """Named problems, each until it is over; together they are the state of the process."""

    def __init__(self) -> None:
        self._problems: dict[str, tuple[HealthState, str]] = {}

    @property
    def state(self) -> HealthState:
        """`failed` when delivery has stopped, `degraded` when a promise cannot be kept."""
        states = {state for state, _ in self._problems.values()}
        return "failed" if "failed" in states else "degraded" if states else "ok"

    @property
    def reason(self) -> str | None:
        """Every problem in words; None when there is none."""
        return "; ".join(reason for _, reason in self._problems.values()) or None

    def degraded(self, name: str, reason: str) -> None:
        """Note the problem *name*: something is promised no longer; the plugin goes on."""
        self._problems[name] = ("degraded", reason)

    def failed(self, name: str, reason: str) -> None:
        """Note the problem *name*: delivery has stopped; jobs are still taken and kept."""
        self._problems[name] = ("failed", reason)

    def over(self, name: str) -> None:
        """The problem *name* does not hold any more."""
        self._problems.pop(name, None)
