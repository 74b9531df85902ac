"""The plugin's asynchronous half: owns journal, queue and client, and starts and stops them.

Lives on the loop's thread. What it is asked is answered by its parts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import structlog

from mem9_async.models.agent_memory import Preparation, Prepared
from mem9_async.models.job import QueueCommand, QueueReport
from mem9_async.models.memory import SearchQuery, SearchResult
from mem9_async.models.space import Space
from mem9_async.queue.troubles import place_of
from mem9_async.runtime.parts import Parts
from mem9_async.runtime.status.tally import Tally
from mem9_async.runtime.storage.storage import Storage
from mem9_async.settings import Settings

log = structlog.get_logger()


class App:
    """Everything that outlives a call. Build and use it on one event loop."""

    def __init__(self, settings: Settings, storage: Storage, *, tally: Tally | None = None) -> None:
        """Make ready what the journal holds. Sends nothing before start().

        *tally* is what an app counted that this one takes the place of.
        """
        self._tasks: set[asyncio.Task[None]] = set()
        self.parts = parts = Parts(settings, storage, tally, self._spawn)
        self.settings, self.storage, self.tally = settings, storage, parts.tally
        self.clock, self.health = parts.clock, parts.health
        self.client, self.lanes, self.holds = parts.client, parts.lanes, parts.holds
        self.stores, self.status, self.desk = parts.stores, parts.status, parts.desk
        storage.journal.addresses.on_key = self._key_came
        parts.loader.load()

    def _key_came(self, space_id: int, space: Space) -> None:
        self.lanes.endpoint_known(space_id, space.base_url)
        self.parts.deliverer.wake()

    def start(self, *, after: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin delivering; from here on the network is used.

        *after* ends before anything is adopted, and so before anything is delivered.
        """
        self.parts.adoption.waits_for = after
        self._spawn(self.parts.delivery_loop.run())
        self._spawn(self.parts.watcher.run())
        self._spawn(self.parts.upkeep.run())
        log.info("worker.started", jobs=self.lanes.depth, durability=self.storage.durability)

    async def aclose(self) -> None:
        """Stop without draining: what is undelivered stays in the journal."""
        log.info("shutdown.started", jobs=self.lanes.depth)
        await self.stop()
        self.storage.close()
        log.info("shutdown.completed")

    async def stop(self) -> None:
        """Stop delivering, and close every connection; the journal stays open."""
        await self.halt()
        await self.client.aclose()

    async def halt(self) -> None:
        """Stop delivering; calls that use the client go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def resume(self) -> None:
        """Deliver again after halt(), from what the journal holds."""
        self.parts.loader.load_anew()
        self.start()

    def abandon(self) -> None:
        """Let go of the journal when the loop has ended under us, so that a new one can have it."""
        with suppress(Exception):
            self.parts.adoption.abandon()
        with suppress(Exception):
            self.storage.close()

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("worker.crashed", error_type="worker_crash", reason=place_of(error))

    # What the tools ask

    async def search(
        self, query: SearchQuery, *, include_pending: bool, second: SearchQuery | None
    ) -> SearchResult:
        """Recall, with pending writes of the same scope. Raises RequestFailed."""
        result = await self.parts.recall.search(
            query, include_pending=include_pending, second=second
        )
        self.parts.rotation.proven(query.space)
        return result

    async def prepare(self, asked: Preparation) -> Prepared:
        """Tell what is known of an agent's subject, within the time that *asked* leaves."""
        known = await self.parts.recall.prepare(asked)
        if known.failure is None:
            self.parts.rotation.proven(asked.query.space)
        return known

    async def validate(self, space: Space, caller_agent_id: str) -> None:
        """Make one authenticated request; a key that works sends what was held for it."""
        await self.client.validate(space, caller_agent_id)
        self.parts.rotation.proven(space)

    def queue(self, command: QueueCommand) -> QueueReport:
        """Do what *command* asks and report on its space's jobs, and on no other's."""
        if command.owner is not None and command.action != "status":
            dead = command.action == "retry_dead"
            self.parts.rotation.asked(command.space, command.owner, dead=dead)
        return self.parts.reporting.queue(command)
