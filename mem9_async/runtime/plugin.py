"""The plugin as the tools see it: blocking calls, each with an end, over the loop's thread."""

import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

import structlog

from mem9_async.models.errors import QueueFull, RuntimeUnavailable
from mem9_async.models.job import NewJob, QueueCommand, QueueReport, Receipt
from mem9_async.models.memory import (
    Deletion,
    ListQuery,
    Memory,
    MemoryChange,
    MemoryPage,
    SearchQuery,
    SearchResult,
)
from mem9_async.models.space import Space
from mem9_async.queue.journal.takeover import Takeover
from mem9_async.runtime.app import App
from mem9_async.runtime.loop import LoopThread
from mem9_async.runtime.storage import in_memory, open_storage
from mem9_async.settings import Settings

log = structlog.get_logger()

_RESTARTS, _RESTART_WINDOW_S = 3, 300.0
_START_TIMEOUT_S = 30.0
_STORE_TIMEOUT_S = 10.0
_LOOK_FOR_ROOM_EVERY_S = 0.02
_GRACE_S = 5.0  # the loop's own deadline comes first; this one is for a loop that is stuck
_VALIDATE_TIMEOUT_S = 10.0


class Plugin:
    """Starts the loop's thread, watches it, and carries calls to it. Blocks greenlets only."""

    def __init__(
        self,
        settings: Settings,
        working_directory: Path,
        *,
        lasting: bool = True,
        stalled_after_s: float = 30.0,
    ) -> None:
        """*lasting* is False where neither process nor disk outlive an answer (serverless)."""
        self.settings = settings
        self._working_directory = working_directory
        self._lasting = lasting
        self._stalled_after_s = stalled_after_s
        # Patched by gevent: whoever calls while another greenlet starts us waits its turn.
        self._starting = threading.Lock()
        self._running: _Running | None = None
        self._restarted_at: deque[float] = deque(maxlen=_RESTARTS)

    def start(self) -> "_Running":
        """Start the loop's thread, the journal and delivery, if they do not run yet.

        Waits until the journal is open. Raises RuntimeUnavailable when that takes too long.
        """
        with self._starting:
            if self._running is None:
                self._running = self._start()
            return self._running

    def _start(self) -> "_Running":
        running = _Running()
        running.thread.start()

        async def open_and_start() -> App:
            if self._lasting:
                storage = open_storage(self.settings, self._working_directory)
            else:
                storage = in_memory(self.settings, "this runtime keeps nothing between answers")
            app = running.app = App(self.settings, storage)
            running.thread.accepts_with(app.accept)
            app.start()
            return app

        running.thread.call(open_and_start, timeout_s=_START_TIMEOUT_S)
        return running

    def _move_if_needed(self, running: "_Running") -> None:
        """Begin a new journal when the present one was removed or damaged; keep what it had."""
        old = running.app
        if old is None or not (old.storage.vanished or old.storage.damaged):
            return

        async def move() -> None:
            await old.stop()
            old.storage.set_aside_if_damaged()
            storage = open_storage(
                self.settings, self._working_directory, known_secret=old.storage.secret
            )
            if not old.storage.damaged:
                for _ in Takeover(storage.journal, old.storage.journal).chunks():
                    pass
                old.storage.close()
            app = running.app = App(self.settings, storage)
            running.thread.accepts_with(app.accept)
            app.start()

        log.error(
            "journal.quarantined" if old.storage.damaged else "journal.write_failed",
            error_type="journal_corrupt" if old.storage.damaged else "disk_readonly",
            reason=old.storage.damaged or "the journal file was removed",
        )
        running.thread.call(move, timeout_s=_START_TIMEOUT_S)

    def watch(self) -> None:
        """Replace a loop that has ended or is stuck; call it every second or so.

        The journal survives: an ended thread has released it, and the new one takes it over.
        A stuck one keeps it until it moves again; meanwhile stores go to a new journal.
        """
        running = self._running
        if running is None:
            return
        stuck = running.thread.silent_s > self._stalled_after_s
        if not running.thread.ended and not stuck:
            self._move_if_needed(running)
            return
        reason = "the loop is stuck" if stuck else "the loop has ended"
        log.error(
            "worker.stalled" if stuck else "worker.crashed",
            error_type="worker_stall" if stuck else "worker_crash",
            reason=reason,
        )
        now = time.monotonic()
        self._restarted_at.append(now)
        running.thread.stop()
        with self._starting:
            self._running = None
            self._running = self._start()
        log.warning("worker.restarted", reason=reason)
        if len(self._restarted_at) == _RESTARTS and now - self._restarted_at[0] < _RESTART_WINDOW_S:
            self._app.health.degraded("loop", f"the background loop was replaced {_RESTARTS} times")

    @property
    def _app(self) -> App:
        app = (self._running or self.start()).app
        if app is None:
            raise RuntimeUnavailable("the plugin is still starting; try again in a moment")
        return app

    @property
    def _thread(self) -> LoopThread:
        return (self._running or self.start()).thread

    def close(self) -> None:
        """Stop without draining, within `shutdown_grace_ms`: the journal keeps what is left."""
        if self._running is not None and self._running.app is not None:
            grace_s = self.settings.shutdown_grace_ms / 1000
            with suppress(RuntimeUnavailable):
                self._thread.call(self._running.app.aclose, timeout_s=grace_s)

    def store(self, job: NewJob) -> Receipt:
        """Journal *job*; with `wait`, return its first attempt's outcome too. Raises QueueFull."""
        app = self._app
        if job.wait or app.delivers_first:
            timeout_s = self.settings.wait_timeout_ms / 1000 + _GRACE_S
            return self._thread.call(lambda: app.store_and_wait(job), timeout_s=timeout_s)
        waits_until = time.monotonic() + self.settings.accept_timeout_ms / 1000
        while True:
            try:
                return self._thread.store(job, timeout_s=_STORE_TIMEOUT_S)
            except QueueFull:
                if self.settings.overflow != "block" or time.monotonic() >= waits_until:
                    raise
            time.sleep(_LOOK_FOR_ROOM_EVERY_S)

    def search(
        self, query: SearchQuery, *, include_pending: bool, retry_query: str | None
    ) -> SearchResult:
        """Recall, with pending writes of the same scope. Raises RequestFailed."""
        app = self._app
        return self._thread.call(
            lambda: app.search(query, include_pending=include_pending, retry_query=retry_query),
            timeout_s=self._read_timeout_s,
        )

    def list_memories(self, query: ListQuery) -> MemoryPage:
        """Return one page of memories. Raises RequestFailed."""
        app = self._app
        return self._thread.call(
            lambda: app.client.list_memories(query), timeout_s=self._read_timeout_s
        )

    def get_memory(self, space: Space, caller_agent_id: str, memory_id: str) -> Memory:
        """Return one memory. Raises NotFound, RequestFailed."""
        app = self._app
        return self._thread.call(
            lambda: app.client.get(space, caller_agent_id, memory_id),
            timeout_s=self._read_timeout_s,
        )

    def update_memory(
        self, space: Space, caller_agent_id: str, memory_id: str, change: MemoryChange
    ) -> Memory:
        """Change one memory. Raises NotFound, VersionConflict, RequestFailed."""
        app = self._app
        return self._thread.call(
            lambda: app.client.update(space, caller_agent_id, memory_id, change),
            timeout_s=2 * self._read_timeout_s,
        )

    def delete_memories(self, space: Space, caller_agent_id: str, ids: tuple[str, ...]) -> Deletion:
        """Delete memories. Raises RequestFailed."""
        app = self._app
        return self._thread.call(
            lambda: app.client.delete(space, caller_agent_id, ids),
            timeout_s=2 * self._read_timeout_s,
        )

    def queue(self, command: QueueCommand) -> QueueReport:
        """Report on one space's jobs, after doing what *command* asks."""
        app = self._app

        async def report() -> QueueReport:
            return app.queue(command)

        return self._thread.call(report, timeout_s=_STORE_TIMEOUT_S)

    def validate(self, space: Space, caller_agent_id: str) -> None:
        """Make one authenticated request. Raises RequestFailed."""
        app = self._app
        self._thread.call(
            lambda: app.validate(space, caller_agent_id), timeout_s=_VALIDATE_TIMEOUT_S
        )

    @property
    def _read_timeout_s(self) -> float:
        return self.settings.search_timeout_ms / 1000 + _GRACE_S


class _Running:
    """One loop thread and the app on it."""

    def __init__(self) -> None:
        self.app: App | None = None
        self.thread = LoopThread(on_end=self._release)

    def _release(self) -> None:
        if self.app is not None:
            self.app.abandon()
