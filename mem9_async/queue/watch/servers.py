"""What is known of one server: when its process began, and how its model does."""

from dataclasses import dataclass

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
    has_no_model: bool = False  #: messages came, and for a while no model was called
    _uncalled_since: float | None = None

    def process(self, started_at: float, now: float) -> None:
        """A process answered that began at *started_at*."""
        self.asked_at = now
        newest = self.started_at
        if newest is not None and started_at < newest - _SLACK_S:
            self.alternates = True
            return
        if newest is not None and started_at > newest + _SLACK_S:
            self.calls = self._uncalled_since = None  # its counters began anew
        self.started_at = started_at if newest is None else max(started_at, newest)

    def model(self, calls: ModelCalls, now: float, *, patience_s: float) -> None:
        """Its counters, as read just now; a call counts only once the model has answered."""
        self.asked_at = now
        self.calls = calls
        if calls.has_model:
            self._uncalled_since = None
            self.has_no_model = self.has_no_model and calls.stores == 0
            return
        if self._uncalled_since is None:
            self._uncalled_since = now
        self.has_no_model = now - self._uncalled_since >= patience_s

    def restarted_since(self, batch: Watched) -> float | None:
        """When the process began, if that was after *batch* was taken.

        Where one was known before that, it is another now; else only its time can tell.
        """
        at, before = self.started_at, batch.process_before
        if at is None:
            return None
        if before is None:
            return at if at > batch.taken_at + _SLACK_S else None
        return at if at > before + _SLACK_S and at > batch.taken_at - _SLACK_S else None

    def patience(self, grace_s: float) -> float:
        """How long to wait after a restart: twice as long where processes alternate."""
        return 2 * grace_s if self.alternates else grace_s

    def note(self, batch: Watched) -> None:
        """Note with *batch*, which was just taken, what was known then."""
        batch.process_before = self.started_at
        if self.calls is not None:
            batch.failed_before, batch.good_before = self.calls.failed, self.calls.good

    def calls_since(self, batch: Watched) -> tuple[int, int]:
        """Failed and good calls since *batch* was taken, as far as is known."""
        if self.calls is None:
            return 0, 0
        if batch.failed_before is None or batch.good_before is None:
            # Nobody looked before it was taken: only a model that never works is to blame.
            return (self.calls.failed, 0) if not self.calls.good else (0, self.calls.good)
        failed = self.calls.failed - batch.failed_before
        return max(0, failed), max(0, self.calls.good - batch.good_before)
