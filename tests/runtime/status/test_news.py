"""What the next answer tells of earlier writes: until it is over, and no longer."""

import pytest

from mem9_async.models.outcome import ErrorType, Trouble
from mem9_async.queue.policy import Decision, Health, Move
from mem9_async.queue.records import DeadSpace
from mem9_async.runtime.status.news import News
from tests.queue.builders import START, failure
from tests.queue.clock import FakeClock

SPACE = 1
REFUSED = failure(ErrorType.REJECTED, status=400)
AWAY = failure(ErrorType.UNAVAILABLE, status=503)
BURIED = Decision(Move.BURY, Health.ALIVE, reason="rejected")
AGAIN = Decision(Move.RETRY, Health.FAILED, after_s=7.0, reason="unavailable")


class Desk:
    """News of one space that has *letters* dead letters; `counted` says how often they were."""

    def __init__(self, letters: int = 0) -> None:
        self.clock = FakeClock(START)
        self.news = News(self.clock.now)
        self.letters = letters
        self.counted = 0

    def trouble(self, held: int = 0) -> Trouble | None:
        """What an answer would tell."""
        return self.news.trouble(SPACE, held=held, dead=self._count)

    def _count(self) -> int:
        self.counted += 1
        return self.letters


def test_a_failure_is_told_until_a_success_and_costs_no_counting() -> None:
    """With how many wait and when it goes on; without dead letters nothing is counted."""
    desk = Desk()
    assert desk.trouble() is None
    desk.news.failed(SPACE, AWAY, AGAIN)

    told = desk.trouble(held=3)
    assert told is not None
    assert (told.state, told.reason, told.held, told.dead) == ("retrying", "unavailable", 3, 0)
    assert told.retry_in_s == 7.0
    assert desk.counted == 0

    desk.news.succeeded(SPACE)
    assert desk.trouble() is None


def test_a_dead_letter_outlives_a_failure_and_a_success_after_it() -> None:
    """Neither says anything about the job that was refused."""
    desk = Desk(letters=2)
    desk.news.failed(SPACE, REFUSED, BURIED)
    desk.news.failed(SPACE, AWAY, AGAIN)
    both = desk.trouble(held=1)
    desk.news.succeeded(SPACE)
    alone = desk.trouble()

    assert both is not None
    assert (both.state, both.dead) == ("retrying", 2)
    assert alone is not None
    assert (alone.state, alone.reason, alone.dead) == ("dead", "rejected", 2)


def test_dead_letters_are_counted_now_and_then_only() -> None:
    """Every receipt asks while there is trouble, and counting costs as much as there is."""
    desk = Desk(letters=2)
    desk.news.failed(SPACE, REFUSED, BURIED)
    for _ in range(100):
        desk.trouble()
    assert desk.counted == 1

    desk.clock.advance(6.0)
    desk.letters = 0
    assert desk.trouble() is None


def test_dead_letters_of_an_earlier_process_are_told_for_a_day() -> None:
    """Whoever set them aside: an expired deadline, three deaths, damage, a refusal."""
    desk = Desk(letters=1)
    desk.news.dead([DeadSpace(SPACE, REFUSED, START - 3_600.0)])

    told = desk.trouble()
    assert told is not None
    assert (told.state, told.reason) == ("dead", "rejected")
    desk.clock.advance(24 * 3_600.0)
    assert desk.trouble() is None


@pytest.mark.parametrize("forgotten", [True, False])
def test_a_space_whose_jobs_have_moved_away_has_no_news(forgotten: bool) -> None:
    """They are told under the new key."""
    desk = Desk(letters=1)
    desk.news.failed(SPACE, REFUSED, BURIED)
    desk.news.failed(SPACE, AWAY, AGAIN)
    if forgotten:
        desk.news.forget(SPACE)

    assert (desk.trouble() is None) is forgotten
