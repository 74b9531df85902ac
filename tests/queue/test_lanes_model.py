"""Lanes against a model: whatever happens, in whatever order, nothing is forgotten."""

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mem9_async.queue.circuit import EndpointLimits
from mem9_async.queue.lane_state import Limits
from tests.queue.builders import ENDPOINT_LIMITS, LIMITS
from tests.queue.lane_rig import OPEN_DOORS, Held, LaneRig

# Small, so that every limit is met within a few steps.
SMALL = Limits(
    linger_s=1.0,
    linger_max_s=3.0,
    batch_max_jobs=3,
    batch_max_bytes=100,
    max_in_flight=3,
    max_in_flight_per_space=2,
)
LANES = st.integers(0, 5)
SPACES = st.integers(0, 1)
DRAIN_STEPS = 2_000


class LanesMachine(RuleBasedStateMachine):
    """Two spaces of three lanes each, and everything that can happen to them."""

    limits: ClassVar[Limits] = SMALL
    endpoint_limits: ClassVar[EndpointLimits] = OPEN_DOORS

    def __init__(self) -> None:
        super().__init__()
        self.rig = LaneRig(self.limits, self.endpoint_limits)
        self.lowest_adopted = 0

    @rule(lane_id=LANES, size=st.sampled_from([1, 40, 100, 150]), close_now=st.booleans())
    def append(self, lane_id: int, size: int, close_now: bool) -> None:
        """A job is accepted."""
        self.rig.append(lane_id, lane_id % 2, size=size, close_now=close_now)

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 3.0, 45.0]))
    def tick(self, seconds: float) -> None:
        """Time passes."""
        self.rig.now += seconds

    @rule()
    def start(self) -> None:
        """Whoever may send sends."""
        self.rig.start_all()

    @precondition(lambda self: self.rig.flying())
    @rule(draw=st.data())
    def deliver(self, draw: st.DataObject) -> None:
        """A batch is taken."""
        self.rig.deliver(draw.draw(st.sampled_from(self.rig.flying())))

    @precondition(lambda self: self.rig.flying())
    @rule(draw=st.data(), after_s=st.sampled_from([0.0, 0.5, 60.0]))
    def retry(self, draw: st.DataObject, after_s: float) -> None:
        """A batch is to be sent again."""
        self.rig.again(draw.draw(st.sampled_from(self.rig.flying())), after_s=after_s)

    @precondition(lambda self: self._splittable())
    @rule(draw=st.data())
    def split(self, draw: st.DataObject) -> None:
        """A batch is halved."""
        self.rig.again(draw.draw(st.sampled_from(self._splittable())), parts=2)

    @precondition(lambda self: self.rig.flying())
    @rule(draw=st.data())
    def postpone(self, draw: st.DataObject) -> None:
        """A batch could not be written down, and waits."""
        self.rig.postpone(draw.draw(st.sampled_from(self.rig.flying())), after_s=2.0)

    @precondition(lambda self: self.rig.flying())
    @rule(draw=st.data())
    def lose(self, draw: st.DataObject) -> None:
        """Some of a batch's jobs turn out to be unreadable, and are set aside."""
        self.rig.lose(draw.draw(st.sampled_from(self.rig.flying())))

    @rule(space_id=SPACES, seconds=st.sampled_from([0.0, 1.0, 60.0]))
    def park(self, space_id: int, seconds: float) -> None:
        """A space has to wait."""
        self.rig.lanes.park(space_id, self.rig.now + seconds)

    @rule(space_id=SPACES)
    def unpark(self, space_id: int) -> None:
        """A space may send again."""
        self.rig.lanes.unpark(space_id)

    @rule(space_id=SPACES, seconds=st.sampled_from([0.5, 5.0]))
    def pause(self, space_id: int, seconds: float) -> None:
        """A space is asked to slow down."""
        self.rig.lanes.pause(space_id, self.rig.now + seconds)

    @rule(space_id=SPACES)
    def flush(self, space_id: int) -> None:
        """Somebody wants it all sent now."""
        self.rig.flush(space_id)

    @rule(lane_id=LANES, jobs=st.integers(1, 4))
    def adopt(self, lane_id: int, jobs: int) -> None:
        """An orphan's jobs come in."""
        self.rig.adopt(lane_id, lane_id % 2, jobs=jobs)

    @rule(lane_id=LANES)
    def expire(self, lane_id: int) -> None:
        """What waits in a lane is too old; what is in flight is left alone."""
        self.rig.expire(lane_id)

    @invariant()
    def nothing_is_counted_twice_or_not_at_all(self) -> None:
        """Depth, bytes and ages are those of the jobs that are there."""
        rig = self.rig
        assert rig.lanes.depth == rig.depth()
        assert rig.lanes.in_flight == len(rig.flying())
        for space_id in (0, 1):
            assert rig.lanes.space_depth(space_id) == rig.depth(space_id)
            assert rig.lanes.space_bytes(space_id) == rig.size(space_id)
            assert rig.lanes.oldest_at(space_id) == rig.oldest_at(space_id)
        for lane_id, held in rig.held.items():
            assert rig.lanes.lane_depth(lane_id) == len(held.items)

    @invariant()
    def no_limit_is_passed(self) -> None:
        """Per space and over all of them; the rig itself checks the lanes."""
        flying = self.rig.flying()
        assert len(flying) <= self.limits.max_in_flight
        for space_id in (0, 1):
            here = [lane_id for lane_id in flying if lane_id % 2 == space_id]
            assert len(here) <= self.limits.max_in_flight_per_space

    def teardown(self) -> None:
        """When all is well again, everything leaves, each lane in its order, by waking alone."""
        rig = self.rig
        for space_id in (0, 1):
            rig.lanes.unpark(space_id)
        for _ in range(DRAIN_STEPS):
            rig.start_all()
            for lane_id in rig.flying():
                rig.deliver(lane_id)
            if not rig.depth():
                break
            wakeup_at = rig.lanes.wakeup_at(rig.now)
            assert wakeup_at is not None, "something waits, and nobody will ever look"
            rig.now = max(rig.now + 1e-6, wakeup_at)
        assert rig.depth() == 0
        assert rig.lanes.depth == rig.lanes.waiting_bytes == rig.lanes.in_flight == 0
        for numbers in rig.delivered.values():
            own = [number for number in numbers if number > 0]
            assert own == sorted(own)
        super().teardown()

    def _splittable(self) -> list[int]:
        return [
            lane_id for lane_id in self.rig.flying() if len(_held(self.rig, lane_id).sending) > 1
        ]


class GuardedLanesMachine(LanesMachine):
    """The same behind an endpoint with the plugin's own circuit and budget."""

    endpoint_limits = ENDPOINT_LIMITS

    @precondition(lambda self: self.rig.flying())
    @rule(draw=st.data(), unreachable=st.booleans())
    def fail(self, draw: st.DataObject, unreachable: bool) -> None:
        """The server is down."""
        self.rig.fail(draw.draw(st.sampled_from(self.rig.flying())), unreachable=unreachable)


class FullSizeLanesMachine(LanesMachine):
    """The same with the limits that the plugin really has: small ones can hide a mistake."""

    limits = LIMITS


def _held(rig: LaneRig, lane_id: int) -> Held:
    return rig.held[lane_id]


LanesMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=40)
GuardedLanesMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=40)
FullSizeLanesMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestLanes = LanesMachine.TestCase
TestGuardedLanes = GuardedLanesMachine.TestCase
TestFullSizeLanes = FullSizeLanesMachine.TestCase
