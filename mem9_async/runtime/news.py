"""What the next answer for a space must tell of its earlier writes.

A store answers before mem9 does, so a refusal is told by the next answer for that space.
"""

from collections.abc import Callable
from typing import Literal

from mem9_async.models.outcome import Outcome, Trouble
from mem9_async.queue.policy import Decision, Move

_State = Literal["retrying", "parked", "dead"]
_STATES: dict[Move, _State] = {Move.PARK: "parked", Move.BURY: "dead"}


class News:
    """Trouble by space number. Times in seconds of the caller's clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures: dict[int, tuple[Outcome, _State, str, float]] = {}

    def failed(self, space_id: int, outcome: Outcome, decision: Decision) -> None:
        """Remember a failure until a success answers it."""
        state: _State = _STATES.get(decision.move, "retrying")
        until = self._now() + decision.after_s
        self._failures[space_id] = (outcome, state, decision.reason, until)

    def parked(self, space_id: int, outcome: Outcome, reason: str, until: float) -> None:
        """Remember a park that an earlier process left."""
        self._failures[space_id] = (outcome, "parked", reason, until)

    def succeeded(self, space_id: int) -> None:
        """Forget the space's trouble; dead letters stay told."""
        before = self._failures.get(space_id)
        if before is not None and before[1] != "dead":
            del self._failures[space_id]

    def forget(self, space_id: int) -> None:
        """Drop the trouble of a space that holds nothing any more."""
        self._failures.pop(space_id, None)

    def trouble(self, space_id: int, *, held: int, dead: Callable[[], int]) -> Trouble | None:
        """What still is wrong with the space's writes; None when nothing is.

        *held* is how many jobs wait; dead letters are told until they are sent again.
        """
        failure = self._failures.get(space_id)
        if failure is None:
            return None
        outcome, state, reason, until = failure
        dead_now = dead()
        if state == "dead" and not dead_now:
            del self._failures[space_id]
            return None
        return Trouble.model_construct(
            state=state,
            reason=reason,
            outcome=outcome,
            held=held,
            dead=dead_now,
            retry_in_s=None if state == "dead" else round(max(0.0, until - self._now()), 3),
        )
