"""What every test has in common: whoever leaves something open is the one that fails."""

import gc
from collections.abc import Iterator

import pytest

_KILLED = ("tests.host.", "tests.faults.", "tests.chaos.")


def pytest_collection_finish() -> None:
    """Take all that is loaded by now out of the collector's sight: then a collection is quick."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _what_is_killed_is_not_counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """A killed process leaves no count of its lines (`make coverage`), and counting slows it."""
    with pytest.MonkeyPatch.context() as environment:
        if request.module.__name__.startswith(_KILLED):
            environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.fixture(autouse=True)
def _leaks_fail_the_test_that_leaked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sockets, files and tasks left open warn when they are collected, and warnings are errors.

    What a test made is young. One with a loop may have had it grow old: there, all is looked at.
    """
    yield
    gc.collect() if request.node.get_closest_marker("asyncio") else gc.collect(1)
