"""How much one server is asked: circuit, retry budget, concurrency."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.queue.circuit import CircuitState, EndpointLimits, Endpoints
from tests.queue.builders import BASE_URL as URL
from tests.queue.builders import ENDPOINT_LIMITS

SPACE, OTHER, THIRD = 1, 2, 3


def _endpoints(limits: EndpointLimits = ENDPOINT_LIMITS, seed: int = 0) -> Endpoints:
    return Endpoints(limits, random.Random(seed))


def _fail(endpoints: Endpoints, now: float, times: int, *, space: int = SPACE) -> list[bool]:
    opened = []
    for _ in range(times):
        assert endpoints.admit(URL, now, retry=False)
        opened.append(endpoints.failed(URL, space, now, unreachable=False))
    return opened


def _opened(seed: int = 0) -> Endpoints:
    endpoints = _endpoints(seed=seed)
    assert _fail(endpoints, 0.0, 5)[-1]
    return endpoints


def test_the_circuit_opens_at_the_fifth_failure_in_a_row() -> None:
    """Four failures are bad luck; the fifth stops the asking, and is told once."""
    endpoints = _endpoints()

    assert _fail(endpoints, 0.0, 5) == [False, False, False, False, True]
    assert endpoints.state(URL) is CircuitState.OPEN
    assert not endpoints.admit(URL, 0.0, retry=False)


@pytest.mark.parametrize("answer", ["succeeded", "answered", "slowed"])
def test_an_answer_of_any_kind_ends_the_row_of_failures(answer: str) -> None:
    """A refusal proves that the server lives as well as a success does."""
    endpoints = _endpoints()
    _fail(endpoints, 0.0, 4)
    assert endpoints.admit(URL, 0.0, retry=False)
    match answer:
        case "succeeded":
            endpoints.succeeded(URL, SPACE, 0.0, retry=False)
        case "answered":
            endpoints.answered(URL, 0.0)
        case _:
            endpoints.slowed(URL, 0.0)

    assert not any(_fail(endpoints, 0.0, 4))


def test_an_open_circuit_lets_one_probe_through_and_closes_on_its_success() -> None:
    """Half-open: one request on its way, the others wait for its answer."""
    endpoints = _opened()

    assert endpoints.admit(URL, 1.0, retry=True)
    assert endpoints.state(URL) is CircuitState.HALF_OPEN
    assert not endpoints.admit(URL, 1.0, retry=True)
    assert endpoints.admits_at(URL, 1.0, retry=True) is None

    assert endpoints.succeeded(URL, SPACE, 1.5, retry=True)
    assert endpoints.state(URL) is CircuitState.CLOSED


def test_a_probe_that_is_refused_closes_the_circuit() -> None:
    """402 or a bad key: the server works, the space is the one that waits."""
    endpoints = _opened()
    endpoints.admit(URL, 1.0, retry=True)

    assert endpoints.answered(URL, 1.0)


def test_a_probe_given_up_by_us_leaves_the_circuit_half_open_for_the_next() -> None:
    """Nothing was learnt, and nobody else is kept waiting for an answer that will not come."""
    endpoints = _opened()
    endpoints.admit(URL, 1.0, retry=True)

    endpoints.cancelled(URL, 1.0)

    assert endpoints.state(URL) is CircuitState.HALF_OPEN
    assert endpoints.admit(URL, 1.0, retry=True)


@given(seed=st.integers())
def test_failed_probes_double_the_wait_up_to_a_minute(seed: int) -> None:
    """Each wait lies between half and all of 1, 2, 4 … 60 seconds."""
    endpoints, now = _opened(seed), 0.0
    for step in range(12):
        longest_s = min(60.0, 2.0**step)
        wait_s = endpoints.reopens_in_s(URL, now)
        assert wait_s is not None
        assert longest_s / 2 <= wait_s <= longest_s
        assert endpoints.admits_at(URL, now, retry=True) == pytest.approx(now + wait_s)
        now += wait_s + 1e-3  # the fraction that adding times may lose
        assert endpoints.admit(URL, now, retry=True)
        assert not endpoints.failed(URL, SPACE, now, unreachable=False)


def test_the_wait_starts_small_again_after_a_success() -> None:
    """One good answer forgets the outage before it."""
    endpoints = _opened()
    for now in (1.0, 4.0, 9.0):
        assert endpoints.admit(URL, now, retry=True)
        endpoints.failed(URL, SPACE, now, unreachable=False)
    assert endpoints.admit(URL, 30.0, retry=True)
    endpoints.succeeded(URL, SPACE, 30.0, retry=True)

    assert _fail(endpoints, 31.0, 1) == [False]


def test_requests_from_before_the_circuit_opened_do_not_prolong_it() -> None:
    """Thirty that were on their way when it opened are one outage, not thirty."""
    endpoints = _endpoints()
    for _ in range(30):
        assert endpoints.admit(URL, 0.0, retry=False)
    opened = [endpoints.failed(URL, space, 0.0, unreachable=True) for space in range(30)]

    assert sum(opened) == 1
    wait_s = endpoints.reopens_in_s(URL, 0.0)
    assert wait_s is not None
    assert wait_s <= 1.0


def test_one_space_that_always_fails_does_not_close_the_endpoint_to_the_others() -> None:
    """Somebody else was served in the last two minutes: it is the space, not the server."""
    endpoints = _endpoints()
    endpoints.admit(URL, 0.0, retry=False)
    endpoints.succeeded(URL, OTHER, 0.0, retry=False)

    assert not any(_fail(endpoints, 60.0, 50))
    assert endpoints.state(URL) is CircuitState.CLOSED


def test_two_failing_spaces_speak_for_the_endpoint() -> None:
    """The fifth failure opens it once a second space has failed too."""
    endpoints = _endpoints()
    endpoints.admit(URL, 0.0, retry=False)
    endpoints.succeeded(URL, THIRD, 0.0, retry=False)

    assert not any(_fail(endpoints, 1.0, 5))
    assert _fail(endpoints, 1.0, 1, space=OTHER) == [True]


def test_a_neighbour_served_long_ago_does_not_speak_for_the_endpoint() -> None:
    """After two minutes without a success one failing space is evidence enough."""
    endpoints = _endpoints()
    endpoints.admit(URL, 0.0, retry=False)
    endpoints.succeeded(URL, OTHER, 0.0, retry=False)

    assert _fail(endpoints, 121.0, 5)[-1]


def test_a_server_that_cannot_be_reached_is_gone_for_everybody() -> None:
    """A refused connection has nothing to do with the space."""
    endpoints = _endpoints()
    endpoints.admit(URL, 0.0, retry=False)
    endpoints.succeeded(URL, OTHER, 0.0, retry=False)
    for _ in range(5):
        endpoints.admit(URL, 1.0, retry=False)
        opened = endpoints.failed(URL, SPACE, 1.0, unreachable=True)

    assert opened


def test_endpoints_do_not_share_a_fate() -> None:
    """One base URL's outage is no other's."""
    endpoints = _opened()

    assert endpoints.admit("http://other.test", 0.0, retry=False)
    assert endpoints.state("http://other.test") is CircuitState.CLOSED
    assert endpoints.reopens_in_s("http://other.test", 0.0) is None
    assert endpoints.served_at("http://other.test", SPACE) == float("-inf")


def test_ten_retries_may_go_at_once_and_then_one_in_twelve_seconds() -> None:
    """The bucket holds ten; without a success it fills again within two minutes."""
    endpoints = _endpoints()

    def retries(now: float) -> int:
        admitted = 0
        while endpoints.admit(URL, now, retry=True):
            endpoints.cancelled(URL, now)
            admitted += 1
        return admitted

    assert retries(0.0) == 10
    assert retries(11.9) == 0
    assert retries(12.1) == 1
    assert endpoints.admits_at(URL, 12.1, retry=True) == pytest.approx(24.0)
    assert retries(1_000.0) == 10


def test_ten_first_attempts_pay_for_one_retry() -> None:
    """The budget is a tenth of the first attempts."""
    endpoints = _endpoints()
    while endpoints.admit(URL, 0.0, retry=True):
        endpoints.cancelled(URL, 0.0)
    for _ in range(11):  # eleven: ten tenths are not quite one in binary
        endpoints.admit(URL, 0.0, retry=False)
        endpoints.cancelled(URL, 0.0)

    assert endpoints.admit(URL, 0.0, retry=True)
    assert not endpoints.admit(URL, 0.0, retry=True)


def test_a_first_attempt_needs_no_token() -> None:
    """A spent budget holds back retries only."""
    endpoints = _endpoints()
    while endpoints.admit(URL, 0.0, retry=True):
        endpoints.cancelled(URL, 0.0)

    assert endpoints.admit(URL, 0.0, retry=False)
    assert endpoints.admits_at(URL, 0.0, retry=False) == 0.0


@pytest.mark.parametrize("tokens", [0.0, 0.5])
def test_a_budget_below_one_still_lets_a_retry_through_in_time(tokens: float) -> None:
    """First attempts that keep coming must not take away what a retry is saving up for."""
    limits = EndpointLimits(
        max_in_flight=32,
        failure_threshold=5,
        max_open_s=60.0,
        recovery_doubling_s=10.0,
        budget_ratio=0.0,
        budget_tokens=tokens,
    )
    endpoints = _endpoints(limits)
    for second in range(150):
        if endpoints.admit(URL, float(second), retry=True):
            return
        endpoints.admit(URL, float(second), retry=False)
        endpoints.succeeded(URL, SPACE, float(second), retry=False)
    pytest.fail("no retry in 150 s")


def test_a_request_to_slow_down_halves_what_is_asked_at_once() -> None:
    """Multiplicative decrease, additive increase: 32, 16, and one more for 16 successes."""
    endpoints = _endpoints()
    endpoints.admit(URL, 0.0, retry=False)
    endpoints.slowed(URL, 0.0)

    assert _room(endpoints) == 16
    for _ in range(17):
        endpoints.admit(URL, 0.0, retry=False)
        endpoints.succeeded(URL, SPACE, 0.0, retry=False)
    assert _room(endpoints) == 17


def test_after_an_outage_concurrency_grows_one_by_one_and_at_most_doubles_in_ten_seconds() -> None:
    """From a single request on, however fast the answers come, until it is what it was."""
    endpoints = _opened()
    endpoints.admit(URL, 1.0, retry=True)
    endpoints.succeeded(URL, SPACE, 1.0, retry=True)

    rooms = [_room(endpoints)]
    for tenth in range(1, 700):
        now = 1.0 + tenth / 10
        for _ in range(rooms[-1]):
            endpoints.admit(URL, now, retry=False)
        for _ in range(rooms[-1]):
            endpoints.succeeded(URL, SPACE, now, retry=False)
        rooms.append(_room(endpoints))

    assert rooms[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(rooms))
    assert all(after <= 2 * before for before, after in zip(rooms, rooms[100:], strict=False))
    assert rooms[-1] == 32


def test_the_limit_of_requests_in_flight_is_never_passed() -> None:
    """Thirty-two on their way, and the next waits for an answer."""
    endpoints = _endpoints()
    admitted = 0
    while endpoints.admit(URL, 0.0, retry=False):
        admitted += 1

    assert admitted == 32
    assert endpoints.admits_at(URL, 0.0, retry=False) is None


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["admit", "retry", "ok", "answered", "slowed", "failed", "gone"]),
            st.floats(0.0, 90.0),
            st.integers(0, 2),
        ),
        max_size=120,
    )
)
def test_whatever_happens_the_endpoint_is_asked_again(
    steps: list[tuple[str, float, int]],
) -> None:
    """No sequence of answers leaves it closed for ever, or with more in flight than allowed."""
    endpoints, now, flying = _endpoints(), 0.0, 0
    for step, wait_s, space in steps:
        now += wait_s
        if step in ("admit", "retry"):
            flying += endpoints.admit(URL, now, retry=step == "retry")
        elif flying:
            flying -= 1
            match step:
                case "ok":
                    endpoints.succeeded(URL, space, now, retry=False)
                case "answered":
                    endpoints.answered(URL, now)
                case "slowed":
                    endpoints.slowed(URL, now)
                case _:
                    endpoints.failed(URL, space, now, unreachable=step == "gone")
        assert 0 <= flying <= 32
    for _ in range(flying):
        endpoints.failed(URL, SPACE, now, unreachable=False)

    at = endpoints.admits_at(URL, now, retry=True)
    assert at is not None
    assert at - now <= 60.0
    assert endpoints.admit(URL, at + 1e-3, retry=True)


def _room(endpoints: Endpoints) -> int:
    admitted = 0
    while endpoints.admit(URL, 1.0, retry=False):
        admitted += 1
    for _ in range(admitted):
        endpoints.cancelled(URL, 1.0)
    return admitted
