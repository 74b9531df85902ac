"""What is known of one server: when its process began, and how its model does."""

from dataclasses import dataclass, field

from mem9_async.models.evidence import ModelCalls
from mem9_async.queue.watch.watched import Watched

_SLACK_S = 1.0  # the correction by Date is no finer


@dataclass(slots=True)
class Server:
    """One address. Behind a balancer several processes may answer in turn."""

    started_at: float | None = None
    alternates: bool = False  #: an older process was seen after a newer one
    calls: ModelCalls | None = None
    asked_at: float = float("-inf")
    _first: ModelCalls | None = field(default=None)

    def process(self, started_at: float, now: float) -> None:
        """A process answered that began at *started_at*."""
        self.asked_at = now
        newest = self.started_at
        if newest is not None and started_at < newest - _SLACK_S:
            self.alternates = True
            return
        if newest is not None and started_at > newest + _SLACK_S:
            self._first = self.calls = None  # its counters began anew
        self.started_at = started_at if newest is None else max(started_at, newest)

    def model(self, calls: ModelCalls, now: float) -> None:
        """Its counters, as read just now."""
        self.asked_at = now
        if self.calls is not None and calls.stores < self.calls.stores:
            self._first = None
        if self._first is None:
            self._first = calls
        self.calls = calls

    @property
    def has_no_model(self) -> bool:
        """Whether messages came and no model was ever called."""
        return self.calls is not None and not self.calls.has_model

    def restarted_after(self, taken_at: float) -> float | None:
        """When the process began, if that was after *taken_at*."""
        if self.started_at is None or self.started_at <= taken_at - _SLACK_S:
            return None
        return self.started_at

    def patience(self, grace_s: float) -> float:
        """How long to wait after a restart: twice as long where processes alternate."""
        return 2 * grace_s if self.alternates else grace_s

    def calls_before(self, now: float) -> tuple[int | None, int | None]:
        """The model's failed and good calls so far; None while they are not known."""
        del now
        return (None, None) if self.calls is None else (self.calls.failed, self.calls.good)

    def calls_since(self, batch: Watched) -> tuple[int, int]:
        """Failed and good calls since *batch* was taken, as far as is known."""
        if self.calls is None:
            return 0, 0
        if batch.failed_before is None or batch.good_before is None:
            # Nobody looked before it was taken: only a model that never works is to blame.
            return (self.calls.failed, 0) if not self.calls.good else (0, self.calls.good)
        failed = self.calls.failed - batch.failed_before
        return max(0, failed), max(0, self.calls.good - batch.good_before)
