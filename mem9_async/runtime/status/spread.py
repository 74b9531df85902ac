"""How values are spread, in constant memory: quantiles to within a tenth, and counts by class."""

from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache

from mem9_async.models.status_snapshot import Distribution

# Sixteen classes in each power of ten.
_STEPS = (1, 1.1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)
_FINE = tuple(step * 10.0**power for power in range(-5, 6) for step in _STEPS)

#: What is told of each: the upper ends of a histogram's classes.
SHORT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
REQUEST_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0)
DELIVERY_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0)
JOBS = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 50.0, 100.0)


@lru_cache
def _bounds(told: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted({*_FINE, *told}))


class Spread:
    """Values of one kind, none below zero. `told` are the bounds of its distribution()."""

    def __init__(self, told: tuple[float, ...]) -> None:
        self._told = told
        self._bounds = _bounds(told)
        self._counts: dict[int, int] = {}
        self.count = 0
        self.sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """One value more, or *times* of the same."""
        place = bisect_left(self._bounds, value)
        self._counts[place] = self._counts.get(place, 0) + times
        self.count += times
        self.sum += value * times

    def merge(self, other: "Spread") -> None:
        """All values of *other*, which has the same bounds."""
        for place, count in other._counts.items():
            self._counts[place] = self._counts.get(place, 0) + count
        self.count += other.count
        self.sum += other.sum

    @property
    def mean(self) -> float | None:
        """The mean; None without values."""
        return self.sum / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The value that *share* of all do not exceed; None without values."""
        if not self.count:
            return None
        rank, below = share * self.count, 0
        for place in sorted(self._counts):
            here = self._counts[place]
            if below + here >= rank:
                low = self._bounds[place - 1] if place else 0.0
                high = self._bounds[min(place, len(self._bounds) - 1)]
                return low + (high - low) * (rank - below) / here
            below += here
        return self._bounds[-1]

    def distribution(self) -> Distribution:
        """The counts up to each of the bounds that are told."""
        return Distribution(self._told, tuple(self._up_to(self._told)), self.count, self.sum)

    def _up_to(self, bounds: Iterable[float]) -> list[int]:
        found, total, places = [], 0, iter(sorted(self._counts))
        place = next(places, None)
        for bound in bounds:
            end = bisect_left(self._bounds, bound)
            while place is not None and place <= end:
                total += self._counts[place]
                place = next(places, None)
            found.append(total)
        return found
