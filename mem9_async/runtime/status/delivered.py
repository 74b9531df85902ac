"""What became of jobs that left since this process began, by space number."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_REMEMBERED_JOBS = 10_000

Ended = Literal["delivered", "remembered", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs of one space. `redelivered` may have arrived twice; lost ones were sent again."""

    delivered: int = 0
    redelivered: int = 0
    remembered: int = 0
    unconfirmed: int = 0
    lost_and_sent_again: int = 0


class Delivered:
    """Counts jobs that mem9 has taken, and remembers the newest of them by id."""

    def __init__(self) -> None:
        self._counts: dict[int, Counter[str]] = {}
        self._newest: OrderedDict[str, tuple[int, Ended]] = OrderedDict()

    def add(self, space_id: int, job_ids: Sequence[str], *, redelivered: bool) -> None:
        """Add a delivered batch; *redelivered* when mem9 may have had it before."""
        self._count(space_id, "delivered", len(job_ids))
        if redelivered:
            self._count(space_id, "redelivered", len(job_ids))
        self._note(space_id, job_ids, "delivered")

    def ended(
        self, space_id: int, job_ids: Sequence[str], end: Literal["remembered", "unconfirmed"]
    ) -> None:
        """A delivered batch is watched no longer."""
        self._count(space_id, end, len(job_ids))
        self._note(space_id, job_ids, end)

    def lost(self, space_id: int, job_ids: Sequence[str]) -> None:
        """A delivered batch was lost by mem9, and is on its way again."""
        self._count(space_id, "lost_and_sent_again", len(job_ids))
        self._count(space_id, "delivered", -len(job_ids))
        for job_id in job_ids:
            self._newest.pop(job_id, None)

    def forget(self, space_ids: set[int]) -> None:
        """Drop the counts of spaces whose numbers are gone."""
        for space_id in space_ids:
            self._counts.pop(space_id, None)

    def of(self, space_id: int) -> Counts:
        """The space's counts."""
        counts = self._counts.get(space_id)
        return Counts(**counts) if counts else Counts()

    def state(self, space_id: int, job_id: str) -> Ended | None:
        """What became of this job of the space, as far as is remembered."""
        of, ended = self._newest.get(job_id, (None, None))
        return ended if of == space_id else None

    def _count(self, space_id: int, name: str, amount: int) -> None:
        self._counts.setdefault(space_id, Counter())[name] += amount

    def _note(self, space_id: int, job_ids: Sequence[str], ended: Ended) -> None:
        for job_id in job_ids:
            self._newest[job_id] = (space_id, ended)
        while len(self._newest) > _REMEMBERED_JOBS:
            self._newest.popitem(last=False)
