"""What most tests of the queue start from: a clock that stands still, and a journal's parts."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.queue.builders import START
from tests.queue.clock import FakeClock
from tests.queue.desk import Desk

# The machine is shared: how long an example takes says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """No log lines: thousands of batches would say nothing, at length."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when the test says so."""
    return FakeClock(START)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A journal on disk with everything that reads or changes it."""
    return Desk(tmp_path / "journal.db")
