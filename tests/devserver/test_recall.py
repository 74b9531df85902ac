"""GET memories with a query: what is found, how sure, in which order, how many."""

import dataclasses
from typing import Any

import pytest

from mem9_async.devserver.recall import Shape, shape_of
from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller
from tests.devserver.conftest import Clock

BOTH = {"memory_type": "insight,pinned"}


async def test_a_part_of_the_text_is_found_and_sure(api: Caller) -> None:
    """In any case: both legs find it. A row that the keyword leg found has no score."""
    await api.say("The user takes tea with oat milk.", "The cat is called Miso.", sync=True)
    (found,) = (await api.find(q="OAT milk")).body["memories"]

    assert found["content"] == "The user takes tea with oat milk."
    assert found["confidence"] >= 85
    assert "score" not in found
    assert "relative_age" not in found


@pytest.mark.parametrize(
    "query", ["What milk do I order?", "milk tea", "tell me of the tea with milk"]
)
async def test_what_only_the_vector_finds_is_below_the_floor(api: Caller, query: str) -> None:
    """Unless nearly all of its words are there; over several types there is no floor."""
    await api.say("The user takes tea with oat milk.", "Something else", sync=True)

    assert (await api.find(q=query)).contents == []
    (found,) = (await api.find(q=query, **BOTH)).body["memories"]
    assert 0.30 <= found["score"] <= 1
    (alike,) = (await api.find(q="user takes milk with oat tea")).body["memories"]
    assert (alike["score"], alike["confidence"] >= 65) == (1.0, True)


@pytest.mark.parametrize(
    ("fact", "query"),
    [
        ("用户喜欢用 Vim 编辑器写代码", "我最喜欢的编辑器是什么？"),
        ("ユーザーは紅茶が好きです", "紅茶は好きですか"),
        ("사용자는 커피를 좋아한다", "커피 좋아해?"),
        ("Der Nutzer heißt Jörg Weiß", "jörg weiß"),
        ("The user's editors are Vim and Helix", "favourite editor vim"),
        ("Ticket ABC_123 is open", "abc_123"),
    ],
)
async def test_vectors_know_words_in_any_script_case_and_number(
    api: Caller, fact: str, query: str
) -> None:
    """Chinese, Japanese and Korean need no spaces."""
    await api.say(fact, "Something else entirely", sync=True)

    assert (await api.find(q=query, **BOTH)).contents == [fact]


@pytest.mark.parametrize("query", ['"', "AND", "tea OR", "scope:t1", "*", "?!", "x" * 5_000])
async def test_a_query_is_text_and_never_syntax(api: Caller, query: str) -> None:
    """Operators of the index mean nothing here."""
    await api.say("tea", sync=True)

    assert (await api.find(q=query)).status == 200
    assert (await api.find(q=query, memory_type="t1 OR x")).status == 200


async def test_a_recall_counts_what_it_returns_and_ignores_the_offset(api: Caller) -> None:
    """Paging a recall never ends, so nobody should."""
    await api.say(*(f"tea number {n}" for n in range(12)), sync=True)
    answer = await api.find(q="tea", limit=5, offset=100)

    assert (answer.body["total"], len(answer.contents)) == (5, 5)
    assert (answer.body["limit"], answer.body["offset"]) == (5, 100)


async def test_at_most_two_pinned_lead_and_equal_texts_come_once(api: Caller) -> None:
    """Then insights and raw messages by confidence."""
    for n in range(3):
        await api.store(content=f"pinned tea {n}", memory_type="pinned")
    await api.say("tea for two", sync=True)
    await api.say("tea for two", session_id="s2", sync=True)
    found = (await api.find(q="tea")).body["memories"]

    assert [item["memory_type"] for item in found] == ["pinned", "pinned", "insight"]


async def test_a_question_for_a_list_doubles_the_budget_up_to_twenty(api: Caller) -> None:
    """And lets one pinned memory lead; its floor is lower."""
    await api.say(*(f"which books {n}" for n in range(40)), sync=True)
    await api.store(content="pinned: which books one", memory_type="pinned")
    await api.store(content="pinned: which books two", memory_type="pinned")

    assert (await api.find(q="which books", limit=5)).body["total"] == 10
    answer = await api.find(q="which books", limit=50)
    assert answer.body["total"] == 20
    assert [m["memory_type"] for m in answer.body["memories"]].count("pinned") == 1


async def test_raw_messages_are_found_beside_facts(api: Caller) -> None:
    """Equal texts come once; a deleted fact comes back as the message it came from."""
    await api.store(
        messages=[
            {"role": "user", "content": "My red boat is old."},
            {"role": "assistant", "content": "A red boat, noted."},
        ],
        session_id="s1",
        sync=True,
    )
    found = (await api.find(q="red boat")).body["memories"]
    assert [item["memory_type"] for item in found] == ["insight", "session"]
    await api.ask("DELETE", f"memories/{found[0]['id']}")

    assert set((await api.find(q="red boat")).contents) == {
        "My red boat is old.",
        "A red boat, noted.",
    }


async def test_one_type_searches_that_pool_alone(api: Caller) -> None:
    """With confidence; raw messages come with role, number and kind."""
    await api.say("tea in the pot", session_id="s1", sync=True)
    await api.store(content="pinned tea", memory_type="pinned")

    for kind, content in (
        ("insight", "tea in the pot"),
        ("session", "tea in the pot"),
        ("pinned", "pinned tea"),
    ):
        (item,) = (await api.find(q="tea", memory_type=kind)).body["memories"]
        assert (item["memory_type"], item["content"]) == (kind, content)
        assert "confidence" in item
        if kind == "session":
            assert item["metadata"] == {"role": "user", "seq": 0, "content_type": "text"}
            assert (item["version"], item["created_at"]) == (0, item["updated_at"])


async def test_several_types_bypass_the_cut_and_page(api: Caller) -> None:
    """Age instead of confidence, pinned weigh more, the offset counts, and so do candidates.

    Scores stand on two scales: reciprocal ranks for what both legs found, else a cosine.
    """
    await api.say("tea", "green tea", "tea green", sync=True)
    await api.store(content="green tea pinned", memory_type="pinned")
    answer = await api.find(q="green tea", **BOTH)
    found = answer.body["memories"]

    assert answer.contents == ["green tea pinned", "green tea", "tea green", "tea"]
    assert [item["score"] < 0.06 for item in found] == [True, True, False, False]
    assert all("confidence" not in item and "relative_age" in item for item in found)
    paged = await api.find(q="green tea", limit=1, offset=1, **BOTH)
    assert (paged.contents, paged.body["total"]) == (["green tea"], 3)


async def test_filters_of_a_recall(api: Caller) -> None:
    """Agent, tags and state hold for every pool; session and source for raw messages only."""
    alpha, beta = (dataclasses.replace(api, agent=name) for name in ("alpha", "beta"))
    await alpha.say("alpha tea", session_id="s1", sync=True)
    await beta.say("beta tea", session_id="s2", sync=True)
    await alpha.store(content="tagged tea", tags=["a", "b c"], sync=True)
    await api.store(content="pinned tea", memory_type="pinned")

    async def found(**params: Any) -> set[str]:
        return set((await api.find(q="tea", **params)).contents)

    everything = {"alpha tea", "beta tea", "tagged tea", "pinned tea"}
    assert await found() == everything
    assert await found(agent_id="alpha") == {"alpha tea", "tagged tea"}
    assert await found(tags="a,b c") == {"tagged tea"}
    assert await found(tags="a, b c") == set()
    assert await found(session_id="s2") == everything
    assert await found(session_id="s2", memory_type="session") == {"beta tea"}
    assert await found(source="alpha", memory_type="session") == {"alpha tea"}
    assert await found(agent_id="beta", memory_type="session") == {"beta tea"}
    assert await found(state="archived") == set()
    assert await found(state="all") == everything


async def test_the_agent_header_never_filters(api: Caller) -> None:
    """It only says who writes."""
    await dataclasses.replace(api, agent="alpha").say("tea", sync=True)

    assert (await dataclasses.replace(api, agent="beta").find(q="tea")).contents == ["tea"]


async def test_keyword_alone_needs_the_whole_query_and_is_rarely_sure(
    bare_api: Caller,
) -> None:
    """A keyword leg alone gives 48 for a fresh insight; the cut is 65."""
    await bare_api.store(content="The user takes tea with oat milk.", sync=True)

    for query in ("oat milk", "what milk does the user take", "tea milk"):
        assert (await bare_api.find(q=query)).body["total"] == 0
    several = await bare_api.find(q="OAT milk", memory_type="insight,pinned")
    assert several.contents == ["The user takes tea with oat milk."]
    assert "score" not in several.body["memories"][0]


async def test_keyword_alone_lets_a_plain_definition_through(bare_api: Caller) -> None:
    """What mem9's own local smoke test relies on."""
    await bare_api.store(content='what is CI_1? "CI_1" is "LOCAL".', sync=True)
    (item,) = (await bare_api.find(q="what is CI_1", memory_type="insight")).body["memories"]

    assert item["confidence"] >= 65


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        ("When did we meet", Shape.TIME),
        ("我们什么时候见面", Shape.TIME),
        ("where do I live", Shape.LOCATION),
        ("how many cats", Shape.COUNT),
        ("what books do I like", Shape.ENUMERATION),
        ("which kind of tea", Shape.ENUMERATION),
        ("我喜欢哪些书", Shape.ENUMERATION),
        ("who is Ann", Shape.ENTITY),
        ("what is my editor", Shape.EXACT),
        ("what was that", Shape.EXACT),
        ("what does he do", Shape.EXACT),
        ("my editor", Shape.GENERAL),
    ],
)
def test_a_query_is_told_by_its_opening(query: str, shape: Shape) -> None:
    """English by the first words, Chinese by the question word."""
    assert shape_of(query) is shape


async def test_the_newest_leads_where_the_whole_query_stands(api: Caller, clock: Clock) -> None:
    """The keyword leg is ranked by age."""
    await api.say("old tea", sync=True)
    clock.advance(90 * 86_400)
    await api.say("new tea", sync=True)

    assert (await api.find(q="tea")).contents == ["new tea", "old tea"]


async def test_other_spaces_full_of_the_word_do_not_hide_a_hit(
    api: Caller, server: DevServer
) -> None:
    """The bound on rows per word holds within one space."""
    await api.say("rare tea", sync=True)
    other = dataclasses.replace(api, key=server.provision())
    for part in range(25):
        await other.say(*(f"tea {part} {n}" for n in range(50)))

    assert (await api.find(q="tea")).contents == ["rare tea"]
