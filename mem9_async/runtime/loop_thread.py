"""Where the two threads meet: calls from greenlets go to the loop, answers and records come back.

The loop runs uvloop on a native thread of its own. `threading.Thread` would be a greenlet
here, and the stock loop hangs on host names (docs/reference/dify-plugin.md, 4). Nothing else
in the package knows both sides. A wait on the hub always has an end.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

import gevent
import structlog
import uvloop
from gevent import monkey
from gevent.hub import Waiter

from mem9_async.models.errors import Mem9AsyncError, RuntimeUnavailable
from mem9_async.models.job import NewJob, Receipt
from mem9_async.queue.troubles import place_of

log = structlog.get_logger()

_start_native_thread: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")

_TICK_S = 0.5

Accept = Callable[[list[NewJob]], list[Receipt | Mem9AsyncError]]
Waited = Callable[[Iterable[float]], None]


async def aside[T](function: Callable[[], T]) -> T:
    """Run *function* on a native thread of its own, and wait for it; for what blocks on a disk.

    Belongs on the loop. Cancelled: *function* runs on, and what it returns is dropped.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def tell(value: T | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(value)  # type: ignore[arg-type]
        else:
            ended.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = function()
        except BaseException as exc:
            error = exc
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(tell, value, error)

    _start_native_thread(run, ())
    return await ended


class LoopThread:
    """A native thread with one uvloop loop, and the crossing from the hub to it."""

    def __init__(self, *, on_end: Callable[[], None] = lambda: None) -> None:
        """*on_end* runs on the thread when its loop has ended, whatever ended it."""
        self._on_end = on_end
        self._hub = gevent.get_hub()
        self._loop = uvloop.new_event_loop()
        # Both deques are filled on one side and emptied on the other; a deque's ends are atomic.
        # Each has a flag: whether the other side was called and has not begun to empty it. It is
        # set after filling and cleared before emptying, so that nothing can be left lying.
        self._stores: deque[tuple[NewJob, Waiter, float]] = deque()
        self._answers: deque[tuple[Waiter, object]] = deque()
        self._loop_called = self._hub_called = False
        self._accept: Accept | None = None
        self._waited: Waited = lambda seconds: None
        self._ended = False
        self._ticked_at = time.monotonic()

    def start(self) -> None:
        """Start the thread; returns at once."""
        _start_native_thread(self._run, ())

    def _run(self) -> None:
        try:
            asyncio.set_event_loop(self._loop)
            self._loop.call_soon(self._tick)
            self._loop.run_forever()
        finally:
            self._ended = True
            self._on_end()

    def _tick(self) -> None:
        self._ticked_at = time.monotonic()
        self._loop.call_later(_TICK_S, self._tick)

    @property
    def ended(self) -> bool:
        """Whether the loop has stopped running."""
        return self._ended

    @property
    def silent_s(self) -> float:
        """Seconds since the loop last had a turn; more than a second means that it is stuck."""
        return time.monotonic() - self._ticked_at

    def accepts_with(self, accept: Accept, *, waited: Waited) -> None:
        """Use *accept* for stores from now on; called on the loop's thread.

        *waited* is told how many seconds the callers of each commit had waited for it.
        """
        self._accept = accept
        self._waited = waited

    def wake_hub(self, callback: Callable[[], None]) -> None:
        """Run *callback* on the hub soon; callable from any thread."""
        self._hub.loop.run_callback_threadsafe(callback)

    def store(self, job: NewJob, *, timeout_s: float) -> Receipt:
        """Have *job* accepted; blocks this greenlet only.

        Stores that come while the loop is busy cross, and are committed, together. Raises
        what refused the job, or RuntimeUnavailable after *timeout_s* (it may still be taken).
        """
        self._check_runs()
        result = Waiter(self._hub)
        self._stores.append((job, result, time.monotonic()))
        if not self._loop_called:
            self._loop_called = True
            self._loop.call_soon_threadsafe(self._take_stores)
        receipt: Receipt = _value(result, timeout_s)
        return receipt

    def _check_runs(self) -> None:
        if self._ended:
            raise RuntimeUnavailable(
                "the plugin's background loop has ended and is replaced; try again in a moment"
            )

    def _take_stores(self) -> None:
        self._loop_called = False
        taken: list[tuple[NewJob, Waiter, float]] = []
        while self._stores:
            taken.append(self._stores.popleft())
        if not taken:
            return
        answers: list[Receipt | Mem9AsyncError] | list[RuntimeUnavailable]
        if self._accept is None:
            answers = [RuntimeUnavailable("the plugin is still starting")] * len(taken)
        else:
            try:
                answers = self._accept([job for job, _, _ in taken])
            except Exception as exc:
                failed = RuntimeUnavailable(f"the queue failed: {type(exc).__name__}")
                failed.__cause__ = exc
                answers = [failed] * len(taken)
        for (_, result, _), answer in zip(taken, answers, strict=True):
            self._answer(result, answer)
        now = time.monotonic()
        self._waited([now - asked_at for _, _, asked_at in taken])

    def call[T](
        self, function: Callable[[], Coroutine[object, object, T]], *, timeout_s: float
    ) -> T:
        """Run the coroutine of *function* on the loop and wait for it; blocks this greenlet only.

        After *timeout_s* it is cancelled and RuntimeUnavailable raised.
        """
        self._check_runs()
        result = Waiter(self._hub)
        tasks: list[asyncio.Task[None]] = []

        async def run() -> None:
            try:
                self._answer(result, await function())
            except Exception as exc:
                self._answer(result, exc)
            except BaseException as exc:
                # It must end neither the greenlet that waits nor the loop.
                failed = RuntimeUnavailable(f"the call broke off: {type(exc).__name__}")
                self._answer(result, failed)
                if isinstance(exc, asyncio.CancelledError):
                    raise

        def begin() -> None:
            # Eager: most calls end without ever waiting, or get as far as their request.
            tasks.append(asyncio.Task(run(), loop=self._loop, eager_start=True))

        self._loop.call_soon_threadsafe(begin)
        try:
            value: T = _value(result, timeout_s)
            return value
        except RuntimeUnavailable:
            self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            raise

    def _answer(self, result: Waiter, answer: object) -> None:
        self._answers.append((result, answer))
        if not self._hub_called:
            self._hub_called = True
            self.wake_hub(self._give_answers)

    def _give_answers(self) -> None:
        self._hub_called = False
        while self._answers:
            result, answer = self._answers.popleft()
            # The greenlet goes on at once, and we go on when it next waits, or ends; one that has
            # given up waiting is passed over.
            try:
                if isinstance(answer, BaseException):
                    result.throw(answer)
                else:
                    result.switch(answer)
            except Exception as exc:
                # One answer that cannot be given must not hold up the others behind it.
                log.error("worker.crashed", stage="answering", reason=place_of(exc))

    def soon(self, callback: Callable[[], None]) -> None:
        """Run *callback* on the loop soon; callable from any thread. Nothing tells when."""
        if not self._ended:
            self._loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """Ask the loop to end; returns at once."""
        if not self._ended:
            self._loop.call_soon_threadsafe(self._loop.stop)


def _value(result: Waiter, timeout_s: float) -> Any:  # noqa: ANN401  gevent is untyped
    with gevent.Timeout(timeout_s) as limit:
        try:
            return result.get()
        except gevent.Timeout as exc:
            if exc is not limit:
                raise
            raise RuntimeUnavailable(
                f"the plugin's background loop did not answer within {timeout_s:g} s"
            ) from exc
