"""Whether the events of agents' runs come as they were numbered. Pure, bounded, in memory only."""

from collections import OrderedDict
from typing import Literal

from mem9_async.models.space import Lane

_RUNS_MOST = 10_000

Fault = Literal["gap", "step_back"]


class Sequences:
    """The highest number that was seen of each run; belongs to one thread."""

    def __init__(self, *, most: int = _RUNS_MOST) -> None:
        self._highest: OrderedDict[Lane, int] = OrderedDict()
        self._most = most

    def note(self, run: Lane, sequence: int) -> Fault | None:
        """An event of *run* has come; return what is wrong with its number, if anything.

        A run whose beginning was not seen begins with the first event that is.
        """
        highest = self._highest.pop(run, None)
        self._highest[run] = max(sequence, highest or 0)
        if len(self._highest) > self._most:
            self._highest.popitem(last=False)
        if highest is None or sequence in (highest, highest + 1):
            return None
        return "gap" if sequence > highest else "step_back"
