"""Puts a publisher together: what it looks at, where its files go, and which thread writes them."""

import asyncio
from pathlib import Path

from mem9_async.runtime.app import App
from mem9_async.runtime.loop_thread import aside
from mem9_async.runtime.status.process import this_process
from mem9_async.runtime.status.publisher import Publisher
from mem9_async.runtime.status.status_files import StatusFiles, default_metrics_file
from mem9_async.runtime.storage.paths import data_directory
from mem9_async.settings import Settings


class Publishing:
    """The publisher of one loop thread; begins with its first app, and follows the later ones."""

    def __init__(self, settings: Settings, working_directory: Path) -> None:
        self._settings = settings
        self._data = data_directory(settings.data_dir, working_directory)
        self._app: App | None = None
        self._publisher: Publisher | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, app: App, *, restarts: int) -> None:
        """Tell of *app* from now on; on the loop's thread.

        *restarts* is how often the process has replaced its loop.
        """
        self._app = app
        if self._publisher is None:
            process = this_process()
            files = StatusFiles(self._data, process.boot_id, metrics=self._metrics_file())
            self._publisher = Publisher(
                source=lambda: (self._app or app).status,
                files=files,
                process=process,
                aside=aside,
                restarts=restarts,
            )
            self._task = asyncio.get_running_loop().create_task(self._publisher.run())

    async def close(self) -> None:
        """End, and take the files away: the process ends by itself."""
        if self._task is not None and self._publisher is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._publisher.close()

    def _metrics_file(self) -> Path | None:
        configured = self._settings.metrics_file
        if configured == "off":
            return None
        if configured is None:
            return default_metrics_file(self._data)
        return configured.expanduser().absolute()
