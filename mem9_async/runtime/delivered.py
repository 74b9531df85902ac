"""How much was delivered since this process began, by space number."""

from collections import Counter


class Delivered:
    """Counts jobs that mem9 has taken."""

    def __init__(self) -> None:
        self._jobs: Counter[int] = Counter()
        self._again: Counter[int] = Counter()

    def count(self, space_id: int, jobs: int, *, redelivered: bool) -> None:
        """Add a delivered batch; *redelivered* when mem9 may have had it before."""
        self._jobs[space_id] += jobs
        if redelivered:
            self._again[space_id] += jobs

    def of(self, space_id: int) -> tuple[int, int]:
        """Jobs delivered, and among them those that may have arrived twice."""
        return self._jobs[space_id], self._again[space_id]
