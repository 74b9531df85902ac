"""What is known of one server: when its process began, and how its model does."""

from dataclasses import dataclass

from mem9_async.models.evidence import ModelCalls, Process
from mem9_async.queue.watch.watched import Watched

_SLACK_S = 1.0  # the correction by Date is no finer


@dataclass(slots=True)
class Server:
    """One address. Behind a balancer several processes may answer in turn."""

    newest: Process | None = None
    alternates: bool = False  #: an older process was seen after a newer one
    calls: ModelCalls | None = None
    asked_at: float = float("-inf")
    has_no_model: bool = False  #: messages came, and for a while no model was called
    _uncalled_since: float | None = None

    def process(self, process: Process, now: float) -> None:
        """*process* answered."""
        self.asked_at = now
        if self.newest is not None and process.began < self.newest.began:
            self.alternates = True
            return
        if self.newest is None or process.began > self.newest.began:
            self.newest = process
            self.calls = self._uncalled_since = None  # its counters began anew

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
        newest, before = self.newest, batch.process_before
        if newest is None or newest == before:
            return None
        # About: where no process was known before, only one that is surely younger is blamed.
        slack_s = _SLACK_S if before is None else -_SLACK_S
        return newest.began_at if newest.began_at > batch.taken_at + slack_s else None

    def patience(self, grace_s: float) -> float:
        """How long to wait after a restart: twice as long where processes alternate."""
        return 2 * grace_s if self.alternates else grace_s

    def note(self, batch: Watched) -> None:
        """Note with *batch*, which was just taken, what was known then."""
        batch.process_before = self.newest
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
