"""A running queue, as the desk has to tell it of changes."""

from mem9_async.queue.clock import Clock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.holds import Holds
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.upkeep.lane_loader import LaneLoader


class LiveQueue:
    """Tells lanes, pending writes and delivery; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        lanes: Lanes,
        loader: LaneLoader,
        parking: Parking,
        holds: Holds,
        underway: Underway,
        deliverer: Deliverer,
        clock: Clock,
    ) -> None:
        self._lanes = lanes
        self._loader = loader
        self._parking = parking
        self._holds = holds
        self._underway = underway
        self._deliverer = deliverer
        self._clock = clock

    def changed(self, lanes: set[int], gone: tuple[str, ...]) -> None:
        """These lanes hold other jobs now; *gone* have left for good."""
        if lanes:
            self._loader.reload_lanes(lanes)
        if gone:
            self._underway.gone(gone)
        elif lanes:
            self._underway.reload()
        self._deliverer.wake()

    def recount(self) -> None:
        """The last of many changes was made: count anew what is costly to count."""
        self._loader.recount()

    def flush(self, space_id: int) -> None:
        """What waits in the space goes now; a parked one is tried once."""
        now = self._clock.now()
        self._lanes.flush(space_id, now)
        self._parking.probe_now(space_id, now)
        self._deliverer.wake()

    def is_parked(self, space_id: int) -> bool:
        """Whether the space waits for something outside, or for a person."""
        return self._holds.since(space_id) is not None or self._parking.get(space_id) is not None
