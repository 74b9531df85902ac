"""Delivery before the answer while the journal cannot be written: a full disk, above all.

Nothing may overtake: a job goes once nothing of its lane waits any more. It is refused, as the
queue would refuse it, where that is not to be expected.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from weakref import WeakValueDictionary

from mem9_async.models.errors import Unwritable
from mem9_async.models.job import NewJob, Receipt
from mem9_async.models.space import Lane, Space
from mem9_async.queue.clock import Clock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.runtime.intake.inline_delivery import Direct

_LOOK_AGAIN_S = 1.0  # a lane may become empty without a batch of it ending


class Unkept:
    """Carries jobs past a journal that cannot take them; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        direct: Direct,
        journal: Journal,
        lanes: Lanes,
        deliverer: Deliverer,
        parking: Parking,
        has_failed: Callable[[int], bool],
        clock: Clock,
        timeout_s: float,
        at_once: int,
    ) -> None:
        """*at_once* is how many may be on their way in one space; *timeout_s* is for one job."""
        self._direct = direct
        self._addresses = journal.addresses
        self._lanes = lanes
        self._deliverer = deliverer
        self._parking = parking
        self._has_failed = has_failed
        self._clock = clock
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._turns: WeakValueDictionary[Lane, asyncio.Lock] = WeakValueDictionary()
        self._rooms: WeakValueDictionary[Space, asyncio.Semaphore] = WeakValueDictionary()
        self._settled = asyncio.Event()

    def settled(self) -> None:
        """A batch has left, or stays: whoever waits for its lane looks again."""
        self._settled.set()

    async def store(self, job: NewJob, refusal: Unwritable) -> Receipt:
        """Send *job* and say what came of it, behind what its lane still holds.

        Waits for both. Raises *refusal*, with nothing sent, where the space is parked or what
        is before the job does not get away in time.
        """
        lane = job.lane
        turn = self._turns.setdefault(lane, asyncio.Lock())
        room = self._rooms.setdefault(lane.space, asyncio.Semaphore(self._at_once))
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._timeout_s / 2):
                    await stack.enter_async_context(turn)
                    await self._until_it_is_first(lane, refusal)
                    await stack.enter_async_context(room)
            except TimeoutError:
                raise refusal from None
            except JournalError as exc:  # it cannot be read either: nobody knows what waits
                raise refusal from exc
            return await self._direct.store(
                job, reason=refusal.reason, timeout_s=self._timeout_s / 2
            )

    async def _until_it_is_first(self, lane: Lane, refusal: Unwritable) -> None:
        while (space_id := self._addresses.find_space(lane.space)) is not None:
            now = self._clock.now()
            if self._parking.is_parked_beyond(space_id, now):
                raise refusal
            lane_id = self._addresses.find_lane(lane)
            if lane_id is None or not self._lanes.lane_depth(lane_id):
                return
            if self._has_failed(space_id):
                raise refusal  # what is before it waits for mem9, not for company
            self._lanes.flush(space_id, now)
            self._deliverer.wake()
            self._settled.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._settled.wait()
