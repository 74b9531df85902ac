"""What the next answer for a space must tell of its earlier writes.

A store answers before mem9 does, so a refusal is told by the next answer for that space.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mem9_async.models.outcome import ErrorType, Outcome, Trouble
from mem9_async.queue.policy import Decision, Move
from mem9_async.queue.records import DeadSpace

# Who says this knows the space, or was not asked.
_FOUND = frozenset(
    {
        ErrorType.QUOTA_EXHAUSTED,
        ErrorType.RATE_LIMITED,
        ErrorType.CONFLICT,
        ErrorType.REJECTED,
        ErrorType.TOO_LARGE,
        ErrorType.BUG,
        ErrorType.KEY_MISSING,
    }
)
_DEAD_TOLD_S = 24 * 3600.0  # after that memory_queue alone shows a dead letter
_COUNTED_EVERY_S = 5.0  # counting costs as much as there is, and receipts ask each time


@dataclass(frozen=True, slots=True)
class _Failure:
    outcome: Outcome
    state: Literal["retrying", "parked"]
    reason: str
    until: float


@dataclass(slots=True)
class _Dead:
    outcome: Outcome
    reason: str
    at: float
    count: int = 0
    counted_at: float = float("-inf")


class News:
    """Trouble by space number. Times in seconds of the caller's clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures: dict[int, _Failure] = {}
        self._dead: dict[int, _Dead] = {}

    def failed(self, space_id: int, outcome: Outcome, decision: Decision) -> None:
        """Remember a failure until a success answers it, a dead letter until it is seen to."""
        now = self._now()
        if decision.move is Move.BURY:
            self._dead[space_id] = _Dead(outcome, decision.reason, now)
            return
        state: Literal["retrying", "parked"] = (
            "parked" if decision.move is Move.PARK else "retrying"
        )
        until = now + decision.after_s
        self._failures[space_id] = _Failure(outcome, state, decision.reason, until)

    def parked(self, space_id: int, outcome: Outcome, reason: str, until: float) -> None:
        """Remember a park that an earlier process left."""
        self._failures[space_id] = _Failure(outcome, "parked", reason, until)

    def dead(self, found: list[DeadSpace]) -> None:
        """Remember the dead letters that the journal holds, whoever made them so."""
        self._dead = {
            each.space_id: _Dead(each.outcome, str(each.outcome.error_type or "rejected"), each.at)
            for each in found
        }

    def succeeded(self, space_id: int) -> None:
        """Forget the space's trouble; dead letters stay told."""
        self._failures.pop(space_id, None)

    @property
    def any_failed(self) -> bool:
        """Whether any space is in trouble; dead letters are none."""
        return bool(self._failures)

    def has_failed(self, space_id: int) -> bool:
        """Whether the last request for the space came to nothing; a missing key made none."""
        failure = self._failures.get(space_id)
        return failure is not None and failure.reason != ErrorType.KEY_MISSING

    def has_missed(self, space_id: int) -> bool:
        """Whether the last request for the space found no mem9 that knows the space."""
        failure = self._failures.get(space_id)
        return failure is not None and failure.outcome.error_type not in _FOUND

    def forget(self, space_id: int) -> None:
        """Drop the trouble of a space that holds nothing any more."""
        self._failures.pop(space_id, None)
        self._dead.pop(space_id, None)

    def trouble(self, space_id: int, *, held: int, dead: Callable[[], int]) -> Trouble | None:
        """What still is wrong with the space's writes; None when nothing is.

        *held* is how many jobs wait; *dead* counts the dead letters, which are told for a day
        or until they are sent again.
        """
        letters = self._letters(space_id, dead)
        failure = self._failures.get(space_id)
        if failure is not None:
            return Trouble(
                state=failure.state,
                reason=failure.reason,
                outcome=failure.outcome,
                held=held,
                dead=letters.count if letters else 0,
                retry_in_s=round(max(0.0, failure.until - self._now()), 3),
            )
        if letters is None:
            return None
        return Trouble(
            state="dead",
            reason=letters.reason,
            outcome=letters.outcome,
            held=held,
            dead=letters.count,
            retry_in_s=None,
        )

    def _letters(self, space_id: int, count: Callable[[], int]) -> _Dead | None:
        letters = self._dead.get(space_id)
        if letters is None:
            return None
        now = self._now()
        if now - letters.counted_at >= _COUNTED_EVERY_S:
            letters.count, letters.counted_at = count(), now
        if letters.count and now - letters.at < _DEAD_TOLD_S:
            return letters
        del self._dead[space_id]
        return None
