"""Keeps delivery running: begins when what is older has been adopted, and again after a crash."""

import asyncio
import time
from collections.abc import Callable

import structlog

from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.journal import JournalError
from mem9_async.queue.troubles import place_of
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.storage.storage import Storage

log = structlog.get_logger()

_RESTART_AFTER_S = 1.0
_CRASHES, _CRASH_WINDOW_S = 3, 300.0
_FAILED_PAUSE_S = 60.0


class DeliveryLoop:
    """Runs the deliverer; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        deliverer: Deliverer,
        storage: Storage,
        health: Health,
        begins: asyncio.Event,
        load_anew: Callable[[], bool],
    ) -> None:
        self._deliverer = deliverer
        self._storage = storage
        self._health = health
        self._begins = begins
        self._load_anew = load_anew
        self._crashes: list[float] = []

    async def run(self) -> None:
        """Deliver until cancelled."""
        # What earlier processes left is older than what we hold: it goes first.
        await self._begins.wait()
        while True:
            try:
                await self._deliverer.run()
            except Exception as exc:
                await asyncio.sleep(self._crashed(exc))
            # A disk tells nobody when it can be written again.
            while not self._load_anew():  # noqa: ASYNC110
                await asyncio.sleep(_RESTART_AFTER_S)
            self._health.over("delivery")
            log.warning("worker.restarted", reason="crash")

    def _crashed(self, exc: Exception) -> float:
        """Note why delivery stopped; return after how many seconds it may begin again."""
        log.error("worker.crashed", error_type="worker_crash", reason=place_of(exc))
        causes = exc.exceptions if isinstance(exc, ExceptionGroup) else (exc,)
        for cause in causes:
            if isinstance(cause, JournalError):
                self._storage.met(cause)
        if all(isinstance(cause, JournalError) for cause in causes):
            return _RESTART_AFTER_S  # the disk's trouble, not ours: look again soon
        now = time.monotonic()
        self._crashes = [*(at for at in self._crashes if now - at < _CRASH_WINDOW_S), now]
        if len(self._crashes) < _CRASHES:
            return _RESTART_AFTER_S
        self._health.failed(
            "delivery", "delivery has crashed repeatedly and pauses; jobs are taken and kept"
        )
        log.error("worker.failed", reason=self._health.reason)
        return _FAILED_PAUSE_S
