"""The report compares like with like and never turns a slow machine into a failure."""

from io import StringIO

from rich.console import Console

from benchmarks.load import Sample
from benchmarks.report import FLOOR, OURS, SYNCHRONOUS, Case, Results, print_targets, table

ONE = Case("memory_store", 1, 0)
MANY = Case("memory_store", 64, 50)
SEARCH = Case("memory_search", 64, 50)


def results(case: Case, **rates: float) -> Results:
    """One round with these rates, where a call takes as long as the rate says."""
    found = Results()
    for plugin, rate in rates.items():
        found.add(case, plugin, Sample(rate, case.callers / rate, case.callers / rate))
    return found


def told(found: Results) -> str:
    """What is printed about the targets."""
    shown = StringIO()
    print_targets(Console(file=shown), found)
    return shown.getvalue()


def test_a_ratio_is_taken_within_each_round() -> None:
    """A machine that slows down between rounds slows both sides."""
    found = Results()
    for speed in (1.0, 0.1, 0.01):
        found.add(MANY, FLOOR, Sample(1000 * speed, 0.1, 0.2))
        found.add(MANY, OURS, Sample(400 * speed, 0.1, 0.2))

    assert found.ratio(MANY, OURS, FLOOR) == 0.4


def test_one_caller_is_judged_by_how_long_a_store_takes() -> None:
    """Twice the floor's p50 is the limit."""
    assert "met" in told(results(ONE, floor=1000, synchronous=100, mem9_async=501))
    assert "missed" in told(results(ONE, floor=1000, synchronous=100, mem9_async=499))


def test_many_callers_are_judged_against_both_plugins() -> None:
    """0.35 of the floor's rate, 2.5 times the synchronous plugin's."""
    assert told(results(MANY, floor=1000, synchronous=200, mem9_async=500)).count(" met") == 2
    assert told(results(MANY, floor=1000, synchronous=100, mem9_async=349)).count(" met") == 1
    assert told(results(MANY, floor=1000, synchronous=201, mem9_async=500)).count(" met") == 1


def test_searches_are_judged_against_the_synchronous_plugin() -> None:
    """One and a half times its rate."""
    assert "met" in told(results(SEARCH, floor=1000, synchronous=100, mem9_async=150))
    assert "missed" in told(results(SEARCH, floor=1000, synchronous=100, mem9_async=149))


def test_a_plugin_that_answered_nothing_gets_a_row() -> None:
    """No call in the measured time is a result, too."""
    found = Results()
    for plugin in (FLOOR, SYNCHRONOUS, OURS):
        found.add(SEARCH, plugin, Sample(0.0, 0.0, 0.0))

    assert table(found).row_count == 3
    assert "missed" in told(found)
