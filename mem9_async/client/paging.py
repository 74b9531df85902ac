"""Pages of a list, kept as stable as one request can keep them. Pure.

mem9 sorts a list by `updated_at` alone and leaves open in which order equal times come
(docs/reference/mem9-api.md, 4.3): asked for the next page, it may give the memories of one
second in another order, so that one comes twice and another not at all. So a page is asked for
with some rows more on either side, and memories of one time are put into the order of their ids,
provided that all of them are in sight. What no client can mend: more memories of one time than
the margin holds, and a list that changes between two pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from mem9_async.client.wire import MemoryBody

MARGIN = 20
_ROWS_MAX = 200  # above this mem9 answers with its default of 10 instead


@dataclass(frozen=True, slots=True)
class Window:
    """The rows to ask for, so that the *limit* from *offset* on can be told apart."""

    offset: int
    limit: int
    start: int
    rows: int
    by_time: bool = True

    def cut(self, found: Sequence[MemoryBody], *, total: int | None) -> list[MemoryBody]:
        """Return the page within *found*, the rows as they came; *total* is the whole list's."""
        ends = len(found) < self.rows if total is None else self.start + len(found) >= total
        if not self.by_time:  # in an order of its own, in which ties have theirs
            return list(found[: self.limit])
        groups = [list(group) for _, group in groupby(found, lambda row: row.updated_at)]
        for place, group in enumerate(groups):
            begun = place > 0 or self.start == 0
            over = place < len(groups) - 1 or ends
            # Sorted in part, a group would differ from page to page even where mem9's order holds.
            if begun and over and group[0].updated_at is not None:
                group.sort(key=lambda row: row.id or "")
        ordered = [row for group in groups for row in group]
        first = self.offset - self.start
        return ordered[first : first + self.limit]


def window(offset: int, limit: int, *, by_time: bool = True) -> Window:
    """Return the rows to ask for; pages of more than 160 have less of a margin, at 200 none.

    Not *by_time*, the order is another one, which a later mem9 keeps by itself.
    """
    if not by_time:
        return Window(offset=offset, limit=limit, start=offset, rows=limit, by_time=False)
    margin = max(0, min(MARGIN, (_ROWS_MAX - limit) // 2))
    start = max(0, offset - margin)
    return Window(offset=offset, limit=limit, start=start, rows=offset - start + limit + margin)
