"""One loop thread and the app on it: begun, replaced, handed over, ended."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

import structlog

from mem9_async.boot import BOOT_ID, STARTED_AT
from mem9_async.models.errors import RuntimeUnavailable
from mem9_async.models.inspection import HandedOver, HandOverAsk
from mem9_async.queue.claims import Claim
from mem9_async.runtime.app import App
from mem9_async.runtime.control.address import socket_path
from mem9_async.runtime.control.control import Control
from mem9_async.runtime.control.siblings import ask_to_hand_over, has_delivered
from mem9_async.runtime.desk.desk import Unanswerable
from mem9_async.runtime.loop_thread import LoopThread
from mem9_async.runtime.publishing import Publishing
from mem9_async.runtime.storage.paths import data_directory
from mem9_async.runtime.storage.storage import fresh_storage
from mem9_async.settings import Settings

log = structlog.get_logger()

_SETTLE_S, _LOOK_EVERY_S = 10.0, 0.05


class Running:
    """One loop thread and the app on it."""

    def __init__(
        self, settings: Settings, working_directory: Path, *, seen: bool, restarts: int
    ) -> None:
        """*seen* when people can look into it: files and a socket tell how it stands."""
        self._settings = settings
        self._working_directory = working_directory
        self._restarts = restarts
        self._publishing = Publishing(settings, working_directory) if seen else None
        self._control = (
            Control(settings, working_directory, hand_over=self._hand_over, restarts=restarts)
            if seen
            else None
        )
        self.app: App | None = None
        self.told: tuple[App, bool] | None = None
        self.thread = LoopThread(on_end=self._release)
        self._given_up = False
        self._handing_over = False
        self._closing: set[asyncio.Task[None]] = set()

    def begin(self, app: App) -> None:
        """Have *app* take stores and deliver from now on; on the loop's thread.

        Raises RuntimeUnavailable when nobody waits for it any more.
        """
        if self._given_up:
            app.abandon()
            raise RuntimeUnavailable("the start took too long and was given up")
        first = self.app is None
        self.app = app
        self.thread.accepts_with(app.stores.accept, waited=app.tally.waited)
        app.start(after=self._ask_siblings if first and self._control is not None else None)
        if self._publishing is not None:
            self._publishing.begin(app, restarts=self._restarts)
        if self._control is not None:
            self._control.begin(app)

    async def aclose(self) -> None:
        """Stop without draining; what tells of the queue goes with the process."""
        if self._control is not None:
            await self._control.close()
        if self._publishing is not None:
            await self._publishing.close()
        if self.app is not None:
            await self.app.aclose()

    def close_later(self, app: App, delay_s: float) -> None:
        """Close the connections of *app*, which was halted, in *delay_s* seconds."""

        async def close() -> None:
            await asyncio.sleep(delay_s)
            await app.client.aclose()

        self._later(close())

    def _later(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def give_up(self) -> None:
        """Have the thread end, now or when it moves again, and let go of its journal."""
        self._given_up = True
        self.thread.stop()

    def _release(self) -> None:
        if self.app is not None:
            self.app.abandon()

    # Two living processes on one data directory: the older one's jobs go to the newer

    async def _ask_siblings(self) -> None:
        data = data_directory(self._settings.data_dir, self._working_directory)
        await ask_to_hand_over(data, own=BOOT_ID, started_at=STARTED_AT)

    async def _hand_over(self, ask: HandOverAsk) -> HandedOver:
        """Let go of the journal with all that it holds, and go on with a new one.

        Until then stores go into the old one. Raises Unanswerable when it stays.
        """
        old = self.app
        if old is None or old.storage.claim is None:
            raise Unanswerable("there is no journal on disk here that could be handed over")
        if ask.started_at <= STARTED_AT:
            raise Unanswerable("only a process that was started later is given the journal")
        if self._handing_over:
            raise Unanswerable("the journal is being handed over already")
        self._handing_over = True
        try:
            return await self._handed_over(old, old.storage.claim, ask)
        finally:
            self._handing_over = False

    async def _handed_over(self, old: App, claim: Claim, ask: HandOverAsk) -> HandedOver:
        await self._settled(old)
        fresh = fresh_storage(self._settings, self._working_directory, former=old.storage)
        if fresh is None:
            old.lanes.release(None)
            old.holds.restore()
            raise Unanswerable("no second journal can be made here; the disk refuses it")
        await old.halt()
        # From here on without a pause: no store may come between the two.
        jobs, name = old.lanes.depth, old.storage.journal.file.name
        new = App(self._settings, fresh, tally=old.tally)
        new.lanes.hold(None)
        self.begin(new)
        old.storage.close()
        self._later(self._goes_on(new, ask.boot_id, claim.path))
        self.close_later(old, self._settings.wait_timeout_ms / 1000)
        log.warning("journal.handed_over", journal_id=name, jobs=jobs)
        return HandedOver(journal=name, jobs=jobs)

    async def _goes_on(self, app: App, boot_id: str, journal: Path) -> None:
        """Deliver again once the younger process has delivered what it was given.

        Else what a conversation says here from now on could come before that.
        """
        handed_over_at = app.clock.now()
        data = data_directory(self._settings.data_dir, self._working_directory)
        path = socket_path(data, boot_id)
        if not await has_delivered(path, journal, until=handed_over_at, now=app.clock.now):
            app.storage.adopts = True  # it is gone, and what it held is nobody's
        if app.holds.everything_since is None:
            app.lanes.release(None)
            app.parts.deliverer.wake()

    async def _settled(self, app: App) -> None:
        """Begin nothing new, and wait for what is on its way; not for ever."""
        app.lanes.hold(None)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + _SETTLE_S
        while app.lanes.in_flight and loop.time() < ends_at:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
