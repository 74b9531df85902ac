"""Whether a space remembers, and what is told about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mem9_async.queue.watch.watched import Schedule, Watched

_SILENT_BATCHES, _SILENT_AT_FIRST = 5, 3
_STEP_MOST = 4  # doublings of the pause between probes: 1 min becomes 15


@dataclass(frozen=True, slots=True)
class SpaceNews:
    """A change: `reason` is why the space does not remember, None when it does again."""

    space_id: int
    reason: str | None


@dataclass(slots=True)
class SpaceWatch:
    """One space. `reason` is why it does not remember: no_llm, llm_failing, unknown."""

    space_id: int
    reason: str | None = None
    _told: str | None = None
    _seen_ever: bool = False
    _missed: int = 0
    _probe_at: float = float("-inf")
    _probes: int = 0
    _recovered_at: float = float("-inf")

    def saw(self, batch: Watched) -> None:
        """A batch of it was seen: it remembers."""
        self._seen_ever = True
        self._missed = self._probes = 0
        if self.reason != "no_llm":
            self.reason = None
        self._recovered_at = max(self._recovered_at, batch.taken_at)

    def missed(self, batch: Watched) -> None:
        """A batch of it was never seen."""
        self._missed += 1

    def blame(self, reason: str) -> None:
        """There is evidence of why it does not remember."""
        self.reason = reason

    def recovered_since(self, taken_at: float) -> bool:
        """Whether a batch that was taken later than *taken_at* was seen."""
        return self._recovered_at > taken_at

    def lets_one_go(self, schedule: Schedule, now: float) -> bool:
        """Whether one batch of those held in an outage goes again now, to see whether it is over.

        At growing intervals, the first of which is waited out.
        """
        if now < self._probe_at:
            return False
        self._probe_at = now + schedule.grace_s * 2 ** min(self._probes, _STEP_MOST)
        self._probes += 1
        return self._probes > 1

    def news(self, batches: Sequence[Watched], schedule: Schedule, now: float) -> SpaceNews | None:
        """The change that is to be told; None when there is none."""
        if self.reason is None:
            silent = [
                batch
                for batch in batches
                if batch.seen_at is None and now - batch.taken_at >= schedule.silent_s
            ]
            enough = _SILENT_BATCHES if self._seen_ever else _SILENT_AT_FIRST
            if self._missed + len(silent) >= enough:
                self.reason = "unknown"
        if self.reason == self._told:
            return None
        self._told = self.reason
        return SpaceNews(self.space_id, self.reason)
