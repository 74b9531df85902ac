"""Whether the plugin keeps its promises at the moment, and if not, why."""

from typing import Literal

HealthState = Literal["starting", "ok", "degraded", "failed"]


class Health:
    """One state for the whole process; the worst reason that still holds wins."""

    def __init__(self) -> None:
        self.state: HealthState = "starting"
        self.reason: str | None = None

    def ok(self) -> None:
        """Everything promised can be kept."""
        self.state, self.reason = "ok", None

    def degraded(self, reason: str) -> None:
        """Something is promised no longer; the plugin goes on."""
        if self.state != "failed":
            self.state, self.reason = "degraded", reason

    def failed(self, reason: str) -> None:
        """Delivery has stopped; jobs are still taken and kept."""
        self.state, self.reason = "failed", reason
