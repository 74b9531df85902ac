"""Stores that were answered 202 and are ingested afterwards, in the order they came."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable

from mem9_async.devserver.answers import Refusal
from mem9_async.devserver.database import one_commit
from mem9_async.devserver.ingest import ColumnTooShort

_AT_ONCE = 64
_GATHER_S = 0.02  # every commit makes the word index merge: fewer, fuller ones

_log = logging.getLogger(__name__)


class Backlog:
    """Runs accepted work `delay_s` seconds after it came, many pieces in one commit."""

    def __init__(self, connection: sqlite3.Connection, *, delay_s: float) -> None:
        self._connection = connection
        self._delay_s = delay_s
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, work: Callable[[], None]) -> None:
        """Take *work*; it runs later on this thread, an error in it is logged and loses it."""
        self._waiting.append((asyncio.get_running_loop().time() + self._delay_s, work))
        self._arrived.set()

    def run_due(self) -> None:
        """Run everything whose time has come, so that a read sees what was accepted before it."""
        while self._waiting and self._waiting[0][0] <= asyncio.get_running_loop().time():
            self._run(_AT_ONCE, asyncio.get_running_loop().time())

    def run_all(self) -> None:
        """Run everything, whatever its time."""
        while self._waiting:
            self._run(_AT_ONCE, float("inf"))

    async def run_forever(self) -> None:
        """Waits for work and for its time. Cancelled: what waits stays, for `run_all`."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.sleep(max(_GATHER_S, self._waiting[0][0] - loop.time()))
            if self._waiting:  # a read may have been quicker
                self._run(_AT_ONCE, loop.time())

    def _run(self, count: int, now: float) -> None:
        with one_commit(self._connection):
            for _ in range(min(count, len(self._waiting))):
                if self._waiting[0][0] > now:
                    return
                work = self._waiting.popleft()[1]
                try:
                    work()
                except (Refusal, ColumnTooShort) as exc:
                    _log.warning("store lost after 202: %s", exc)
                except Exception:
                    _log.exception("store lost after 202")
