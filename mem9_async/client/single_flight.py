"""Lets equal questions that are asked at the same time share one answer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable


class _Shared[Result]:
    def __init__(self, task: asyncio.Task[Result]) -> None:
        self.task = task
        self.waiting = 0


class InFlight[Key: Hashable, Result]:
    """The questions under way, by key. An answer is shared, never kept."""

    def __init__(self) -> None:
        self._shared: dict[Key, _Shared[Result]] = {}

    def __len__(self) -> int:
        """How many different questions are under way."""
        return len(self._shared)

    async def run(self, key: Key, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Return what *ask* answers, or what an equal question under way does.

        Waits for the answer. Cancelled: the others keep waiting; the question itself is
        cancelled when nobody is left. Raises what the question raised, to each who waits.
        """
        shared = self._shared.get(key)
        if shared is None:
            shared = _Shared(asyncio.create_task(_awaited(ask)))
            self._shared[key] = shared
            shared.task.add_done_callback(lambda _: self._forget(key, shared))
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if shared.waiting == 0 and not shared.task.done():
                self._forget(key, shared)
                shared.task.cancel()

    def _forget(self, key: Key, shared: _Shared[Result]) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]


async def _awaited[Result](ask: Callable[[], Awaitable[Result]]) -> Result:
    return await ask()
