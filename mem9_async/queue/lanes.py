"""What waits in each lane, in order, and what came of what was sent; the rota says who may send.

Pure: a clock goes in, decisions come out. Nothing here sends, waits or stores.
"""

from collections import deque
from collections.abc import Iterable

from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.lane_state import LaneLine, Limits, Ready, SpaceLine
from mem9_async.queue.records import Backlog, FrozenRef
from mem9_async.queue.rota import Rota

_SWEEP_FROM = 256  # spaces; with fewer it is not worth looking for idle ones


class Lanes:
    """The waiting lines of every lane, and whose turn it is."""

    def __init__(self, limits: Limits, endpoints: Endpoints) -> None:
        self._limits = limits
        self._lanes: dict[int, LaneLine] = {}
        self._spaces: dict[int, SpaceLine] = {}
        self._rota = Rota(limits, endpoints, self._lanes, self._spaces)
        self._sweeps_at = _SWEEP_FROM
        self._gaps: dict[int, float] = {}
        self.depth = 0
        self.waiting_bytes = 0

    def __repr__(self) -> str:
        """The state at a glance."""
        return (
            f"<Lanes: {len(self._spaces)} spaces, {len(self._lanes)} lanes,"
            f" {self.depth} jobs, {self.in_flight} batches in flight>"
        )

    # What happened

    def appended(
        self,
        lane_id: int,
        space_id: int,
        endpoint: str,
        size: int,
        now: float,
        *,
        close_now: bool = False,
    ) -> float | None:
        """One job more waits in the lane; *close_now* ends the wait for company.

        Returns when the lane wants to send, if that is news; None when it was known before.
        """
        if len(self._spaces) >= self._sweeps_at:
            self._sweep(now)
        lane = self._lane(lane_id, space_id, endpoint)
        if lane.waiting == 0:
            lane.first_at = now
        lane.waiting += 1
        lane.waiting_bytes += size
        lane.last_at = now
        lane.close_now = lane.close_now or close_now
        self._grow(lane, 1, size)
        if lane.depth == 1:
            self._spaces[lane.space_id].note_age(lane)
        first_or_full = lane.waiting == 1 or close_now or lane.is_full(self._limits)
        if first_or_full and not lane.in_flight and not lane.queued and not lane.frozen:
            return self._rota.arm(lane, now)
        return None

    def restored(self, backlog: Backlog, now: float) -> None:
        """A lane of an opened or adopted journal holds *backlog*; it replaces what was known."""
        lane = self._lane(backlog.lane_id, backlog.space_id, backlog.endpoint)
        before, before_bytes = lane.depth - lane.sending, lane.waiting_bytes
        before_bytes += sum(ref.size for ref in lane.frozen)
        lane.waiting = backlog.waiting
        lane.waiting_bytes = backlog.waiting_bytes
        lane.first_at = backlog.oldest_at
        lane.last_at = backlog.newest_at
        lane.frozen = deque(backlog.frozen)
        # What an earlier process accepted has lingered long enough.
        lane.close_now = True
        after_bytes = lane.waiting_bytes + sum(ref.size for ref in lane.frozen)
        self._grow(lane, lane.depth - lane.sending - before, after_bytes - before_bytes)
        self._spaces[lane.space_id].note_age(lane)
        if not lane.in_flight:
            self._rota.arm(lane, now)

    def reloaded(self, lane_id: int, backlog: Backlog | None, now: float) -> None:
        """The journal's account of a known lane has changed; None when it holds nothing now."""
        if backlog is not None:
            self.restored(backlog, now)
            return
        lane = self._lanes.get(lane_id)
        if lane is None:
            return
        size = lane.waiting_bytes + sum(ref.size for ref in lane.frozen)
        self._grow(lane, lane.sending - lane.depth, -size)
        lane.waiting = lane.waiting_bytes = 0
        lane.frozen.clear()
        if lane.in_flight:
            self._spaces[lane.space_id].note_age(lane)
        elif not lane.queued:
            self._after(lane, now)

    def frozen(
        self, lane_id: int, *, jobs: int, size: int, oldest_at: float, next_at: float | None
    ) -> None:
        """The lane's next jobs were made a batch; the oldest job left was accepted at *next_at*."""
        lane = self._lanes[lane_id]
        lane.waiting -= jobs
        lane.waiting_bytes -= size
        lane.sending = jobs
        lane.sending_since = oldest_at
        if next_at is None:
            lane.waiting = lane.waiting_bytes = 0
            lane.close_now = False
        else:
            lane.first_at = next_at
        self._spaces[lane.space_id].note_age(lane)

    def lost(self, lane_id: int, *, jobs: int, size: int) -> None:
        """Some of the lane's batch in flight cannot be read, and was set aside."""
        lane = self._lanes[lane_id]
        lane.sending -= jobs
        self._grow(lane, -jobs, -size)
        self._spaces[lane.space_id].note_age(lane)

    def settled(
        self, lane_id: int, now: float, *, size: int, gone: int, hold_until: float = 0.0
    ) -> None:
        """The lane's batch has left for good: *gone* jobs of *size* bytes delivered or dead.

        The next one waits until *hold_until*, or until go_ahead().
        """
        lane = self._rota.landed(lane_id)
        self._grow(lane, -gone, -size)
        lane.sending = 0
        if hold_until > now:
            if len(self._gaps) >= _SWEEP_FROM:
                self._gaps = {each: at for each, at in self._gaps.items() if at > now}
            self._gaps[lane_id] = lane.not_before = hold_until
        self._after(lane, now)

    def go_ahead(self, lane_id: int, now: float) -> None:
        """What the lane's next batch waited for has come about."""
        if self._gaps.pop(lane_id, None) is None:
            return
        lane = self._lanes.get(lane_id)
        if lane is not None:
            lane.not_before = 0.0
            if not lane.in_flight:
                self._rota.arm(lane, now)

    def again(self, lane_id: int, refs: tuple[FrozenRef, ...], now: float) -> None:
        """The lane's batch stays, as *refs*: itself, or the parts it was split into."""
        lane = self._rota.landed(lane_id)
        lane.frozen.extendleft(reversed(refs))
        lane.sending = 0
        self._after(lane, now)

    def postpone(self, ready: Ready, until: float, now: float) -> None:
        """The lane's turn could not be used; everything stays, and it gets another one later."""
        lane = self._rota.landed(ready.lane_id)
        lane.not_before = until
        lane.sending = 0
        if ready.frozen is not None:
            lane.frozen.appendleft(ready.frozen)
        self._after(lane, now)

    def vanished(self, ready: Ready, now: float) -> None:
        """The journal holds nothing of what *ready* was to send; forget what was counted."""
        lane = self._rota.landed(ready.lane_id)
        if ready.frozen is not None:
            self._grow(lane, -ready.frozen.jobs, -ready.frozen.size)
        else:
            self._grow(lane, -lane.waiting, -lane.waiting_bytes)
            lane.waiting = lane.waiting_bytes = 0
        lane.sending = 0
        self._after(lane, now)

    def park(self, space_id: int, until: float) -> None:
        """Nothing of the space is sent before *until*, or before unpark()."""
        # Also where nothing waits yet: a park outlives the jobs that brought it about.
        space = self._spaces.setdefault(space_id, SpaceLine(space_id, None))
        space.parked_until = until

    def unpark(self, space_id: int) -> None:
        """The space may send again."""
        if (space := self._spaces.get(space_id)) is not None:
            space.parked_until = None
            space.pause_until = 0.0
            self._forget_idle(space)

    def hold(self, space_id: int | None) -> None:
        """Send nothing of the space (None: of any) until release()."""
        self._rota.hold(space_id)

    def release(self, space_id: int | None) -> None:
        """End a hold; spaces that are held by themselves stay so when all are released."""
        self._rota.release(space_id)

    def endpoint_known(self, space_id: int, endpoint: str) -> None:
        """The key of a recovered space has come: what waits there may go to *endpoint*."""
        space = self._spaces.get(space_id)
        if space is not None and space.endpoint is None:
            space.endpoint = endpoint

    def pause(self, space_id: int, until: float) -> None:
        """Hold the space back for seconds: it was asked to slow down."""
        if (space := self._spaces.get(space_id)) is not None:
            space.pause_until = max(space.pause_until, until)

    def go_on(self, space_id: int, *, paused_until: float) -> None:
        """End the pause until *paused_until*, if it is that one which holds the space."""
        space = self._spaces.get(space_id)
        if space is not None and space.pause_until == paused_until:
            space.pause_until = 0.0

    def flush(self, space_id: int, now: float) -> int:
        """Close the space's open batches now, and end its back-off; return how many lanes."""
        space = self._spaces.get(space_id)
        if space is None:
            return 0
        for lane in space.lanes.values():
            lane.close_now = True
            lane.not_before = 0.0
            self._gaps.pop(lane.lane_id, None)
            lane.frozen = deque(
                FrozenRef(ref.row, ref.jobs, ref.size, ref.oldest_at, min(ref.due_at, now))
                for ref in lane.frozen
            )
            if not lane.in_flight:
                self._rota.arm(lane, now)
        return len(space.lanes)

    def in_flight_of(self, space_id: int) -> int:
        """Batches of the space that are on their way."""
        space = self._spaces.get(space_id)
        return 0 if space is None else space.in_flight

    def drop(self, space_id: int) -> None:
        """Forget a space whose jobs are not its own any more; it must have nothing in flight."""
        space = self._spaces.pop(space_id, None)
        if space is None:
            return
        for lane_id in space.lanes:
            del self._lanes[lane_id]
        self._rota.drop(space)
        self.depth -= space.depth
        self.waiting_bytes -= space.size

    def clear(self) -> None:
        """Forget everything; what the journal holds is restored() afterwards."""
        self._lanes.clear()
        self._spaces.clear()
        self._rota.clear()
        self._gaps.clear()
        self.depth = self.waiting_bytes = 0

    # What to do

    def next(self, now: float) -> Ready | None:
        """Whose turn it is, marked as in flight; None when nobody may send at *now*."""
        return self._rota.next(now)

    def wakeup_at(self, now: float) -> float | None:
        """When next() may have something new without anything happening; None for never."""
        return self._rota.wakeup_at(now)

    # How it stands

    def spaces(self) -> Iterable[SpaceLine]:
        """Every space in use, to be looked at only."""
        return self._spaces.values()

    @property
    def in_flight(self) -> int:
        """Batches that are on their way."""
        return self._rota.in_flight

    def space_depth(self, space_id: int) -> int:
        """Jobs of the space that are not delivered yet."""
        space = self._spaces.get(space_id)
        return 0 if space is None else space.depth

    def space_bytes(self, space_id: int) -> int:
        """Bytes of the space that are not delivered yet."""
        space = self._spaces.get(space_id)
        return 0 if space is None else space.size

    def lane_depth(self, lane_id: int) -> int:
        """Jobs of the lane that are not delivered yet."""
        lane = self._lanes.get(lane_id)
        return 0 if lane is None else lane.depth

    def oldest_at(self, space_id: int) -> float | None:
        """When the space's oldest undelivered job was accepted."""
        space = self._spaces.get(space_id)
        return None if space is None else space.oldest_at

    # Inside

    def _lane(self, lane_id: int, space_id: int, endpoint: str | None) -> LaneLine:
        lane = self._lanes.get(lane_id)
        space = self._spaces.get(space_id)
        if space is None:
            space = self._spaces[space_id] = SpaceLine(space_id, endpoint)
        elif space.endpoint is None:
            space.endpoint = endpoint
        if lane is None:
            lane = self._lanes[lane_id] = space.lanes[lane_id] = LaneLine(lane_id, space_id)
            lane.not_before = self._gaps.get(lane_id, 0.0)
        return lane

    def _grow(self, lane: LaneLine, jobs: int, size: int) -> None:
        self.depth += jobs
        self.waiting_bytes += size
        space = self._spaces[lane.space_id]
        space.depth += jobs
        space.size += size

    def _after(self, lane: LaneLine, now: float) -> None:
        if lane.waiting or lane.frozen:
            self._spaces[lane.space_id].note_age(lane)
            self._rota.arm(lane, now)
            return
        del self._lanes[lane.lane_id]
        space = self._spaces[lane.space_id]
        del space.lanes[lane.lane_id]
        if space.pause_until <= now:
            self._forget_idle(space)

    def _sweep(self, now: float) -> None:
        # A space that was told to slow down is kept for that, also when it has sent everything.
        for space in [each for each in self._spaces.values() if each.pause_until <= now]:
            self._forget_idle(space)
        self._sweeps_at = _SWEEP_FROM + 2 * len(self._spaces)

    def _forget_idle(self, space: SpaceLine) -> None:
        if not space.lanes and not space.in_flight and space.parked_until is None:
            del self._spaces[space.space_id]
