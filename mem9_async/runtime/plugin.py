"""The plugin as the tools see it: blocking calls, each with an end, over the loop's thread."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from mem9_async.models.agent_memory import Observation, Preparation, Prepared
from mem9_async.models.errors import QueueFull, RuntimeUnavailable, Unwritable
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
from mem9_async.queue.journal import JournalError
from mem9_async.runtime.app import App
from mem9_async.runtime.intake.sequences import Sequences
from mem9_async.runtime.loop_thread import LoopThread
from mem9_async.runtime.running import Running
from mem9_async.runtime.startup import begun, moved, place_for
from mem9_async.runtime.storage.storage import Storage, ephemeral
from mem9_async.settings import Settings

log = structlog.get_logger()

_RESTARTS, _RESTART_WINDOW_S = 3, 300.0
_START_TIMEOUT_S = 30.0
_LOOK_AGAIN_S = 5.0
_STORE_TIMEOUT_S = 10.0
_LOOK_FOR_ROOM_EVERY_S = 0.02
_GRACE_S = 5.0  # the loop's own deadline comes first; this one is for a loop that is stuck
_VALIDATE_TIMEOUT_S = 10.0
_OBSERVE_TIMEOUT_S = 8.0  # Dify's agent waits for ten
_CROSSING_S = 0.5  # of a limit that holds for the whole call
_NOTHING_KEPT = (
    "nothing can be kept where the plugin runs, and an event does not wait for mem9: this one was "
    "not taken"
)


class Plugin:
    """Starts the loop's thread, watches it, and carries calls to it. Blocks greenlets only."""

    def __init__(
        self,
        settings: Settings,
        working_directory: Path,
        *,
        lasting: bool = True,
        host_has_gone: Callable[[], bool] = lambda: False,
        stalled_after_s: float = 30.0,
    ) -> None:
        """*lasting* is False where neither process nor disk outlive an answer (serverless).

        *host_has_gone* says whether no further call can come: such a host ends us at the answer.
        """
        self.settings = settings
        self._working_directory = working_directory
        self._lasting = lasting
        self._host_has_gone = host_has_gone
        self._stalled_after_s = stalled_after_s
        # Patched by gevent: whoever calls while another greenlet starts us waits its turn.
        self._starting = threading.Lock()
        self._running: Running | None = None
        self._look_again_at = 0.0
        self._restarted_at: deque[float] = deque(maxlen=_RESTARTS)
        self._restarts = 0
        self._sequences = Sequences()

    def start(self) -> Running:
        """Start the loop's thread, the journal and delivery, if they do not run yet.

        Waits until the journal is open. Raises RuntimeUnavailable when that takes too long.
        """
        with self._starting:
            if self._running is None:
                self._running = self._start()
            return self._running

    def _start(self) -> Running:
        running = Running(
            self.settings,
            self._working_directory,
            # Nobody looks for what is told by a process that ends with its call.
            seen=self._lasting and not self._host_has_gone(),
            restarts=self._restarts,
        )
        running.thread.start()

        async def open_and_start() -> None:
            if self._lasting:
                app = begun(self.settings, self._working_directory)
            else:
                app = App(self.settings, ephemeral(self.settings))
            running.begin(app)

        try:
            running.thread.call(open_and_start, timeout_s=_START_TIMEOUT_S)
        except BaseException:
            # Too late, it must not start beside the next one; and its thread and lock must go.
            running.give_up()
            raise
        return running

    def _move_if_needed(self, running: Running) -> None:
        """Begin a new journal when the present one was removed or damaged; keep what it had.

        One in memory is left for one on disk as soon as there is any.
        """
        old = running.app
        if old is None:
            return
        storage = old.storage
        if storage.damaged:
            log.error("journal.quarantined", error_type="journal_corrupt", reason=storage.damaged)
        elif storage.vanished:
            reason = "the journal file was removed"
            log.error("journal.write_failed", error_type="disk_readonly", reason=reason)
        elif not self._may_be_kept_now(storage):
            return

        async def move() -> None:
            if storage.damaged:
                await old.halt()
                storage.rescue_if_damaged()
                app = begun(self.settings, self._working_directory, former=storage, tally=old.tally)
            else:
                place = place_for(old, self.settings, self._working_directory)
                if place is None:
                    return
                await old.halt()
                try:
                    app = moved(old, self.settings, place)
                except JournalError:
                    old.resume()
                    raise
            running.begin(app)
            # Calls that have begun go on with the old one's connections, and have their time.
            running.close_later(old, self.settings.wait_timeout_ms / 1000)

        running.thread.call(move, timeout_s=_START_TIMEOUT_S)

    def _may_be_kept_now(self, storage: Storage) -> bool:
        """Whether it is time to look again for a place on disk, after none could be used."""
        now = time.monotonic()
        if storage.claim is not None or not self._lasting or now < self._look_again_at:
            return False
        self._look_again_at = now + _LOOK_AGAIN_S
        return True

    def watch(self) -> None:
        """Replace a loop that has ended or is stuck; call it every second or so.

        The journal survives: an ended thread has released it, and the new one takes it over.
        A stuck one keeps it until it moves again; meanwhile stores go to a new journal.
        """
        running = self._running
        if running is None:
            return
        now = time.monotonic()
        stuck = running.thread.silent_s > self._stalled_after_s
        if running.thread.ended or stuck:
            self._replace(running, stuck=stuck, now=now)
        else:
            self._move_if_needed(running)
        self._tell_restarts(now)

    def _replace(self, running: Running, *, stuck: bool, now: float) -> None:
        reason = "the loop is stuck" if stuck else "the loop has ended"
        log.error(
            "worker.stalled" if stuck else "worker.crashed",
            error_type="worker_stall" if stuck else "worker_crash",
            reason=reason,
        )
        self._restarted_at.append(now)
        self._restarts += 1
        running.give_up()
        with self._starting:
            self._running = None
            self._running = self._start()
        log.warning("worker.restarted", reason=reason)

    def _tell_restarts(self, now: float) -> None:
        """Say `failed` from the third restart within five minutes on, until that is long ago."""
        running = self._running
        if running is None or (app := running.app) is None:
            return
        restarts = self._restarted_at
        failing = len(restarts) == _RESTARTS and now - restarts[0] < _RESTART_WINDOW_S
        if running.told == (app, failing):
            return
        running.told = (app, failing)
        reason = f"the background loop was replaced {_RESTARTS} times: delivery keeps breaking off"

        def tell() -> None:
            if failing:
                app.health.failed("loop", reason)
                log.error("worker.failed", error_type="worker_crash", reason=reason)
            else:
                app.health.over("loop")

        running.thread.soon(tell)

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
                self._thread.call(self._running.aclose, timeout_s=grace_s)

    def store(self, job: NewJob) -> Receipt:
        """Journal *job*; with `wait`, return its first attempt's outcome too. Raises QueueFull.

        While the journal cannot be written, deliver it where that can be done.
        """
        app = self._app
        timeout_s = self.settings.wait_timeout_ms / 1000 + _GRACE_S
        if self._host_has_gone():
            return self._thread.call(lambda: app.stores.before_the_end(job), timeout_s=timeout_s)
        if job.wait or app.stores.delivers_first:
            return self._thread.call(lambda: app.stores.and_wait(job), timeout_s=timeout_s)
        waits_until = time.monotonic() + self.settings.accept_timeout_ms / 1000
        while True:
            try:
                return self._thread.store(job, timeout_s=_STORE_TIMEOUT_S)
            except Unwritable as exc:
                refusal = exc
                break
            except QueueFull:
                if self.settings.overflow != "block" or time.monotonic() >= waits_until:
                    raise
            time.sleep(_LOOK_FOR_ROOM_EVERY_S)
        return self._thread.call(lambda: app.stores.unkept(job, refusal), timeout_s=timeout_s)

    def observe(self, seen: Observation) -> None:
        """Journal the event, where it is to be kept, and count it; never waits for mem9.

        Raises QueueFull, and RuntimeUnavailable where nothing can be kept.
        """
        app = self._app
        if seen.job is not None:
            if app.stores.delivers_first:
                raise RuntimeUnavailable(_NOTHING_KEPT, code="nothing_kept")
            if self._thread.store(seen.job, timeout_s=_OBSERVE_TIMEOUT_S).deduplicated:
                return
        if seen.sequence is None:
            return
        if (fault := self._sequences.note(seen.lane, seen.sequence)) is not None:
            self._thread.soon(lambda: app.tally.out_of_sequence(fault))

    def prepare(self, asked: Preparation) -> Prepared:
        """Tell what is known of an agent's subject, within the time that *asked* leaves."""
        app = self._app
        left_s = asked.timeout_s - min(_CROSSING_S, asked.timeout_s / 10)
        return self._thread.call(
            lambda: app.prepare(replace(asked, timeout_s=left_s)), timeout_s=asked.timeout_s
        )

    def search(
        self, query: SearchQuery, *, include_pending: bool, second: SearchQuery | None
    ) -> SearchResult:
        """Recall, with pending writes of the same scope. Raises RequestFailed."""
        app = self._app
        return self._thread.call(
            lambda: app.search(query, include_pending=include_pending, second=second),
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
