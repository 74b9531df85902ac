"""Has snapshots written: every 15 s, and within a second when something got worse.

Taking one is a matter of a millisecond on the loop; rendering and writing happen on another thread.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from mem9_async.models.status_snapshot import StatusSnapshot
from mem9_async.queue.journal import JournalError
from mem9_async.queue.troubles import place_of
from mem9_async.runtime.status.process import Process
from mem9_async.runtime.status.status_files import StatusFiles
from mem9_async.runtime.status.status_source import StatusSource

log = structlog.get_logger()

INTERVAL_S = 15.0
_TICK_S = 1.0

#: Runs a function on another thread, and waits for it.
Aside = Callable[[Callable[[], object]], Awaitable[object]]


class Publisher:
    """Writes one process's files; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        source: Callable[[], StatusSource],
        files: StatusFiles,
        process: Process,
        aside: Aside,
        restarts: int = 0,
    ) -> None:
        """*source* is asked each time: a journal that has to be replaced gets another one."""
        self._source = source
        self._files = files
        self._process = process
        self._aside = aside
        self._restarts = restarts
        self._delay_s = 0.0
        self._written_at = float("-inf")
        self._ailments: tuple[int, ...] = ()
        self._failing = False
        self._writing: asyncio.Future[object] | None = None

    async def run(self) -> None:
        """Write until cancelled; the first time at once."""
        while True:
            try:
                await self._turn()
            except JournalError as exc:
                log.warning("status.write_failed", error_type="journal_error", reason=str(exc))
            except Exception as exc:
                # Nobody looks after this task: what goes wrong once must not end it.
                log.error("worker.crashed", stage="telling", error_type="bug", reason=place_of(exc))
            slept_at = time.monotonic()
            await asyncio.sleep(_TICK_S)
            late_s = time.monotonic() - slept_at - _TICK_S
            self._delay_s = max(self._delay_s, late_s)

    async def close(self) -> None:
        """Wait for what is being written, then take the files away."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        self._files.remove()

    async def _turn(self) -> None:
        source = self._source()
        source.close_step()
        ailments = source.ailments()
        worse = any(now > before for now, before in zip(ailments, self._ailments, strict=False))
        self._ailments = ailments
        if worse or time.monotonic() - self._written_at >= INTERVAL_S:
            first = self._written_at == float("-inf")
            self._written_at = time.monotonic()
            await self._write(self._taken(source), tidies=first)

    def _taken(self, source: StatusSource) -> StatusSnapshot:
        delay_s, self._delay_s = self._delay_s, 0.0
        return source.take(
            self._process,
            interval_s=INTERVAL_S,
            loop_delay_s=delay_s,
            restarts=self._restarts,
        )

    async def _write(self, snapshot: StatusSnapshot, *, tidies: bool) -> None:
        def write() -> None:
            if tidies:
                self._files.tidy(snapshot.taken_at)
            self._files.write(snapshot)

        self._writing = asyncio.ensure_future(self._aside(write))
        try:
            # Cancelled: the other thread writes on, and close() waits for it.
            await asyncio.shield(self._writing)
        except OSError as exc:
            if not self._failing:
                log.warning("status.write_failed", error_type="disk", reason=exc.strerror)
            self._failing = True
        else:
            self._failing = False
