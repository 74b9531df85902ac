"""Journals as dead processes left them, and an app that sends to a function."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mem9_async.models.batch import Batch
from mem9_async.models.outcome import Confirmation, Outcome
from mem9_async.queue.claims import claim_orphans
from mem9_async.runtime.app import App
from mem9_async.runtime.startup import begun
from mem9_async.runtime.storage.paths import journal_directory
from mem9_async.runtime.storage.storage import Storage, open_storage
from mem9_async.settings import Settings
from tests.queue.builders import job


def quick(data: Path, **more: Any) -> Settings:
    """Settings with short waits."""
    return Settings(
        data_dir=data,
        **{"adopt_interval_ms": 50, "linger_ms": 0, "confirmation": "accepted", **more},
    )


def open_beside(data: Path) -> Storage:
    """A new journal, as a process opens it while the owners of all others live."""
    held = list(claim_orphans(folder)) if (folder := journal_directory(data)).exists() else []
    storage = open_storage(quick(data), data)
    for claim in held:
        claim.release()
    return storage


def fill(storage: Storage, *texts: str, session: str = "conv-1") -> Path:
    """Accept *texts* in one lane; the path of the journal."""
    storage.journal.append([job(text, session=session) for text in texts], time.time() - 100)
    assert storage.claim
    return storage.claim.path


def left_behind(data: Path, *texts: str, session: str = "conv-1") -> Path:
    """A journal that holds *texts* and whose process is gone, newer than all others."""
    storage = open_beside(data)
    path = fill(storage, *texts, session=session)
    storage.close()
    return path


def quarantined(data: Path) -> list[Path]:
    """The damaged files that were set aside, without their logs."""
    return sorted(journal_directory(data).glob("*.corrupt-*[0-9]"))


class Sending:
    """An app whose mem9 takes everything; `sent` is what it got, in order."""

    def __init__(self, data: Path, **more: Any) -> None:
        self.app: App = begun(quick(data, **more), data)
        self.sent: list[str] = []
        self.app.client.send = self._send  # type: ignore[method-assign]

    async def _send(self, batch: Batch) -> Outcome:
        await asyncio.sleep(0)
        self.sent += [payload.text for payload in batch.payloads]
        return Outcome(confirmation=Confirmation.ACCEPTED, http_status=202)

    async def run_until(self, condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
        """Deliver until *condition* holds, then close."""
        self.app.start()
        try:
            async with asyncio.timeout(timeout_s):
                # The app sets no event when nothing is left to do.
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            await self.app.aclose()
