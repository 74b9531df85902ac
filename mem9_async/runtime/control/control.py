"""One process's answers to whoever operates it: puts socket, desk and snapshot together."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from pydantic import BaseModel

from mem9_async.models.inspection import (
    ChangeAsk,
    ExportAsk,
    FindAsk,
    HandedOver,
    HandOverAsk,
    HoldAsk,
    ListAsk,
    Request,
    ShowAsk,
    StatusAsk,
)
from mem9_async.models.status_snapshot import StatusSnapshot
from mem9_async.runtime.app import App
from mem9_async.runtime.control.address import socket_path
from mem9_async.runtime.control.server import ControlServer
from mem9_async.runtime.desk.desk import Unanswerable
from mem9_async.runtime.status.process import this_process
from mem9_async.runtime.status.publisher import INTERVAL_S
from mem9_async.runtime.storage.paths import data_directory
from mem9_async.settings import Settings

HandOver = Callable[[HandOverAsk], Awaitable[HandedOver]]


class Control:
    """The control socket of one loop thread; follows its apps."""

    def __init__(
        self, settings: Settings, working_directory: Path, *, hand_over: HandOver, restarts: int
    ) -> None:
        self._data = data_directory(settings.data_dir, working_directory)
        self._hand_over = hand_over
        self._restarts = restarts
        self._app: App | None = None
        self._server: ControlServer | None = None
        self._task: asyncio.Task[bool] | None = None

    def begin(self, app: App) -> None:
        """Answer for *app* from now on; on the loop's thread."""
        self._app = app
        if self._server is None and app.storage.claim is not None:
            path = socket_path(self._data, this_process().boot_id)
            self._server = ControlServer(path, self._answer)
            self._task = asyncio.get_running_loop().create_task(self._server.start())

    async def close(self) -> None:
        """Take the socket away."""
        if self._task is not None and self._server is not None:
            await self._task
            await self._server.close()

    async def _answer(self, request: Request) -> BaseModel | StatusSnapshot:
        app = self._app
        if app is None:
            raise Unanswerable("the plugin is still starting; ask again in a moment")
        desk = app.desk
        match request:
            case StatusAsk():
                return app.status.take(
                    this_process(), interval_s=INTERVAL_S, loop_delay_s=0.0, restarts=self._restarts
                )
            case ListAsk():
                return await desk.page(request)
            case ShowAsk():
                return desk.show(request)
            case FindAsk():
                return desk.find(request)
            case ChangeAsk():
                return await desk.change(request)
            case HoldAsk():
                return desk.hold(request)
            case ExportAsk():
                return desk.export(request)
            case HandOverAsk():
                return await self._hand_over(request)
        raise Unanswerable("this version does not know how to do that")
