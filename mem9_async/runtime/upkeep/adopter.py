"""Taking over the journals whose owner is gone: after a crash, an upgrade, or from another node."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from mem9_async.queue.claims import Claim, claim_file, claim_orphans
from mem9_async.queue.journal import Journal, JournalCorrupt, JournalError
from mem9_async.queue.journal.adoption import Takeover, begun
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.runtime.storage.storage import Storage, open_claimed, taker_of
from mem9_async.runtime.upkeep.lane_loader import LaneLoader
from mem9_async.settings import Settings

log = structlog.get_logger()


class Adoption:
    """The adoptions of one app; belongs to its loop."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        loader: LaneLoader,
        wake: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        """*wake* has delivery look again for something to send."""
        self._settings = settings
        self._storage = storage
        self._loader = loader
        self._wake = wake
        self._now = now
        self._open: dict[Claim, Journal] = {}
        self.waits_for: Callable[[], Awaitable[None]] | None = None  #: before the first round
        self.first_round = asyncio.Event()  #: set once everything there at the start is ours

    async def adopt(self) -> int:
        """Take over every journal whose owner is gone; return how many jobs came with them.

        Newest first: each is put before what is ours already. Yields to the loop between
        chunks, so that answers do not wait for it. Cancelled: what is not ours yet is let go.
        """
        storage = self._storage
        directory = storage.directory if storage.adopts else None
        adopted = 0
        try:
            if self.waits_for is not None:
                waits_for, self.waits_for = self.waits_for, None
                await waits_for()
            if directory is not None:
                for claim in claim_orphans(directory):
                    adopted += await self._adopt(claim)
        except OSError as exc:
            log.error("journal.write_failed", error_type="disk_readonly", reason=str(exc))
        finally:
            self.first_round.set()
        return adopted

    def abandon(self) -> None:
        """Let go of what is being taken over: the loop has ended in the middle of it."""
        for claim in list(self._open):
            self._close(claim)

    async def _adopt(self, claim: Claim) -> int:
        adopted = 0
        try:
            async with self._opened(claim, self._storage.journal) as orphan:
                if orphan is None or not await self._complete(orphan, claim):
                    return 0
                async for jobs in self._take(self._storage.journal, orphan, tell=True):
                    adopted += jobs
                self._remove(claim)
        except JournalCorrupt as exc:
            self._storage.damaged = str(exc)  # ours is meant; the watch will see to it
        except JournalError as exc:
            # Half of it may be ours already; the rest stays where it is and is tried again.
            log.error("journal.write_failed", error_type="journal_error", reason=str(exc))
        finally:
            if adopted:
                self._loader.adopted()
                log.info("journal.adopted", journal_id=claim.path.stem, jobs=adopted)
        return adopted

    async def _complete(self, orphan: Journal, claim: Claim) -> bool:
        """Have *orphan* end what it had begun to take over; False when that must wait.

        Otherwise its own jobs would come before the older ones that it has not copied yet.
        """
        own = self._storage.claim
        taker = taker_of(orphan, claim)
        if taker is not None and (own is None or taker != own.path):
            return False  # it is that journal's: it comes with it
        for name in begun(orphan):
            path = claim.path.with_name(f"{name}.db")
            older = claim_file(path)
            if older is None:
                if path.exists():
                    return False
                continue
            async with self._opened(older, orphan) as source:
                if source is not None:
                    async for _ in self._take(orphan, source, tell=False):
                        pass
                    self._remove(older)
        return True

    async def _take(self, own: Journal, orphan: Journal, *, tell: bool) -> AsyncIterator[int]:
        now = self._now()
        Recovery(orphan).recover(now, max_due_in_s=self._settings.retry_after_max)
        for jobs, lane_ids in Takeover(own, orphan).chunks():
            if tell:
                self._loader.adopting(lane_ids)
                self._wake()
            yield jobs
            await asyncio.sleep(0)

    @asynccontextmanager
    async def _opened(self, claim: Claim, taker: Journal) -> AsyncIterator[Journal | None]:
        """The claimed journal, open; whatever happens, it is let go of at the end.

        One that turns out to be damaged is rescued, and adopted in the next round. Raises
        JournalCorrupt only where *taker* is damaged, JournalError otherwise.
        """
        storage = self._storage
        journal = open_claimed(claim, storage.sealer, self._settings, storage.rescues)
        if journal is None:
            yield None
            return
        self._open[claim] = journal
        try:
            yield journal
        except JournalCorrupt as exc:
            if not journal.file.damaged() and taker.file.damaged():
                raise
            journal.close()
            storage.rescues.rescue(claim, storage.sealer, str(exc))
            raise JournalError("the journal was damaged; it is taken over later") from exc
        finally:
            self._close(claim)

    def _close(self, claim: Claim) -> None:
        journal = self._open.pop(claim, None)
        if journal is not None:
            journal.close()
        claim.release()

    def _remove(self, claim: Claim) -> None:
        self._open.pop(claim).close()
        claim.remove()
