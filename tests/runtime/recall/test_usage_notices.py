"""A notice reaches one answer, is not repeated for a while, and is never lost to another."""

import asyncio

import pytest

from mem9_async.models.space import Space
from mem9_async.runtime.recall import usage_notices
from mem9_async.runtime.recall.usage_notices import Notices
from tests.queue.builders import START, space
from tests.queue.clock import FakeClock

REPEAT_S = 15 * 60.0


class Route:
    """A usage route that says *text* and counts who asks."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.asked: list[tuple[str, str]] = []

    async def runtime_notice(self, space: Space, caller_agent_id: str) -> str | None:
        """Answer at once."""
        self.asked.append((space.key, caller_agent_id))
        return self.text


class Desk:
    """Notices with a clock and a route of the test's."""

    def __init__(self, text: str | None = None) -> None:
        self.clock = FakeClock(START)
        self.route = Route(text)
        self.notices = Notices(
            route=self.route, now=self.clock.now, spawn=lambda coroutine: asyncio.run(coroutine)
        )


def test_what_waits_is_told_once_and_by_its_own_space_only() -> None:
    """The next answer takes it; another space's answer does not."""
    kept = Desk().notices
    kept.keep(space(), "80 % used")

    assert kept.take(space("another-key")) is None
    assert kept.take(space()) == "80 % used"
    assert kept.take(space()) is None


def test_the_same_text_is_told_again_after_a_quarter_of_an_hour() -> None:
    """Not before; another text is told at once."""
    desk = Desk()
    told = []
    for seconds, text in ((0, "a"), (1, "a"), (1, "b"), (REPEAT_S, "a")):
        desk.clock.advance(seconds)
        desk.notices.keep(space(), text)
        told.append(desk.notices.take(space()))

    assert told == ["a", None, "b", "a"]


def test_an_answer_with_notices_of_its_own_tells_what_waits_too() -> None:
    """mem9's words each time, usage once in a while, and nothing that waits is lost."""
    desk = Desk()
    desk.notices.keep(space(), "key inactive")
    joined = [
        desk.notices.joined(space(), spoken="hello", usage="96 % used"),
        desk.notices.joined(space(), spoken="hello", usage="96 % used"),
        desk.notices.joined(space(), spoken=None, usage="96 % used"),
        desk.notices.joined(space(), spoken=None, usage=None),
    ]

    assert joined == ["hello 96 % used key inactive", "hello", None, None]


def test_the_route_is_asked_once_in_a_quarter_of_an_hour() -> None:
    """Per space; what it says waits for the next answer."""
    desk = Desk("96 % used")
    for seconds, key in ((0, "k1"), (1, "k1"), (0, "k2"), (REPEAT_S - 2, "k1"), (2, "k1")):
        desk.clock.advance(seconds)
        desk.notices.ask(space(key), "dify")

    assert desk.route.asked == [("k1", "dify"), ("k2", "dify"), ("k1", "dify")]
    assert desk.notices.take(space("k2")) == "96 % used"


def test_a_bounded_number_of_spaces_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest gives way: at the worst it is asked once more."""
    monkeypatch.setattr(usage_notices, "_MAX_SPACES", 2)
    desk = Desk()
    for key in ("k1", "k2", "k3", "k2", "k1"):
        desk.notices.ask(space(key), "dify")

    assert [key for key, _ in desk.route.asked] == ["k1", "k2", "k3", "k1"]
