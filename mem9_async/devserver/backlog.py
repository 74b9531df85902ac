"""Stores that were answered 202 and are ingested afterwards, each in a time of its own."""

import asyncio
import heapq
import itertools
import logging
import sqlite3
from collections.abc import Callable

from mem9_async.devserver.answers import Refusal
from mem9_async.devserver.database import one_commit
from mem9_async.devserver.ingest import ColumnTooShort, NotStorable
from mem9_async.devserver.model import ModelFailed

_AT_ONCE = 64
_GATHER_S = 0.02  # every commit makes the word index merge: fewer, fuller ones

_log = logging.getLogger(__name__)


class Backlog:
    """Runs accepted work when its time has come, many pieces in one commit.

    As each 202 of mem9 is worked on by itself, what came later may be there earlier.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, work: Callable[[], None], *, takes_s: float) -> None:
        """Take *work*; it runs later on this thread, an error in it is logged and loses it."""
        due_at = asyncio.get_running_loop().time() + takes_s
        heapq.heappush(self._waiting, (due_at, next(self._numbers), work))
        self._arrived.set()

    def run_due(self) -> None:
        """Run everything whose time has come, so that a read sees what was accepted before it."""
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0][0] <= now:
            self._run(_AT_ONCE, now)

    def run_all(self) -> None:
        """Run everything, whatever its time."""
        while self._waiting:
            self._run(_AT_ONCE, float("inf"))

    def drop(self) -> int:
        """Forget what waits, as a process that ends does; return how much it was."""
        count = len(self._waiting)
        self._waiting.clear()
        return count

    async def run_forever(self) -> None:
        """Waits for work and for its time. Cancelled: what waits stays, for `run_all`."""
        loop = asyncio.get_running_loop()
        while True:
            self._arrived.clear()
            if not self._waiting:
                await self._arrived.wait()
            await self._sleep_until_due(loop)
            self._run(_AT_ONCE, loop.time())

    async def _sleep_until_due(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the first is due; what comes meanwhile may be due before it."""
        if not self._waiting:
            return
        pause_s = max(_GATHER_S, self._waiting[0][0] - loop.time())
        if pause_s <= _GATHER_S:
            await asyncio.sleep(pause_s)
            return
        self._arrived.clear()
        try:
            async with asyncio.timeout(pause_s):
                await self._arrived.wait()
        except TimeoutError:
            return

    def _run(self, count: int, now: float) -> None:
        if not (self._waiting and self._waiting[0][0] <= now):
            return
        with one_commit(self._connection):
            for _ in range(count):
                if not (self._waiting and self._waiting[0][0] <= now):
                    return
                work = heapq.heappop(self._waiting)[2]
                try:
                    work()
                except (Refusal, ColumnTooShort, NotStorable, ModelFailed) as exc:
                    _log.warning("store lost after 202: %r", exc)
                except Exception:
                    _log.exception("store lost after 202")
