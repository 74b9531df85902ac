"""Greenlets that calls run in, each begun at once and used again."""

from collections import deque
from collections.abc import Callable

import gevent
import structlog
from gevent.hub import Waiter
from greenlet import greenlet

from mem9_async.queue.troubles import place_of

log = structlog.get_logger()

_IDLE_MOST = 100

Work = Callable[[], None]


class Greenlets:
    """Runs up to *most* pieces of work at a time; more of them wait, first come, first served.

    Work begins inside `begin`, without a turn of the hub's loop, and `begin` returns when it
    first waits for something.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._hub = gevent.get_hub()
        self._count = 0
        self._idle: list[Waiter] = []
        self._waiting: deque[Work] = deque()

    def begin(self, work: Work) -> None:
        """Run *work* in a greenlet of its own. Call it on the hub itself (in a callback) only."""
        if self._idle:
            self._idle.pop().switch(work)
        elif self._count < self._most:
            self._count += 1
            greenlet(self._run, self._hub).switch(work)
        else:
            self._waiting.append(work)

    def _run(self, work: Work) -> None:
        rest = Waiter(self._hub)
        try:
            while True:
                try:
                    work()
                except BaseException as exc:
                    # Past here it would end up in the hub, which everything else depends on.
                    log.error("worker.crashed", stage="answering", reason=place_of(exc))
                if self._waiting:
                    # A turn for the hub, or a pile of work that never waits would stop the others,
                    # the heartbeats and its own answers until it is done.
                    gevent.sleep(0)
                if self._waiting:
                    work = self._waiting.popleft()
                elif len(self._idle) < _IDLE_MOST:
                    self._idle.append(rest)
                    work = rest.get()
                else:
                    return
        finally:
            # Also when something that earlier work left behind strikes here, where none is done.
            self._count -= 1
            if rest in self._idle:
                self._idle.remove(rest)
