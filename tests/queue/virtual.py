"""An event loop in which waiting takes no time: hours of back-off pass in milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

_STEP_S = 1e-6  # each turn of the loop; without it, time would stand still in a busy stretch


class Stuck(Exception):
    """Everybody waits for somebody else: nothing will ever happen again."""


class _Selector(selectors.SelectSelector):
    """Lets the loop's time jump to its next timer instead of waiting for it."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("the loop has no timer and nothing to run")
        self.loop.advance(max(timeout, _STEP_S))
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with its own time, in seconds from 0."""

    def __init__(self) -> None:
        self._at = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._at

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._at += seconds


def run[T](main: Coroutine[Any, Any, T]) -> T:
    """Run *main* to its end on a virtual loop. Raises Stuck when it would wait for ever."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
