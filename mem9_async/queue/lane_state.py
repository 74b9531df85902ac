"""The state that lanes and rota decide on: limits, waiting lines, and whose turn it is."""

import heapq
from collections import deque
from dataclasses import dataclass, field

from mem9_async.queue.records import FrozenRef

_STALE_AGES = 64  # entries of a space's heap that may be out of date before it is made anew


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait for company, travel together, and be on its way. Seconds, bytes."""

    linger_s: float
    linger_max_s: float
    batch_max_jobs: int
    batch_max_bytes: int
    max_in_flight: int
    max_in_flight_per_space: int
    batch_max_facts: int = 40
    lane_gap_s: float = 0.0  #: how long a conversation's next batch waits for the one before
    watched: bool = False  #: whether what mem9 takes is watched until it has it


@dataclass(frozen=True, slots=True)
class Ready:
    """A lane whose turn it is. `frozen` is the batch to send again, None to freeze a new one."""

    lane_id: int
    space_id: int
    endpoint: str
    frozen: FrozenRef | None


@dataclass(slots=True)
class LaneLine:
    """One lane's waiting line."""

    lane_id: int
    space_id: int
    waiting: int = 0
    waiting_bytes: int = 0
    first_at: float = 0.0  #: when the oldest waiting job was accepted
    last_at: float = 0.0  #: when the newest was
    close_now: bool = False
    not_before: float = 0.0
    frozen: deque[FrozenRef] = field(default_factory=deque)
    sending: int = 0  #: jobs in flight; a lane never has two batches there
    sending_since: float = 0.0
    in_flight: bool = False
    queued: bool = False

    @property
    def depth(self) -> int:
        """Jobs not delivered yet."""
        return self.waiting + self.sending + sum(ref.jobs for ref in self.frozen)

    @property
    def oldest_at(self) -> float:
        """When the oldest of them was accepted."""
        ages = [ref.oldest_at for ref in self.frozen]
        if self.sending:
            ages.append(self.sending_since)
        if self.waiting:
            ages.append(self.first_at)
        return min(ages, default=self.first_at)

    def is_full(self, limits: Limits) -> bool:
        """Whether the open batch can take no more."""
        return self.waiting >= limits.batch_max_jobs or self.waiting_bytes >= limits.batch_max_bytes

    def ready_at(self, limits: Limits, now: float) -> float | None:
        """When the lane wants to send; None when it has nothing to."""
        # Three cases: a batch waits to be sent again; the open batch may close now; it lingers.
        if self.frozen:
            return max(self.not_before, self.frozen[0].due_at)
        if not self.waiting:
            return None
        if self.close_now or self.is_full(limits):
            return max(self.not_before, now)
        lingers_until = min(self.last_at + limits.linger_s, self.first_at + limits.linger_max_s)
        return max(self.not_before, lingers_until)


@dataclass(slots=True)
class SpaceLine:
    """One space's lanes, and those among them whose turn may come."""

    space_id: int
    endpoint: str | None
    lanes: dict[int, LaneLine] = field(default_factory=dict)
    turn: deque[int] = field(default_factory=deque)
    in_flight: int = 0
    depth: int = 0
    size: int = 0
    parked_until: float | None = None
    pause_until: float = 0.0
    queued: bool = False
    _ages: list[tuple[float, int]] = field(default_factory=list)  # a heap; stale entries stay

    @property
    def held_until(self) -> float:
        """Nothing may be sent before this."""
        return max(self.pause_until, self.parked_until or 0.0)

    def has_room(self, limits: Limits) -> bool:
        """Whether one batch more may be on its way."""
        # A parked space whose time has come is probed with one batch, not with all it may have.
        most = 1 if self.parked_until is not None else limits.max_in_flight_per_space
        return self.in_flight < most

    def needs_token(self, lane: LaneLine) -> bool:
        """Whether the lane's next batch is a retry that the budget has to allow."""
        # The probe of a parked space is bounded by the park's own schedule; the budget is for
        # those who are being served.
        return bool(lane.frozen) and self.parked_until is None

    def note_age(self, lane: LaneLine) -> None:
        """The age of the lane's oldest job may have changed."""
        heapq.heappush(self._ages, (lane.oldest_at, lane.lane_id))
        if len(self._ages) > _STALE_AGES + 2 * len(self.lanes):
            self._ages = sorted((e.oldest_at, e.lane_id) for e in self.lanes.values() if e.depth)

    @property
    def oldest_at(self) -> float | None:
        """When the oldest job not delivered yet was accepted."""
        while self._ages:
            at, lane_id = self._ages[0]
            lane = self.lanes.get(lane_id)
            if lane is not None and lane.depth and lane.oldest_at == at:
                return at
            heapq.heappop(self._ages)
        return None
