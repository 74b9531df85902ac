"""Who gets in, for how long, and how often one may guess."""

import pytest

from mem9_async.dashboard.door import Door

KEY = b"the key of this page"


class Clock:
    """Epoch seconds that a test sets."""

    now = 1_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


def test_the_secret_opens_and_its_cookie_lets_in_for_twelve_hours(clock: Clock) -> None:
    """Not longer, and not on another page."""
    door = Door("a long secret", key=KEY, now=clock)
    assert door.opens("a long secret")
    cookie = door.cookie()

    assert door.lets_in(cookie)
    assert not Door("a long secret", key=b"another", now=clock).lets_in(cookie)
    assert not Door("a new secret", key=KEY, now=clock).lets_in(cookie)
    clock.now += 12 * 3600 + 1
    assert not door.lets_in(cookie)


@pytest.mark.parametrize(
    "forged", [None, "", ".", "9999999999.", "9999999999.00", "x.y", "-1.0", "1e30.0", "٣.0"]
)
def test_what_is_no_cookie_of_ours_stays_outside(clock: Clock, forged: str | None) -> None:
    """Whatever its form."""
    assert not Door("a long secret", key=KEY, now=clock).lets_in(forged)


def test_after_five_wrong_secrets_the_door_is_shut_for_a_minute(clock: Clock) -> None:
    """Also for the right one; afterwards it opens."""
    door = Door("a long secret", key=KEY, now=clock)
    assert not any(door.opens(f"guess {number}") for number in range(5))

    assert door.shut
    assert not door.opens("a long secret")
    clock.now += 61
    assert door.opens("a long secret")


def test_a_form_carries_the_token_of_its_visitor() -> None:
    """Another visitor's, or none, is refused; also where no secret is asked."""
    door, open_door = Door("a long secret", key=KEY), Door(None, key=KEY)
    mine, other = door.cookie(), door.cookie() + "x"

    assert door.knows(door.token(mine), mine)
    assert not door.knows(door.token(mine), other)
    assert not door.knows("", mine)
    assert open_door.knows(open_door.token(None), "anything")
    assert not open_door.knows("", None)
    assert open_door.lets_in(None)
