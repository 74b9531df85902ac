"""The plugin as the tools see it: blocking calls, each with an end, over the loop's thread."""

import threading
from pathlib import Path

import structlog

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
from mem9_async.runtime.app import App
from mem9_async.runtime.loop import LoopThread
from mem9_async.settings import Settings

log = structlog.get_logger()

_START_TIMEOUT_S = 30.0
_STORE_TIMEOUT_S = 10.0
_GRACE_S = 5.0  # the loop's own deadline comes first; this one is for a loop that is stuck
_VALIDATE_TIMEOUT_S = 10.0


class Plugin:
    """Starts the loop's thread once, and carries calls to it. Hub side; blocks greenlets only."""

    def __init__(self, settings: Settings, working_directory: Path) -> None:
        self.settings = settings
        self._working_directory = working_directory
        # Patched by gevent: whoever calls while another greenlet starts us waits its turn.
        self._starting = threading.Lock()
        self._running: tuple[LoopThread, App] | None = None

    def start(self) -> tuple[LoopThread, App]:
        """Start the loop's thread, the journal and delivery, if they do not run yet.

        Waits until the journal is open. Raises RuntimeUnavailable when that takes too long.
        """
        with self._starting:
            if self._running is None:
                self._running = self._start()
            return self._running

    def _start(self) -> tuple[LoopThread, App]:
        thread = LoopThread()
        thread.start()
        app = App(self.settings, self._working_directory)

        async def open_and_start() -> App:
            app.open()
            thread.accepts_with(app.accept)
            app.start()
            return app

        return thread, thread.call(open_and_start, timeout_s=_START_TIMEOUT_S)

    def store(self, job: NewJob) -> Receipt:
        """Journal *job*; with `wait`, return its first attempt's outcome too. Raises QueueFull."""
        thread, app = self._running or self.start()
        if job.wait:
            timeout_s = self.settings.wait_timeout_ms / 1000 + _GRACE_S
            return thread.call(lambda: app.store_and_wait(job), timeout_s=timeout_s)
        return thread.store(job, timeout_s=_STORE_TIMEOUT_S)

    def search(
        self, query: SearchQuery, *, include_pending: bool, retry_query: str | None
    ) -> SearchResult:
        """Recall, with pending writes of the same scope. Raises RequestFailed."""
        thread, app = self._running or self.start()
        return thread.call(
            lambda: app.search(query, include_pending=include_pending, retry_query=retry_query),
            timeout_s=self._read_timeout_s,
        )

    def list_memories(self, query: ListQuery) -> MemoryPage:
        """Return one page of memories. Raises RequestFailed."""
        thread, app = self._running or self.start()
        return thread.call(lambda: app.client.list_memories(query), timeout_s=self._read_timeout_s)

    def get_memory(self, space: Space, caller_agent_id: str, memory_id: str) -> Memory:
        """Return one memory. Raises NotFound, RequestFailed."""
        thread, app = self._running or self.start()
        return thread.call(
            lambda: app.client.get(space, caller_agent_id, memory_id),
            timeout_s=self._read_timeout_s,
        )

    def update_memory(
        self, space: Space, caller_agent_id: str, memory_id: str, change: MemoryChange
    ) -> Memory:
        """Change one memory. Raises NotFound, VersionConflict, RequestFailed."""
        thread, app = self._running or self.start()
        return thread.call(
            lambda: app.client.update(space, caller_agent_id, memory_id, change),
            timeout_s=2 * self._read_timeout_s,
        )

    def delete_memories(self, space: Space, caller_agent_id: str, ids: tuple[str, ...]) -> Deletion:
        """Delete memories. Raises RequestFailed."""
        thread, app = self._running or self.start()
        return thread.call(
            lambda: app.client.delete(space, caller_agent_id, ids),
            timeout_s=2 * self._read_timeout_s,
        )

    def queue(self, command: QueueCommand) -> QueueReport:
        """Report on one space's jobs, after doing what *command* asks."""
        thread, app = self._running or self.start()

        async def report() -> QueueReport:
            return app.queue(command)

        return thread.call(report, timeout_s=_STORE_TIMEOUT_S)

    def validate(self, space: Space, caller_agent_id: str) -> None:
        """Make one authenticated request. Raises RequestFailed."""
        thread, app = self._running or self.start()
        thread.call(
            lambda: app.client.validate(space, caller_agent_id), timeout_s=_VALIDATE_TIMEOUT_S
        )

    @property
    def _read_timeout_s(self) -> float:
        return self.settings.search_timeout_ms / 1000 + _GRACE_S
