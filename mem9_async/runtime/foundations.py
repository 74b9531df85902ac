"""What the parts of the plugin's asynchronous half stand on: clock, queue, client, what is known.

Each is made when it is first needed.
"""

import random
from collections.abc import Callable, Coroutine
from functools import cached_property

from mem9_async.client.client import Mem9Client
from mem9_async.queue.circuit import Endpoints
from mem9_async.queue.clock import SteadyClock
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lane_state import Limits
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.policy import Policy
from mem9_async.runtime import components
from mem9_async.runtime.intake.outcome_waiters import Waiting
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.recall.usage_notices import Notices
from mem9_async.runtime.status.delivered import Delivered
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.status.news import News
from mem9_async.runtime.status.tally import Tally
from mem9_async.runtime.storage.storage import Storage
from mem9_async.settings import Settings

Spawn = Callable[[Coroutine[object, object, None]], None]


class Foundations:
    """What decides and remembers; none of it runs by itself."""

    def __init__(
        self, settings: Settings, storage: Storage, tally: Tally | None, spawn: Spawn
    ) -> None:
        """*spawn* runs a task that ends with the app."""
        self.settings = settings
        self.storage = storage
        self.clock = SteadyClock()
        self.health = Health()
        self.tally = tally or Tally(self.clock.now())
        self.delivered = Delivered()
        self.waiting = Waiting()
        self.spawn = spawn
        self.journal = storage.journal
        self._rng = random.Random()  # noqa: S311  jitter, not secrets
        self.wait_s = settings.wait_timeout_ms / 1000

    # What holds and decides

    @cached_property
    def limits(self) -> Limits:
        """How much may wait, travel together and be on its way."""
        return components.limits(self.settings)

    @cached_property
    def endpoints(self) -> Endpoints:
        """What is known of each mem9."""
        return Endpoints(components.endpoint_limits(self.settings), self._rng)

    @cached_property
    def client(self) -> Mem9Client:
        """mem9 over HTTP."""
        return components.client(self.settings)

    @cached_property
    def lanes(self) -> Lanes:
        """What waits, in order."""
        return Lanes(self.limits, self.endpoints)

    @cached_property
    def parking(self) -> Parking:
        """Who waits for something outside."""
        return Parking(self.journal, self.lanes)

    @cached_property
    def holds(self) -> Holds:
        """What people hold back."""
        return Holds(self.journal, self.lanes)

    @cached_property
    def recovery(self) -> Recovery:
        """The journal as it is found."""
        return Recovery(self.journal)

    @cached_property
    def reports(self) -> Reports:
        """What one space may see of the journal."""
        return Reports(self.journal)

    @cached_property
    def policy(self) -> Policy:
        """What an outcome means."""
        return Policy(components.waits(self.settings), self._rng)

    @cached_property
    def news(self) -> News:
        """What the next answers must tell."""
        return News(self.clock.now)

    @cached_property
    def notices(self) -> Notices:
        """What mem9 says about usage."""
        return Notices(route=self.client, now=self.clock.now, spawn=self.spawn)

    @cached_property
    def underway(self) -> Underway:
        """Writes that mem9 may not show yet."""
        return Underway(window_s=components.shown_s(self.settings), now=self.clock.now)
