"""A damaged journal: what can be read of it takes its place, the damaged file is kept beside it."""

import time
from pathlib import Path

import structlog

from mem9_async.queue import failpoints
from mem9_async.queue.claims import Claim
from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.repair.salvage import salvage
from mem9_async.queue.sealing import Sealer

log = structlog.get_logger()

_AGAIN_AFTER_S = 60.0


class Rescues:
    """Rescues damaged journals, and remembers which could not be for lack of room."""

    def __init__(self) -> None:
        self._again_at: dict[Path, float] = {}
        self._rescued = self.lost = 0

    @property
    def told(self) -> str | None:
        """What memory_queue says of rescues since the process began; None when there was none."""
        if not self._rescued:
            return None
        return (
            f"{self._rescued} damaged journal(s) rescued since the plugin started, jobs known to be"
            f" lost: {self.lost}; the originals are kept in the data directory"
        )

    def put_off(self, path: Path) -> bool:
        """Whether the journal at *path* is damaged and not to be tried just now."""
        return time.monotonic() < self._again_at.get(path, float("-inf"))

    def rescue(self, claim: Claim, sealer: Sealer, reason: str) -> bool:
        """Put what can be read of the claimed journal in its place; False when that failed.

        The claim stays ours. Killed at any moment, the jobs are in the file or in what replaces
        it, never in both: the draft counts only from the moment at which it is whole.
        After a failure the damaged file is as it was, and put off for a minute.
        """
        failpoints.hit("quarantine.before")
        claim.clear_draft()
        try:
            saved, lost = salvage(claim.path, claim.draft, sealer=sealer)
            failpoints.hit("quarantine.salvaged")
            aside = claim.replace_by_draft()
        except (OSError, JournalError) as exc:
            self._again_at[claim.path] = time.monotonic() + _AGAIN_AFTER_S
            claim.clear_draft()
            log.error("journal.corrupted", file=claim.path.name, reason=f"not rescued yet: {exc}")
            return False
        self._again_at.pop(claim.path, None)
        self._rescued += 1
        self.lost += lost
        log.error("journal.quarantined", reason=reason, file=aside.name)
        log.error("journal.corrupted", file=aside.name, jobs=saved, lost=lost)
        return True
