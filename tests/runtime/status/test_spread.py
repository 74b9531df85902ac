"""Quantiles of what passed by, without keeping it."""

import random
from bisect import bisect_right

import pytest

from mem9_async.runtime.status.spread import SHORT_S, Spread


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_quantile_is_right_to_within_a_tenth(share: float) -> None:
    """Of values over three powers of ten."""
    chance = random.Random(1)
    values = sorted(chance.lognormvariate(-6.0, 1.2) for _ in range(5_000))
    spread = Spread(SHORT_S)
    for value in values:
        spread.add(value)

    assert spread.quantile(share) == pytest.approx(values[int(share * len(values))], rel=0.1)
    assert spread.mean == pytest.approx(sum(values) / len(values))


def test_a_distribution_counts_up_to_each_bound() -> None:
    """A value that is a bound counts there."""
    values = [0.0, 0.0004, 0.0005, 0.0006, 0.3, 10.0, 11.0, 1e9]
    spread = Spread(SHORT_S)
    for value in values:
        spread.add(value)
    told = spread.distribution()

    assert told.bounds == SHORT_S
    assert list(told.counts) == [bisect_right(values, bound) for bound in SHORT_S]
    assert told.count == len(values)
    assert told.sum == pytest.approx(sum(values))


def test_merged_spreads_are_as_if_all_had_been_added_to_one() -> None:
    """Also where one of them is empty."""
    one, other, both = Spread(SHORT_S), Spread(SHORT_S), Spread(SHORT_S)
    for value, times in ((0.001, 3), (0.2, 1)):
        one.add(value, times)
        both.add(value, times)
    for value in (0.002, 5.0):
        other.add(value)
        both.add(value)
    one.merge(other)
    one.merge(Spread(SHORT_S))

    assert one.distribution() == both.distribution()
    assert one.quantile(0.5) == both.quantile(0.5)


def test_without_values_there_is_nothing_to_tell() -> None:
    """None, and not zero: nothing took no time."""
    assert Spread(SHORT_S).quantile(0.99) is None
    assert Spread(SHORT_S).mean is None
