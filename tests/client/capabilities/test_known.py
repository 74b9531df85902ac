"""Asking what a server has: when, how often, and what comes of an answer that is none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from mem9_async.client.capabilities.known import FRESH_S, Known
from mem9_async.client.pool import Request, Response
from mem9_async.client.responses.outcomes import of_refusal
from mem9_async.models.capability import Feature, Support
from mem9_async.models.errors import NotOffered, RequestFailed
from mem9_async.models.outcome import ErrorType, Meter, Outcome
from tests.client.builders import answer, space

SPACE = space()
LATER: dict[str, Response] = {
    "appId": answer(400, {"error": "appId: too long (max 100)"}),
    "created_after": answer(400, {"error": "created_after: must be an RFC3339 timestamp"}),
}
OLDER = answer(200, {"memories": [], "total": 0})
PAGE = answer(404, b"<html>no such page</html>")


@dataclass
class FakeAsker:
    """A server's answers, by the parameter that is asked about."""

    answers: dict[str, Response] = field(default_factory=lambda: dict(LATER))
    fails: Outcome | None = None
    asked: list[str] = field(default_factory=list)
    holds: asyncio.Event | None = None

    async def exchange(self, request: Request, *, timeout_s: float) -> Response:
        """Answer as told."""
        (name,) = set(request.params or ()) & {"appId", "created_after"}
        assert request.method == "GET"
        assert "q" not in (request.params or {})
        self.asked.append(name)
        if self.holds is not None:
            await self.holds.wait()
        if self.fails is not None:
            raise RequestFailed(self.fails)
        return self.answers[name]

    def refusal(self, told: Response, meter: Meter) -> Outcome:
        """What a refusal means."""
        return of_refusal(told, asked=meter, retry_after_max_s=60.0)


@dataclass
class Rig:
    """What is known, a server, and a clock that is moved."""

    server: FakeAsker = field(default_factory=FakeAsker)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        asker: object = self.server
        self.known = Known(asker, timeout_s=8.0, now=lambda: self.now)  # type: ignore[arg-type]

    async def settled(self) -> None:
        """What is asked in the background has its answer."""
        while self.known._tasks:
            await asyncio.gather(*self.known._tasks)

    async def refusal(self, *features: Feature) -> NotOffered:
        """How what is not there is refused."""
        with pytest.raises(NotOffered) as caught:
            await self.known.require(SPACE, features)
        return caught.value


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A later server of which nothing is known yet."""
    rig = Rig()
    yield rig
    await rig.known.aclose()


async def test_what_is_there_is_asked_for_once_an_hour(rig: Rig) -> None:
    """By two free questions for what has no proof of its own."""
    await rig.known.require(SPACE, [Feature.APP_ID])
    assert rig.server.asked == ["appId"]
    await rig.known.require(SPACE, [Feature.KEEP_RAW, Feature.APP_ID])
    rig.now += FRESH_S - 1
    await rig.known.require(SPACE, [Feature.KEYWORD])
    await rig.settled()

    assert rig.server.asked == ["appId", "created_after"]


async def test_after_an_hour_it_is_asked_again_and_nobody_waits(rig: Rig) -> None:
    """What was known answers meanwhile."""
    await rig.known.require(SPACE, [Feature.APP_ID])
    rig.now += FRESH_S
    rig.server.holds = asyncio.Event()
    await rig.known.require(SPACE, [Feature.APP_ID])
    assert len(rig.known._tasks) == 1
    rig.server.holds.set()
    await rig.settled()
    await rig.known.require(SPACE, [Feature.APP_ID])

    assert rig.server.asked == ["appId"] * 2


async def test_what_is_not_there_is_refused_by_its_name(rig: Rig) -> None:
    """An older server would have passed over it."""
    rig.server.answers = dict.fromkeys(LATER, OLDER)

    refused = await rig.refusal(Feature.KEYWORD)

    assert (refused.code, refused.known, refused.feature) == ("not_offered", True, "keyword")
    assert "keyword" in refused.message


async def test_another_spaces_server_is_another_one(rig: Rig) -> None:
    """An address may lead keys to different servers."""
    await rig.known.require(SPACE, [Feature.APP_ID])
    await rig.known.require(space(key="sk-other"), [Feature.APP_ID])

    assert len(rig.server.asked) == 2


async def test_a_page_where_json_was_known_leaves_it_unknown(rig: Rig) -> None:
    """A proxy speaks; that the feature is gone is not said."""
    await rig.known.require(SPACE, [Feature.APP_ID])
    rig.now += 2 * FRESH_S
    rig.server.answers["appId"] = PAGE

    refused = await rig.refusal(Feature.APP_ID)

    assert (refused.code, refused.known) == ("not_proven", False)
    assert rig.known.of(SPACE).of(Feature.APP_ID) is Support.UNKNOWN


@pytest.mark.parametrize(
    ("told", "error_type"),
    [
        (answer(400, {"error": "invalid API key"}), ErrorType.AUTH),
        (answer(429, {"error": "rate limit exceeded"}), ErrorType.RATE_LIMITED),
        (answer(503, b""), ErrorType.UNAVAILABLE),
    ],
)
async def test_a_failure_that_the_call_would_have_is_told_as_that(
    rig: Rig, told: Response, error_type: ErrorType
) -> None:
    """A refused key is no missing feature; and nothing can have been stored."""
    rig.server.answers["appId"] = told

    with pytest.raises(RequestFailed) as caught:
        await rig.known.require(SPACE, [Feature.APP_ID])

    assert caught.value.outcome.error_type is error_type
    assert not caught.value.outcome.maybe_sent


async def test_a_server_that_is_away_is_told_as_that(rig: Rig) -> None:
    """The question did not arrive, nor would the call."""
    rig.server.fails = Outcome(error_type=ErrorType.READ_TIMEOUT, maybe_sent=True)

    with pytest.raises(RequestFailed) as caught:
        await rig.known.require(SPACE, [Feature.APP_ID])

    assert caught.value.outcome == Outcome(error_type=ErrorType.READ_TIMEOUT)


async def test_a_gateway_that_forbids_the_question_says_nothing_of_the_key(rig: Rig) -> None:
    """A store might be let through."""
    rig.server.answers["appId"] = answer(403, b"<html>forbidden</html>")

    assert not (await rig.refusal(Feature.APP_ID)).known


async def test_what_could_not_be_found_out_is_asked_by_the_next_call(rig: Rig) -> None:
    """It needs to know now."""
    rig.server.answers["appId"] = PAGE
    await rig.refusal(Feature.APP_ID)
    rig.server.answers = dict(LATER)

    await rig.known.require(SPACE, [Feature.APP_ID])

    assert rig.server.asked == ["appId"] * 2


async def test_a_store_is_told_what_is_known_and_has_the_rest_asked(rig: Rig) -> None:
    """It never waits; in the background, what stays unknown is asked for every half minute."""
    rig.server.answers = dict.fromkeys(LATER, OLDER)
    assert rig.known.refused(SPACE, [Feature.APP_ID]) is None
    assert rig.known.refused(SPACE, [Feature.APP_ID]) is None
    await rig.settled()

    refused = rig.known.refused(SPACE, [Feature.APP_ID])

    assert refused is not None
    assert refused.code == "not_offered"
    assert rig.server.asked == ["appId"]


async def test_what_stays_unknown_is_asked_for_now_and_then(rig: Rig) -> None:
    """Not with every store."""
    rig.server.answers["appId"] = PAGE
    for after_s, asked in [(0.0, 1), (29.0, 1), (1.0, 2)]:
        rig.now += after_s
        assert rig.known.refused(SPACE, [Feature.APP_ID]) is None
        await rig.settled()
        assert len(rig.server.asked) == asked


async def test_an_answer_that_speaks_against_it_has_it_asked_again(rig: Rig) -> None:
    """Before it is relied on once more."""
    await rig.known.require(SPACE, [Feature.APP_ID])
    rig.known.doubt(SPACE, Feature.APP_ID)
    rig.server.answers["appId"] = OLDER

    assert (await rig.refusal(Feature.APP_ID)).known
    assert rig.server.asked == ["appId"] * 2


async def test_keyword_that_was_disproved_is_refused_for_an_hour(rig: Rig) -> None:
    """No question tells, so nothing is asked."""
    await rig.known.require(SPACE, [Feature.KEYWORD])
    rig.known.doubt(SPACE, Feature.KEYWORD)
    asked = len(rig.server.asked)

    assert (await rig.refusal(Feature.KEYWORD)).known
    assert len(rig.server.asked) == asked
    rig.now += FRESH_S
    await rig.known.require(SPACE, [Feature.KEYWORD])


async def test_many_that_need_to_know_ask_once(rig: Rig) -> None:
    """They wait for one answer."""
    await asyncio.gather(*(rig.known.require(SPACE, [Feature.APP_ID]) for _ in range(20)))

    assert rig.server.asked == ["appId"]


async def test_closing_ends_what_is_being_asked(rig: Rig) -> None:
    """Nothing is left behind."""
    rig.server.holds = asyncio.Event()
    rig.known.refused(SPACE, [Feature.APP_ID])
    await asyncio.sleep(0)

    await rig.known.aclose()

    assert not rig.known._tasks
    assert rig.known.of(SPACE).of(Feature.APP_ID) is Support.UNKNOWN


async def test_spaces_do_not_gather_without_end(rig: Rig) -> None:
    """The longest known is forgotten, and asked about anew."""
    for number in range(1_001):
        await rig.known.require(space(key=f"sk-{number}"), [Feature.APP_ID])

    assert rig.known.of(space(key="sk-0")).app_id is Support.UNKNOWN
    assert rig.known.of(space(key="sk-1000")).app_id is Support.YES
