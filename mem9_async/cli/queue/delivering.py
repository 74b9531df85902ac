"""Delivering what journals at rest hold, from the command line and without Dify."""

import asyncio
import logging
import time
from pathlib import Path

import structlog
import uvloop

from mem9_async.cli.queue import resting
from mem9_async.models.job import QueueCommand
from mem9_async.queue.journal.census import Census
from mem9_async.runtime.app import App
from mem9_async.runtime.storage.storage import Storage, open_storage
from mem9_async.settings import Settings

_POLL_S = 0.1
_ADOPTION_LIMIT_S = 5.0


def deliver_what_rests(settings: Settings, limit_s: float) -> int:
    """Deliver for *limit_s* seconds at most; return how many jobs still wait."""
    settings = settings.model_copy(
        update={"linger_ms": 0, "linger_max_ms": 0, "adopt_interval_ms": 100}
    )
    if not resting.files(settings):
        return 0
    # What the queue does is logged; here only what goes wrong is of interest.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    storage = open_storage(settings, Path.cwd())
    if storage.claim is None:
        storage.close()
        return 0
    return uvloop.run(_flushed(settings, storage, limit_s))


async def _flushed(settings: Settings, storage: Storage, limit_s: float) -> int:
    running = App(settings, storage)
    running.start()
    own = storage.claim.path if storage.claim else None
    began = time.monotonic()
    try:
        for space_id in Census(storage.journal).spaces():
            if (space := storage.journal.addresses.space(space_id)) is not None:
                running.queue(QueueCommand(space=space, action="flush"))
        while (elapsed_s := time.monotonic() - began) < limit_s:
            await asyncio.sleep(_POLL_S)
            adopting = resting.files(settings) - {own} and elapsed_s < _ADOPTION_LIMIT_S
            if not running.lanes.depth and not adopting:
                break
        return running.lanes.depth
    finally:
        await running.aclose()
