"""Spaces that wait for an outside condition: quota, a refused or missing key, a wrong address.

A park is in the journal before it holds, so it outlives the process. Each further refusal
doubles the wait, unless somebody asked for the probe; one success ends it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.policy import Decision
from mem9_async.queue.records import Park

log = structlog.get_logger()

_NO_KEY = Outcome(
    error_type=ErrorType.KEY_MISSING,
    error="the API key was not kept over the restart: the next call that brings it sends these",
)


class Parking:
    """Which spaces wait, for what, and until when."""

    def __init__(self, journal: Journal, lanes: Lanes) -> None:
        self._journal = journal
        self._lanes = lanes
        self._parks: dict[int, Park] = {}
        # Until when a space was parked before somebody asked for a probe; gone once it is answered.
        self._asked: dict[int, float] = {}

    def restore(self, now: float, *, longest_s: Callable[[Park], float]) -> None:
        """Hold what the journal has parked, and what lacks its key.

        *longest_s* says how long a park's schedule can make it wait from now on, in seconds: a
        later due time was made by a clock that was wrong, and is brought back. What is held here
        already stays as it is: the journal knows nothing newer.
        """
        for park in self._journal.parks.all():
            if park.space_id not in self._parks:
                self._parks[park.space_id] = replace(
                    park,
                    parked_at=min(park.parked_at, now),
                    until=min(max(park.until, now), now + longest_s(park)),
                )
            self._lanes.park(park.space_id, self._parks[park.space_id].until)
        for space_id in self._journal.addresses.waiting_for_key():
            if space_id not in self._parks:
                self._wait_for_key(space_id, now)

    def _wait_for_key(self, space_id: int, now: float) -> None:
        # Over at once: no time ends it. Without its key the space has no endpoint to send to, and
        # with it the first batch goes as a probe.
        park = Park(space_id, str(ErrorType.KEY_MISSING), now, now, -1, _NO_KEY)
        # On a full disk it holds all the same: only, the wait then counts as delivery time.
        with suppress(JournalError):
            self._journal.parks.put(park)
        self._keep(park)
        log.warning(
            "space.parked",
            space=self.fingerprint(space_id),
            reason=park.reason,
            jobs=self._lanes.space_depth(space_id),
        )

    def _keep(self, park: Park) -> None:
        self._parks[park.space_id] = park
        self._lanes.park(park.space_id, park.until)

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
        """How often in a row the space was parked already; a probe on demand is no further time."""
        park = self._parks.get(space_id)
        if park is None:
            return 0
        return park.step if space_id in self._asked else park.step + 1

    def park(self, space_id: int, outcome: Outcome, decision: Decision, now: float) -> None:
        """Hold the space for `decision.after_s` seconds.

        A refusal of a request that was already on its way when the space was parked changes
        nothing: four requests at once are one refusal, not four. A refused probe that somebody
        asked for is the same wait again, never a shorter one: whoever asks often does no harm.
        """
        if self.is_parked_beyond(space_id, now):
            return
        before = self._parks.get(space_id)
        park = Park(
            space_id=space_id,
            reason=decision.reason,
            parked_at=before.parked_at if before else now,
            until=max(now + decision.after_s, self._asked.get(space_id, 0.0)),
            step=self.next_step(space_id),
            outcome=outcome,
        )
        self._journal.parks.put(park)
        self._keep(park)
        self._asked.pop(space_id, None)
        log.warning(
            "space.parked",
            space=self.fingerprint(space_id),
            reason=decision.reason,
            error_code=outcome.error_code,
            http_status=outcome.http_status,
            retry_in_s=round(park.until - now, 3),
        )

    def resume(self, space_id: int, now: float) -> bool:
        """Let the space send again; return whether it was parked."""
        park = self._parks.pop(space_id, None)
        if park is None:
            return False
        self._asked.pop(space_id, None)
        self._journal.parks.end(space_id, now)
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
        self._asked.pop(space_id, None)

    def probe_now(self, space_id: int, now: float) -> None:
        """Try a parked space at once with one batch: something it waited for may have come."""
        park = self._parks.get(space_id)
        if park is None:
            return
        if park.until > now:  # else the probe is due anyway
            self._asked.setdefault(space_id, park.until)
        # Over for us as well as for the lanes: a refusal of the probe must park anew.
        self._parks[space_id] = replace(park, until=min(park.until, now))
        self._lanes.park(space_id, now)

    def fingerprint(self, space_id: int) -> str:
        """The keyed hash (8 hex) that stands for the space in logs."""
        return self._journal.addresses.space_name(space_id)
