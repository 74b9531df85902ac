"""Whose turn it is to send, and when: linger, fairness, limits.

Pure, as lanes is. Spaces take turns, then the lanes inside a space, so that one busy tenant
cannot starve the others.
"""

import heapq
from collections import deque
from collections.abc import Mapping

from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.lane_state import LaneLine, Limits, Ready, SpaceLine

_EPSILON_S = 1e-6


class Rota:
    """The turns of *lanes* and *spaces*, which belong to who keeps them."""

    def __init__(
        self,
        limits: Limits,
        endpoints: Endpoints,
        lanes: Mapping[int, LaneLine],
        spaces: Mapping[int, SpaceLine],
    ) -> None:
        self._limits = limits
        self._endpoints = endpoints
        self._lanes = lanes
        self._spaces = spaces
        self._turn: deque[int] = deque()
        self._timers: list[tuple[float, int]] = []
        self._held: set[int] = set()
        self._all_held = False
        self.in_flight = 0

    # What happened

    def hold(self, space_id: int | None) -> None:
        """Nobody of the space (None: of any) has a turn until release()."""
        if space_id is None:
            self._all_held = True
        else:
            self._held.add(space_id)

    def release(self, space_id: int | None) -> None:
        """End a hold; spaces that are held by themselves stay so when all are released."""
        if space_id is None:
            self._all_held = False
        else:
            self._held.discard(space_id)

    def _is_held(self, space: SpaceLine) -> bool:
        return self._all_held or space.space_id in self._held

    def arm(self, lane: LaneLine, now: float) -> float | None:
        """The lane's turn comes now or at a time; return it, None without news."""
        at = None if lane.queued else lane.ready_at(self._limits, now)
        if at is None:
            return None
        if at <= now + _EPSILON_S:
            self._queue(lane)
        else:
            heapq.heappush(self._timers, (at, lane.lane_id))
        return at

    def landed(self, lane_id: int) -> LaneLine:
        """The lane's batch is not on its way any more."""
        lane = self._lanes[lane_id]
        lane.in_flight = False
        self._spaces[lane.space_id].in_flight -= 1
        self.in_flight -= 1
        return lane

    def drop(self, space: SpaceLine) -> None:
        """The space is gone, with its lanes."""
        if space.queued:
            self._turn.remove(space.space_id)

    def clear(self) -> None:
        """All spaces and lanes are gone."""
        self._turn.clear()
        self._timers.clear()
        self.in_flight = 0

    # What to do

    def next(self, now: float) -> Ready | None:
        """Whose turn it is, marked as in flight; None when nobody may send at *now*."""
        self._ripen(now)
        if self.in_flight >= self._limits.max_in_flight:
            return None
        for _ in range(len(self._turn)):
            space = self._spaces[self._turn[0]]
            self._turn.rotate(-1)
            ready = self._take(space, now)
            if not space.turn:
                self._turn.remove(space.space_id)
                space.queued = False
            if ready is not None:
                return ready
        return None

    def _take(self, space: SpaceLine, now: float) -> Ready | None:
        if space.held_until > now or space.endpoint is None or self._is_held(space):
            return None
        if not space.has_room(self._limits):
            return None
        lane = self._lanes[space.turn[0]]
        retry = space.needs_token(lane)
        if not self._endpoints.admit(space.endpoint, now, retry=retry):
            fresh = self._first_attempt(space, now) if retry else None
            if fresh is None or not self._endpoints.admit(space.endpoint, now, retry=False):
                return None
            lane = fresh
        space.turn.remove(lane.lane_id)
        lane.queued = False
        lane.in_flight = True
        space.in_flight += 1
        self.in_flight += 1
        frozen = lane.frozen.popleft() if lane.frozen else None
        if frozen is not None:
            lane.sending = frozen.jobs
            lane.sending_since = frozen.oldest_at
        return Ready(lane.lane_id, space.space_id, space.endpoint, frozen)

    def _first_attempt(self, space: SpaceLine, now: float) -> LaneLine | None:
        # A retry may have to wait for its token: a first attempt queued behind it needs none.
        opens_at = self._endpoints.admits_at(space.endpoint or "", now, retry=False)
        if opens_at is None or opens_at > now:
            return None
        lanes = (self._lanes[lane_id] for lane_id in space.turn)
        return next((lane for lane in lanes if not lane.frozen), None)

    def wakeup_at(self, now: float) -> float | None:
        """When next() may have something new without anything happening; None for never."""
        times = [self._timers[0][0]] if self._timers else []
        if self.in_flight < self._limits.max_in_flight:
            for space_id in self._turn:
                space = self._spaces[space_id]
                if space.endpoint is None or self._is_held(space):
                    continue
                if not space.has_room(self._limits):
                    continue
                opens_at = self._opens_at(space, space.endpoint, now)
                if opens_at is not None:
                    times.append(max(space.held_until, opens_at))
        return min(times, default=None)

    def _opens_at(self, space: SpaceLine, endpoint: str, now: float) -> float | None:
        """When time alone lets one of the space's lanes send, as _take() would choose."""
        retry = space.needs_token(self._lanes[space.turn[0]])
        opens_at = self._endpoints.admits_at(endpoint, now, retry=retry)
        if not retry or opens_at == now:
            return opens_at
        if all(self._lanes[lane_id].frozen for lane_id in space.turn):
            return opens_at
        fresh_at = self._endpoints.admits_at(endpoint, now, retry=False)
        return min((at for at in (opens_at, fresh_at) if at is not None), default=None)

    # Inside

    def _ripen(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now + _EPSILON_S:
            _, lane_id = heapq.heappop(self._timers)
            lane = self._lanes.get(lane_id)
            if lane is not None and not lane.in_flight:
                self.arm(lane, now)

    def _queue(self, lane: LaneLine) -> None:
        space = self._spaces[lane.space_id]
        lane.queued = True
        space.turn.append(lane.lane_id)
        if not space.queued:
            space.queued = True
            self._turn.append(space.space_id)
