"""Pages of a list whose order mem9 leaves open."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.client.paging import MARGIN, Window, window
from mem9_async.client.wire import MemoryBody


def row(number: int, second: int | None = 0) -> MemoryBody:
    """One memory, changed at *second*."""
    return MemoryBody(id=f"m{number:04}", updated_at=None if second is None else f"t{second:04}")


def ids(rows: list[MemoryBody]) -> list[str | None]:
    """Which they are."""
    return [each.id for each in rows]


class Mem9:
    """A list by time, in which memories of one time come in another order each time."""

    def __init__(self, groups: list[int], seed: int = 0) -> None:
        self._groups = groups
        self._random = random.Random(seed)
        self.total = sum(groups)

    def page(self, offset: int, limit: int) -> list[str | None]:
        """Ask for a page as the client does."""
        wanted = window(offset, limit)
        return ids(wanted.cut(self._answer(wanted), total=self.total))

    def _answer(self, wanted: Window) -> list[MemoryBody]:
        rows: list[MemoryBody] = []
        for place, size in enumerate(self._groups):
            group = [row(1000 * place + number, 9_000 - place) for number in range(size)]
            self._random.shuffle(group)
            rows += group
        return rows[wanted.start : wanted.start + wanted.rows]


@given(
    st.lists(st.integers(1, MARGIN), min_size=1, max_size=40),
    st.integers(1, 160),
    st.integers(0, 2**16),
)
def test_pages_neither_repeat_nor_lose_a_memory(groups: list[int], limit: int, seed: int) -> None:
    """As long as no more memories share a time than the margin holds."""
    mem9 = Mem9(groups, seed)

    read = [each for at in range(0, mem9.total, limit) for each in mem9.page(at, limit)]

    assert len(read) == len(set(read)) == mem9.total


def test_another_order_than_by_time_is_mem9s_own() -> None:
    """It is asked for without a margin, and kept."""
    rows = [row(5), row(3), row(9)]
    wanted = window(40, 2, by_time=False)

    assert (wanted.start, wanted.rows) == (40, 2)
    assert ids(wanted.cut(rows, total=100)) == ["m0005", "m0003"]


def test_a_time_shared_by_too_many_keeps_mem9s_order() -> None:
    """Sorting the part in sight would break an order that holds."""
    rows = [row(number) for number in (5, 3, 9, 1, *range(100, 200))]
    wanted = window(0, 2)

    assert ids(wanted.cut(rows[: wanted.rows], total=len(rows))) == ["m0005", "m0003"]


def test_memories_without_a_time_keep_mem9s_order() -> None:
    """There is nothing to tell which belong together."""
    rows = [row(2, None), row(1, None)]

    assert ids(window(0, 20).cut(rows, total=2)) == ["m0002", "m0001"]


@pytest.mark.parametrize(
    ("offset", "limit", "start", "rows"),
    [
        (0, 20, 0, 40),
        (5, 20, 0, 45),
        (40, 20, 20, 60),
        (40, 160, 20, 200),
        (40, 190, 35, 200),
        (40, 200, 40, 200),
    ],
)
def test_a_window_is_never_more_than_mem9_gives(
    offset: int, limit: int, start: int, rows: int
) -> None:
    """It would answer with ten instead."""
    assert (window(offset, limit).start, window(offset, limit).rows) == (start, rows)


def test_a_page_behind_the_end_is_empty() -> None:
    """There is nothing to be sorted."""
    assert window(100, 20).cut([], total=7) == []
