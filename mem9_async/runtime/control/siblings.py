"""Other processes on the same data directory: an upgrade may leave the old one alive."""

import asyncio
from pathlib import Path

import structlog

from mem9_async.models.inspection import HandOverAsk
from mem9_async.runtime.control import client
from mem9_async.runtime.control.address import sockets

log = structlog.get_logger()

_LIMIT_S = 20.0


async def ask_to_hand_over(data: Path, *, own: str, started_at: float) -> None:
    """Have older processes let go of their journals, so that what is older goes first.

    Waits for them, 20 s at most: until then nothing is delivered here. Who does not answer keeps
    its journal, and its conversations may be out of order with ours.
    """
    others = [path for path in sockets(data) if path.stem != own]
    if others:
        asked = (_ask(path, HandOverAsk(started_at=started_at)) for path in others)
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
