"""Other processes on the same data directory: an upgrade may leave the old one alive."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from mem9_async.models.inspection import HandOverAsk, JobFilter, JobPage, ListAsk
from mem9_async.models.job import JobState
from mem9_async.runtime.control import client
from mem9_async.runtime.control.address import sockets

log = structlog.get_logger()

_LIMIT_S = 20.0
_DELIVERED_S, _LOOK_EVERY_S = 60.0, 0.1
_ON_THEIR_WAY = (JobState.AVAILABLE, JobState.IN_FLIGHT, JobState.RETRYABLE)


async def ask_to_hand_over(data: Path, *, own: str, started_at: float) -> None:
    """Have older processes let go of their journals, so that what is older goes first.

    Waits for them, 20 s at most: until then nothing is delivered here. Who does not answer keeps
    its journal, and its conversations may be out of order with ours.
    """
    others = [path for path in sockets(data) if path.stem != own]
    if others:
        asked = (_ask(path, HandOverAsk(started_at=started_at, boot_id=own)) for path in others)
        await asyncio.gather(*asked)


async def _ask(path: Path, request: HandOverAsk) -> None:
    try:
        told = await client.ask(path, request, timeout_s=_LIMIT_S)
    except client.NobodyThere:
        return
    except (client.NotDone, TimeoutError) as exc:
        log.warning("journal.kept_by_sibling", boot=path.stem, reason=str(exc) or "no answer")
        return
    log.info("journal.taken_from_sibling", boot=path.stem, reason=str(told))


async def has_delivered(
    path: Path, journal: Path, *, until: float, now: Callable[[], float]
) -> bool:
    """Wait until the process at *path* has delivered all of *journal*, accepted before *until*.

    What waits for something outside is not waited for, and nothing for more than a minute. False
    when the process is gone: then what it held is anybody's.
    """
    ends_at = now() + _DELIVERED_S
    while now() < ends_at:
        older = JobFilter(states=_ON_THEIR_WAY, older_than_s=max(0.0, now() - until))
        try:
            told = await client.ask(path, ListAsk(filter=older, limit=1), timeout_s=_LIMIT_S)
        except client.NobodyThere:
            return False
        except (client.NotDone, TimeoutError):
            return True
        # While the file is there, it has not been taken over whole.
        if not JobPage.model_validate(told).jobs and not _is_there(journal):
            return True
        await asyncio.sleep(_LOOK_EVERY_S)
    return True


def _is_there(journal: Path) -> bool:
    return journal.exists()
