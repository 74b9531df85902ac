"""One clock for the queue: UTC epoch seconds that never jump while the process lives."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the queue reads the time, in seconds."""

    def now(self) -> float:
        """UTC epoch seconds; never goes back within one process."""


class SteadyClock:
    """The wall clock at the start, moved on by the monotonic clock.

    A wall clock that is set forward or back while we run moves nothing; `drift_s`
    tells by how much it was.
    """

    def __init__(self) -> None:
        self._wall = time.time()
        self._monotonic = time.monotonic()

    def now(self) -> float:
        """UTC epoch seconds as of the start, plus the time since."""
        return self._wall + (time.monotonic() - self._monotonic)

    def drift_s(self) -> float:
        """Seconds by which the wall clock has moved away from us."""
        return time.time() - self.now()
