"""Crowds and outages in virtual time: fair to all, and never more than a server can bear."""

from collections.abc import Callable
from typing import Any

import pytest

from mem9_async.models.outcome import Outcome
from tests.queue import simulation
from tests.queue.simulation import REFUSED, TIMED_OUT, TIMEOUT_S, UNAVAILABLE

SEEDS = (1,)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_space_that_times_out_does_not_slow_the_others(seed: int) -> None:
    """Row 21: a hundred spaces, one stuck with ten times the traffic: p99 within 1.2 times."""
    crowd = simulation.stuck_space(seed)

    assert crowd.timeouts >= 8, "the stuck space was hardly there: this proves nothing"
    assert crowd.delivered > 2_000
    assert crowd.ratio <= 1.2


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_demand_is_served_equally(seed: int) -> None:
    """Row 21: Jain's index at least 0.95, whatever shape the demand has."""
    assert simulation.equal_demand(seed) >= 0.95


DEATHS = {
    "refused": (0.0, REFUSED),
    "503": (0.05, UNAVAILABLE),
    "timeout": (TIMEOUT_S, TIMED_OUT),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("how", DEATHS.values(), ids=DEATHS)
def test_a_dead_endpoint_is_left_alone(seed: int, how: tuple[float, Outcome]) -> None:
    """Row 14: ten minutes, 10,000 jobs of 100 spaces: at most 60 requests, and nothing lost."""
    outage = simulation.dead_endpoint(seed, how)

    assert outage.requests <= 60
    assert (outage.lost, outage.dead) == (0, 0)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("how", DEATHS.values(), ids=DEATHS)
def test_after_an_outage_everything_drains(seed: int, how: tuple[float, Outcome]) -> None:
    """Row 5: a thousand jobs within the longest wait and thirty seconds."""
    outage = simulation.dead_endpoint(seed, how, jobs=1_000)

    assert outage.drained_s <= 60.0 + 30.0
    assert (outage.lost, outage.dead) == (0, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_that_has_just_come_back_is_not_overrun(seed: int) -> None:
    """Row 14: one request, one more with each round of answers, twice as many in ten seconds."""
    outage = simulation.dead_endpoint(seed, jobs=40_000)

    peaks = [most for _, most in outage.concurrency if most]
    assert peaks[0] == 1
    assert outage.growth(within_s=10.0) <= 2
    assert max(peaks) >= 8, "it hardly grew: this proves nothing"


@pytest.mark.parametrize("seed", SEEDS)
def test_retries_stay_within_their_budget(seed: int) -> None:
    """Row 14: a tenth of the first attempts and the bucket; honoured retries cost nothing."""
    budget = simulation.flaky_server(seed)

    assert budget.windows > 50
    assert budget.retries - budget.honoured > 20, "hardly a retry failed: this proves nothing"
    assert budget.unexplained <= 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_space_without_quota_is_probed_four_times_an_hour_at_most(seed: int) -> None:
    """Row 15: twenty spaces, a day without quota."""
    assert 1 <= simulation.quota_probes(seed) <= 4


@pytest.mark.parametrize(
    "scenario",
    [
        lambda: simulation.quota_probes(3, spaces=3, hours=6),
        lambda: simulation.dead_endpoint(3, jobs=500, spaces=10, outage_s=60.0).requests,
    ],
)
def test_a_seed_tells_the_same_story_twice(scenario: Callable[[], Any]) -> None:
    """What a long run finds can be looked at again."""
    assert scenario() == scenario()
