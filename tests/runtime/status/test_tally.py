"""What happened is counted once, and shown step by step for an hour."""

import pytest

from mem9_async.models.status_snapshot import Attempts, Reason
from mem9_async.runtime.status.tally import Tally
from tests.queue.builders import START


def _step(tally: Tally, at: float, *, depth: int = 0) -> None:
    tally.close_step(at, depth=depth, oldest_age_s=None)


def test_a_point_holds_what_happened_in_its_step_and_no_other() -> None:
    """Counts, and how long things took."""
    tally = Tally(START)
    tally.accepted(3, 0.002)
    tally.waited([0.004] * 3)
    tally.refused("queue_full")
    tally.attempted("deliver", http_status=202, error_type=None, duration_s=0.05)
    tally.attempted("retry", http_status=503, error_type="unavailable", duration_s=0.01)
    tally.delivered(2, 1.5)
    _step(tally, START + 10, depth=1)
    _step(tally, START + 20)
    first, second = tally.history().points

    assert (first.at, first.depth, first.accepted, first.refused) == (START + 10, 1, 3, 1)
    assert (first.delivered, first.batches, first.failed_attempts) == (2, 1, 1)
    assert first.accept_p50_s == pytest.approx(0.004, rel=0.2)
    assert first.delivery_p99_s == pytest.approx(1.5, rel=0.2)
    assert first.batch_jobs == 2
    assert (second.accepted, second.batch_jobs, second.accept_p99_s) == (0, None, None)


def test_an_hour_is_kept() -> None:
    """However long the process runs."""
    tally = Tally(START)
    for step in range(1, 1_001):
        _step(tally, START + 10 * step, depth=step)
    points = tally.history().points

    assert len(points) == 360
    assert (points[0].depth, points[-1].depth) == (641, 1_000)


def test_rates_are_the_last_minutes() -> None:
    """What was before counts no more; what is in the open step counts already."""
    tally = Tally(START)
    tally.accepted(6_000, 0.1)
    for step in range(1, 8):
        _step(tally, START + 10 * step)
    tally.accepted(130, 0.1)
    tally.delivered(65, 1.0)
    rates = tally.rates(START + 75)

    assert rates.window_s == pytest.approx(65.0)
    assert (rates.accepted_per_s, rates.delivered_per_s) == (2.0, 1.0)


def test_a_process_that_has_just_begun_has_no_rates() -> None:
    """Nothing is divided by nothing."""
    assert Tally(START).rates(START).window_s == 0.0


def test_work_is_everything_since_the_process_began() -> None:
    """Over the steps, the open one as well."""
    tally = Tally(START)
    for at in (START + 10, START + 20):
        tally.refused("disk_full")
        tally.attempted("bury", http_status=None, error_type="dns_error", duration_s=0.5)
        tally.waited([0.001, 0.001])
        _step(tally, at)
    tally.waited([0.001])
    work = tally.work({"rejected": 4})

    assert work.refused == (Reason("disk_full", 2),)
    assert work.dead == (Reason("rejected", 4),)
    assert work.attempts == (Attempts("bury", "none", "dns_error", 2),)
    assert (work.accept_s.count, work.attempt_s.count) == (5, 2)
