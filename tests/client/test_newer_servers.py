"""What only later servers have, against the embedded mem9 in each of its generations."""

from collections.abc import AsyncIterator

import pytest

from mem9_async.client.client import Mem9Client
from mem9_async.devserver.flavour import Generation
from mem9_async.devserver.server import DevServer
from mem9_async.models.batch import Batch
from mem9_async.models.errors import NotOffered
from mem9_async.models.job import Message, Pinned, Turn
from mem9_async.models.memory import ListQuery, SearchQuery
from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Lane, Space
from tests.client import builders

GENERATIONS: list[Generation] = ["new", "aws"]


class House:
    """A client and its server."""

    def __init__(self, server: DevServer) -> None:
        self.server = server
        self.client: Mem9Client = builders.client()
        self.space: Space = builders.space(server.base_url, server.key)

    def batch(
        self, text: str, app_id: str | None, *, keep_raw: bool = True, session: str = "s1"
    ) -> Batch:
        """One turn for an app."""
        said = Turn(messages=(Message(role="user", content=text),), keep_raw=keep_raw)
        lane = Lane(space=self.space, agent_id="dify", session_id=session, app_id=app_id)
        return Batch(batch_id=text, lane=lane, job_ids=("j",), payloads=(said,))

    async def store(self, text: str, app_id: str | None = None, *, keep_raw: bool = True) -> None:
        """Have a turn taken, and worked on."""
        outcome = await self.client.send(self.batch(text, app_id, keep_raw=keep_raw))
        assert outcome.ok, outcome
        self.server.ingest_now()

    async def listed(self, **changes: object) -> list[str]:
        """The contents of a page."""
        asked = ListQuery(space=self.space, caller_agent_id="dify").model_copy(update=changes)
        return [memory.content for memory in (await self.client.list_memories(asked)).memories]

    async def found(self, query: str, **changes: object) -> list[str]:
        """The contents of what a search finds."""
        asked = SearchQuery(space=self.space, caller_agent_id="dify", query=query)
        result = await self.client.search(asked.model_copy(update=changes))
        return [memory.content for memory in result.memories]

    @property
    def stored(self) -> int:
        """How many stores came."""
        return sum(each.method == "POST" for each in self.server.requests)


@pytest.fixture(params=GENERATIONS)
async def later(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A later server."""
    async with DevServer(server=request.param) as server:
        house = House(server)
        yield house
        await house.client.aclose()


@pytest.fixture
async def older() -> AsyncIterator[House]:
    """A server of May 2026."""
    async with DevServer(server="old") as server:
        house = House(server)
        yield house
        await house.client.aclose()


async def test_each_app_has_its_own_memories(later: House) -> None:
    """A list and a search show one app's; without one, all."""
    await later.store("I keep bees.", "shop")
    await later.store("I row on lakes.", "desk")

    assert await later.listed(app_id="shop") == ["I keep bees."]
    facts = {"memory_type": "insight,pinned"}
    assert await later.found("I row on lakes", app_id="desk", **facts) == ["I row on lakes."]
    assert "I row on lakes." not in await later.found("I row on lakes", app_id="shop", **facts)
    assert set(await later.listed()) == {"I keep bees.", "I row on lakes."}


async def test_a_pinned_memory_is_looked_for_in_its_own_app(later: House) -> None:
    """The same text in another app is another memory."""
    lane = Lane(space=later.space, agent_id="dify", app_id="shop")
    pin = Batch(batch_id="b", lane=lane, job_ids=("j",), payloads=(Pinned(content="Berlin"),))
    assert (await later.client.send(pin)).ok
    elsewhere = pin.model_copy(update={"lane": lane.model_copy(update={"app_id": "desk"})})

    assert await later.client.holds_pinned(pin) is True
    assert await later.client.holds_pinned(elsewhere) is False


async def test_messages_are_kept_as_they_were_said_unless_that_is_not_wanted(later: House) -> None:
    """What was extracted from them is there all the same."""
    await later.store("I keep bees.", keep_raw=True)
    await later.store("I row on lakes.", keep_raw=False)

    assert await later.listed(memory_type="session") == ["I keep bees."]
    assert set(await later.listed()) == {"I keep bees.", "I row on lakes."}


async def test_a_search_for_words_pages_and_costs_no_recall(later: House) -> None:
    """The rows have no confidence, and none comes twice."""
    for number in range(5):
        await later.store(f"Order A-{number} is paid.")
    asked = {"keyword": True, "memory_type": "insight,pinned", "limit": 2}

    pages = [await later.found("A-", **asked, offset=offset) for offset in (0, 2, 4)]

    assert [len(page) for page in pages] == [2, 2, 1]
    assert {text for page in pages for text in page} == {
        f"Order A-{number} is paid." for number in range(5)
    }


async def test_a_list_is_sorted_and_narrowed_by_time(later: House) -> None:
    """Raw turns by when they were said."""
    for text in ("Bees sleep.", "Ants work.", "Cats play."):
        await later.store(text)

    assert await later.listed(sort_by="content", sort_dir="asc") == [
        "Ants work.", "Bees sleep.", "Cats play.",
    ]  # fmt: skip
    raw = {"memory_type": "session"}
    assert len(await later.listed(**raw, created_after="2020-01-01T00:00:00Z")) == 3
    assert await later.listed(**raw, created_before="2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "asked",
    [
        {"app_id": "shop"},
        {"memory_type": "session"},
        {"memory_type": "session", "created_after": "2026-11-01T00:00:00Z"},
        {"sort_by": "content"},
    ],
)
async def test_a_list_that_an_older_server_would_answer_otherwise_is_refused(
    older: House, asked: dict[str, object]
) -> None:
    """It would pass over what it does not know, and show something else."""
    with pytest.raises(NotOffered) as caught:
        await older.listed(**asked)

    assert caught.value.known


@pytest.mark.parametrize("asked", [{"app_id": "shop"}, {"keyword": True}])
async def test_a_search_that_an_older_server_would_answer_otherwise_costs_nothing(
    older: House, asked: dict[str, object]
) -> None:
    """It is refused before it is made."""
    with pytest.raises(NotOffered):
        await older.found("bees", **asked)

    assert not [each for each in older.server.requests if "q=" in each.path]


async def test_what_protects_a_store_is_never_left_out(older: House) -> None:
    """Nothing reaches a server that would put it where everybody sees it."""
    for batch in (older.batch("I keep bees.", "shop"), older.batch("a", None, keep_raw=False)):
        outcome = await older.client.send(batch)

        assert outcome.error_type is ErrorType.NOT_OFFERED
        assert not outcome.maybe_sent
    assert older.stored == 0


async def test_what_an_older_server_can_do_is_asked_of_it_without_questions(older: House) -> None:
    """No probe is made for it."""
    await older.store("I keep bees.")

    assert await older.listed() == ["I keep bees."]
    assert len(older.server.requests) == 2
