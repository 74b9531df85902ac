"""Retry-After headers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.client.retry_after import retry_after_s

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("values", "wait_s"),
    [
        ((), None),
        (("7",), 7.0),
        ((" 7 ",), 7.0),
        (("0",), 0.0),
        (("1.5",), 1.5),
        (("-1",), 0.0),
        (("1e12",), HOUR_S),
        (("inf",), HOUR_S),
        (("-inf",), 0.0),
        (("nan",), None),
        (("9" * 4000,), HOUR_S),
        (("",), None),
        (("soon",), None),
        (("Sun, 22 Nov 2026 12:00:30 GMT",), 30.0),
        (("Sun, 22 Nov 2026 12:00:30",), 30.0),
        (("Sun, 22 Nov 2026 11:00:00 GMT",), 0.0),
        (("Sun, 22 Nov 2099 12:00:30 GMT",), HOUR_S),
        (("Sun, 99 Nov 2026 12:00:30 GMT",), None),
        (("3", "9"), 9.0),
        (("9", "soon"), 9.0),
    ],
)
def test_every_way_to_write_it_is_read_or_passed_over(
    values: tuple[str, ...], wait_s: float | None
) -> None:
    """Seconds or a date, the longest of several, clamped."""
    assert retry_after_s(values, longest_s=HOUR_S, now=NOW) == wait_s


@given(st.lists(st.text(max_size=40), max_size=3))
def test_no_header_can_hurt(values: list[str]) -> None:
    """Whatever stands there, a wait within bounds comes out, or none."""
    wait_s = retry_after_s(values, longest_s=HOUR_S, now=NOW)

    assert wait_s is None or 0.0 <= wait_s <= HOUR_S
