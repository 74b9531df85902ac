"""Lanes with the part of the journal that they rely on, kept in lists."""

import random
from collections import deque
from dataclasses import dataclass, field, replace

from mem9_async.queue.circuit import EndpointLimits, Endpoints
from mem9_async.queue.lane_state import Limits, Ready
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.records import Backlog, FrozenRef
from tests.queue.builders import BASE_URL, LIMITS, START

# So much that no endpoint holds anything back: what is left is what lanes decides.
OPEN_DOORS = EndpointLimits(
    max_in_flight=10_000,
    failure_threshold=10_000,
    max_open_s=60.0,
    recovery_doubling_s=10.0,
    budget_ratio=1.0,
    budget_tokens=1e9,
)


@dataclass(frozen=True)
class Item:
    """One job: its number is the order of acceptance, over all lanes."""

    number: int
    size: int
    at: float


@dataclass
class Held:
    """What the journal would hold of one lane."""

    space_id: int
    waiting: deque[Item] = field(default_factory=deque)
    frozen: deque[tuple[FrozenRef, list[Item]]] = field(default_factory=deque)
    sending: list[Item] = field(default_factory=list)
    ready: Ready | None = None

    @property
    def items(self) -> list[Item]:
        """Every job that is not delivered yet."""
        frozen = [item for _, items in self.frozen for item in items]
        return [*self.sending, *frozen, *self.waiting]


class LaneRig:
    """Drives Lanes as the deliverer does, and remembers what was delivered in which order."""

    def __init__(
        self,
        limits: Limits = LIMITS,
        endpoint_limits: EndpointLimits = OPEN_DOORS,
        now: float = START,
    ) -> None:
        self.limits = limits
        self.endpoints = Endpoints(endpoint_limits, random.Random(0))
        self.lanes = Lanes(limits, self.endpoints)
        self.now = now
        self.held: dict[int, Held] = {}
        self.delivered: dict[int, list[int]] = {}
        self.numbers = 0
        self.rows = 0

    def append(
        self, lane_id: int, space_id: int = 1, *, size: int = 10, close_now: bool = False
    ) -> float | None:
        """One job more; what lanes said about when the lane wants to send."""
        held = self.held.setdefault(lane_id, Held(space_id))
        held.waiting.append(self._item(size))
        return self.lanes.appended(
            lane_id, held.space_id, BASE_URL, size, self.now, close_now=close_now
        )

    def adopt(self, lane_id: int, space_id: int = 1, *, jobs: int = 1, size: int = 10) -> None:
        """An orphan's jobs come into the lane, before its own waiting ones."""
        held = self.held.setdefault(lane_id, Held(space_id))
        # Numbered below everything that the lane has: as the journal does with adopted jobs.
        lowest = min([0, *(item.number for item in held.items)])
        # Older than everything here, too.
        for number in range(lowest - 1, lowest - 1 - jobs, -1):
            held.waiting.appendleft(Item(number, size, START - 1_000.0 + number))
        self.restore(lane_id)

    def restore(self, lane_id: int) -> None:
        """Tell lanes what the journal holds of the lane, in flight excepted."""
        held = self.held[lane_id]
        self.lanes.restored(
            Backlog(
                lane_id=lane_id,
                space_id=held.space_id,
                endpoint=BASE_URL,
                waiting=len(held.waiting),
                waiting_bytes=sum(item.size for item in held.waiting),
                oldest_at=min((item.at for item in held.waiting), default=self.now),
                newest_at=max((item.at for item in held.waiting), default=self.now),
                frozen=tuple(ref for ref, _ in held.frozen),
            ),
            self.now,
        )

    def start(self) -> Ready | None:
        """Whose turn it is; its batch is frozen, or taken up again."""
        while (ready := self.lanes.next(self.now)) is not None:
            held = self.held[ready.lane_id]
            if ready.frozen is not None or held.waiting:
                break
            # As the deliverer finds when a lane was emptied while its turn was coming.
            self.lanes.vanished(ready, self.now)
            self.endpoints.cancelled(BASE_URL, self.now)
        else:
            return None
        assert held.ready is None, "two batches of one lane in flight"
        held.ready = ready
        if ready.frozen is not None:
            ref, held.sending = held.frozen.popleft()
            assert ref.row == ready.frozen.row, "not the lane's oldest batch"
            return ready
        held.sending = self._close(held)
        self.lanes.frozen(
            ready.lane_id,
            jobs=len(held.sending),
            size=sum(item.size for item in held.sending),
            oldest_at=held.sending[0].at,
            next_at=held.waiting[0].at if held.waiting else None,
        )
        return ready

    def start_all(self) -> list[int]:
        """Everything that may go now; the lanes, in their order."""
        started = []
        while (ready := self.start()) is not None:
            started.append(ready.lane_id)
        return started

    def deliver(self, lane_id: int) -> None:
        """The lane's batch was taken."""
        held, ready = self._landing(lane_id)
        sent, held.sending = held.sending, []
        self.delivered.setdefault(lane_id, []).extend(item.number for item in sent)
        self.lanes.settled(lane_id, self.now, size=sum(item.size for item in sent), gone=len(sent))
        self.endpoints.succeeded(BASE_URL, held.space_id, self.now, retry=ready.frozen is not None)

    def again(self, lane_id: int, *, after_s: float = 0.0, parts: int = 1) -> None:
        """The lane's batch stays, as a whole or in *parts* (2: split in halves)."""
        held, _ = self._landing(lane_id)
        items, held.sending = held.sending, []
        middle = (len(items) + 1) // 2
        pieces = [items[:middle], items[middle:]] if parts == 2 else [items]
        refs = [(self._ref(piece, self.now + after_s), piece) for piece in pieces]
        held.frozen.extendleft(reversed(refs))
        self.lanes.again(lane_id, tuple(ref for ref, _ in refs), self.now)
        self.endpoints.answered(BASE_URL, self.now)

    def fail(self, lane_id: int, *, unreachable: bool) -> None:
        """The lane's batch came to nothing, and the endpoint is to blame."""
        held, _ = self._landing(lane_id)
        items, held.sending = held.sending, []
        ref = self._ref(items, self.now + 1.0)
        held.frozen.appendleft((ref, items))
        self.lanes.again(lane_id, (ref,), self.now)
        self.endpoints.failed(BASE_URL, held.space_id, self.now, unreachable=unreachable)

    def postpone(self, lane_id: int, *, after_s: float) -> None:
        """The lane's turn came to nothing, as the journal could not be written."""
        held, ready = self._landing(lane_id)
        items, held.sending = held.sending, []
        if ready.frozen is not None:
            held.frozen.appendleft((ready.frozen, items))
            self.lanes.postpone(ready, self.now + after_s, self.now)
        else:  # this rig has frozen it already, which only a batch of an earlier turn can undo
            ref = self._ref(items, self.now)
            held.frozen.appendleft((ref, items))
            self.lanes.again(lane_id, (ref,), self.now)
        self.endpoints.cancelled(BASE_URL, self.now)

    def lose(self, lane_id: int) -> None:
        """All of the lane's batch but its first job is set aside, then the batch goes again."""
        held = self.held[lane_id]
        lost = held.sending[1:]
        del held.sending[1:]
        if lost:
            self.lanes.lost(lane_id, jobs=len(lost), size=sum(item.size for item in lost))
        self.again(lane_id)

    def expire(self, lane_id: int) -> None:
        """Everything of the lane that is not in flight is set aside."""
        held = self.held.get(lane_id)
        if held is None:
            return
        held.waiting.clear()
        held.frozen.clear()
        self.lanes.reloaded(lane_id, None, self.now)

    def vanish(self, lane_id: int) -> None:
        """The journal turns out to hold nothing of what was to be sent."""
        held, ready = self._landing(lane_id)
        if ready.frozen is None:  # nothing was frozen then: it all waited, and is gone
            held.waiting.clear()
        held.sending = []
        self.lanes.vanished(ready, self.now)
        self.endpoints.cancelled(BASE_URL, self.now)

    def flying(self) -> list[int]:
        """The lanes with a batch in flight."""
        return [lane_id for lane_id, held in self.held.items() if held.ready is not None]

    def depth(self, space_id: int | None = None) -> int:
        """Jobs not delivered yet."""
        return sum(
            len(held.items)
            for held in self.held.values()
            if space_id is None or held.space_id == space_id
        )

    def size(self, space_id: int) -> int:
        """Their bytes."""
        return sum(
            item.size
            for held in self.held.values()
            if held.space_id == space_id
            for item in held.items
        )

    def oldest_at(self, space_id: int) -> float | None:
        """When the oldest job of the space was accepted that is not delivered yet."""
        return min(
            (
                item.at
                for held in self.held.values()
                if held.space_id == space_id
                for item in held.items
            ),
            default=None,
        )

    def flush(self, space_id: int) -> None:
        """As Lanes.flush, with the due times that it changes."""
        self.lanes.flush(space_id, self.now)
        for held in self.held.values():
            if held.space_id == space_id:
                held.frozen = deque(
                    (replace(ref, due_at=min(ref.due_at, self.now)), items)
                    for ref, items in held.frozen
                )

    def _landing(self, lane_id: int) -> tuple[Held, Ready]:
        held = self.held[lane_id]
        ready, held.ready = held.ready, None
        assert ready is not None
        return held, ready

    def _close(self, held: Held) -> list[Item]:
        batch: list[Item] = []
        while held.waiting and len(batch) < self.limits.batch_max_jobs:
            total = sum(item.size for item in batch) + held.waiting[0].size
            if batch and total > self.limits.batch_max_bytes:
                break
            batch.append(held.waiting.popleft())
        assert batch, "a turn for a lane in which nothing waits"
        return batch

    def _ref(self, items: list[Item], due_at: float) -> FrozenRef:
        self.rows += 1
        size = sum(item.size for item in items)
        return FrozenRef(self.rows, len(items), size, items[0].at, due_at)

    def _item(self, size: int) -> Item:
        self.numbers += 1
        return Item(self.numbers, size, self.now)
