"""What was delivered since this process began, by space number."""

from collections import Counter, OrderedDict
from collections.abc import Sequence

_REMEMBERED_JOBS = 10_000


class Delivered:
    """Counts jobs that mem9 has taken, and remembers the newest of them by id."""

    def __init__(self) -> None:
        self._jobs: Counter[int] = Counter()
        self._again: Counter[int] = Counter()
        self._newest: OrderedDict[str, int] = OrderedDict()

    def add(self, space_id: int, job_ids: Sequence[str], *, redelivered: bool) -> None:
        """Add a delivered batch; *redelivered* when mem9 may have had it before."""
        self._jobs[space_id] += len(job_ids)
        if redelivered:
            self._again[space_id] += len(job_ids)
        self._newest.update(dict.fromkeys(job_ids, space_id))
        while len(self._newest) > _REMEMBERED_JOBS:
            self._newest.popitem(last=False)

    def forget(self, space_ids: set[int]) -> None:
        """Drop the counts of spaces whose numbers are gone."""
        for space_id in space_ids:
            self._jobs.pop(space_id, None)
            self._again.pop(space_id, None)

    def of(self, space_id: int) -> tuple[int, int]:
        """Jobs delivered, and among them those that may have arrived twice."""
        return self._jobs[space_id], self._again[space_id]

    def holds(self, space_id: int, job_id: str) -> bool:
        """Whether this job of the space was delivered, as far as is remembered."""
        return self._newest.get(job_id) == space_id
