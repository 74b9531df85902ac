"""Spaces that wait for an outside condition: quota, a refused key, a wrong address.

A park is in the journal before it holds, so it outlives the process. Each further refusal
doubles the wait; one success ends it.
"""

from dataclasses import replace

import structlog

from mem9_async.models.outcome import Outcome
from mem9_async.queue.journal import Journal
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.policy import Decision
from mem9_async.queue.records import Park

log = structlog.get_logger()


class Parking:
    """Which spaces wait, for what, and until when."""

    def __init__(self, journal: Journal, lanes: Lanes) -> None:
        self._journal = journal
        self._lanes = lanes
        self._parks: dict[int, Park] = {}

    def restore(self, now: float, *, max_s: float) -> None:
        """Hold again what an earlier process had parked, clamped against clock jumps."""
        for park in self._journal.parks():
            until = min(max(park.until, now), now + max_s)
            self._parks[park.space_id] = replace(park, until=until)
            self._lanes.park(park.space_id, until)

    def get(self, space_id: int) -> Park | None:
        """Why the space waits; None when it does not."""
        return self._parks.get(space_id)

    def all(self) -> list[Park]:
        """Every space that waits."""
        return list(self._parks.values())

    def is_parked_beyond(self, space_id: int, now: float) -> bool:
        """Whether the space has to wait longer than *now*."""
        park = self._parks.get(space_id)
        return park is not None and park.until > now

    def next_step(self, space_id: int) -> int:
        """How often in a row the space was parked already."""
        park = self._parks.get(space_id)
        return 0 if park is None else park.step + 1

    def park(self, space_id: int, outcome: Outcome, decision: Decision, now: float) -> None:
        """Hold the space for `decision.after_s` seconds.

        A refusal of a request that was already on its way when the space was parked changes
        nothing: four requests at once are one refusal, not four.
        """
        if self.is_parked_beyond(space_id, now):
            return
        before = self._parks.get(space_id)
        park = Park(
            space_id=space_id,
            reason=decision.reason,
            parked_at=before.parked_at if before else now,
            until=now + decision.after_s,
            step=self.next_step(space_id),
            outcome=outcome,
        )
        self._journal.park(park)
        self._parks[space_id] = park
        self._lanes.park(space_id, park.until)
        log.warning(
            "space.parked",
            space=self.fingerprint(space_id),
            reason=decision.reason,
            error_code=outcome.error_code,
            http_status=outcome.http_status,
            retry_in_s=round(decision.after_s, 3),
        )

    def resume(self, space_id: int, now: float) -> bool:
        """Let the space send again; return whether it was parked."""
        park = self._parks.pop(space_id, None)
        if park is None:
            return False
        self._journal.unpark(space_id, now)
        self._lanes.unpark(space_id)
        log.info(
            "space.resumed",
            space=self.fingerprint(space_id),
            reason=park.reason,
            duration_s=round(now - park.parked_at, 3),
        )
        return True

    def forget(self, space_id: int) -> None:
        """Drop the park of a space that holds nothing any more."""
        self._parks.pop(space_id, None)

    def probe_now(self, space_id: int, now: float) -> None:
        """Try a parked space at once with one batch: something it waited for may have come."""
        park = self._parks.get(space_id)
        if park is not None:
            # Over for us as well as for the lanes: a refusal of the probe must park anew.
            self._parks[space_id] = replace(park, until=min(park.until, now))
            self._lanes.park(space_id, now)

    def fingerprint(self, space_id: int) -> str:
        """The keyed hash (8 hex) that stands for the space in logs."""
        return self._journal.addresses.space_name(space_id)
