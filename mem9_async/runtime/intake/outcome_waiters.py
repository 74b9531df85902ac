"""Callers that wait for the end of their job's first attempt."""

import asyncio
from collections.abc import Iterable

from mem9_async.models.outcome import Outcome


class Waiting:
    """Who waits for which job. Belongs to the loop's thread."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[asyncio.Future[Outcome]]] = {}

    async def outcome(self, job_id: str, *, timeout_s: float) -> Outcome | None:
        """The outcome of the job's next attempt; None when none ended within *timeout_s*.

        Cancelled: nobody waits any more, the job goes on.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(job_id, []).append(future)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return None
        finally:
            waiters = self._waiters[job_id]
            waiters.remove(future)
            if not waiters:
                del self._waiters[job_id]

    def settled(self, job_ids: Iterable[str], outcome: Outcome) -> None:
        """Tell everybody who waits for one of *job_ids*."""
        if not self._waiters:
            return
        for job_id in job_ids:
            for future in self._waiters.get(job_id, ()):
                if not future.done():
                    future.set_result(outcome)
