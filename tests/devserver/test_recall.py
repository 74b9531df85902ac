"""GET memories with a query: what is found, how sure, in which order, how many."""

import dataclasses
from typing import Any

import pytest

from mem9_async.devserver.recall import Shape, shape_of
from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller
from tests.devserver.conftest import Clock


async def test_any_shared_significant_word_is_found_and_passes_the_cut(api: Caller) -> None:
    """A question in a whole sentence finds the fact; confidence and score say how well."""
    await api.say("The user takes tea with oat milk.", "The cat is called Miso.", sync=True)
    (found,) = (await api.find(q="What milk do I order at the café?")).body["memories"]

    assert found["content"] == "The user takes tea with oat milk."
    assert found["confidence"] >= 70
    assert found["score"] == pytest.approx(1 / 3, abs=0.001)
    assert "relative_age" not in found


async def test_hits_are_ranked_by_the_share_of_query_words_they_have(api: Caller) -> None:
    """However old the better match is."""
    await api.say("green tea in the morning", "green walls", "nothing of it", sync=True)
    await api.say("tea at night", sync=True)
    found = (await api.find(q="green tea morning")).body["memories"]

    assert found[0]["content"] == "green tea in the morning"
    assert [item["score"] for item in found] == [1.0, 0.3333, 0.3333]
    confidences = [item["confidence"] for item in found]
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize(
    ("fact", "query"),
    [
        ("用户喜欢用 Vim 编辑器写代码", "我最喜欢的编辑器是什么？"),
        ("用户住在杭州西湖区", "你知道我住在哪里吗"),
        ("ユーザーは紅茶が好きです", "紅茶は好きですか"),
        ("사용자는 커피를 좋아한다", "커피 좋아해?"),
        ("Der Nutzer heißt Jörg Weiß", "jörg"),
        ("The user's editors are Vim and Helix", "favourite editor"),
        ("Ticket ABC_123 is open", "abc_123"),
    ],
)
async def test_words_are_found_in_any_script_case_and_number(
    api: Caller, fact: str, query: str
) -> None:
    """Chinese, Japanese and Korean need no spaces."""
    await api.say(fact, "Something else entirely", sync=True)

    assert (await api.find(q=query)).contents == [fact]


async def test_words_without_meaning_find_nothing_by_themselves(api: Caller) -> None:
    """A shared `the` is no hit; a query of nothing else falls back to its words."""
    await api.say("The boat is in the harbour.", sync=True)

    assert (await api.find(q="what is the time in Lima")).body["total"] == 0
    assert (await api.find(q="the")).body["total"] == 1


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
    """And lets one pinned memory lead."""
    await api.say(*(f"book {n}" for n in range(40)), sync=True)
    await api.store(content="pinned book one", memory_type="pinned")
    await api.store(content="pinned book two", memory_type="pinned")

    assert (await api.find(q="which books", limit=5)).body["total"] == 10
    answer = await api.find(q="which books", limit=50)
    assert answer.body["total"] == 20
    assert [m["memory_type"] for m in answer.body["memories"]].count("pinned") == 1


async def test_raw_messages_stand_in_only_where_no_fact_was_made(api: Caller) -> None:
    """A deleted fact does not come back as the message it came from."""
    await api.store(
        messages=[
            {"role": "user", "content": "My boat is red."},
            {"role": "assistant", "content": "A red boat, noted."},
        ],
        session_id="s1",
        sync=True,
    )
    found = (await api.find(q="red boat")).body["memories"]
    assert [item["memory_type"] for item in found] == ["insight", "session"]
    await api.ask("DELETE", f"memories/{found[0]['id']}")

    assert (await api.find(q="red boat")).contents == ["A red boat, noted."]


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
    """Age instead of confidence, pinned weigh more, the offset counts."""
    await api.say("green tea", "tea", sync=True)
    await api.store(content="tea pinned", memory_type="pinned")
    found = (await api.find(q="green tea", memory_type="insight,pinned")).body["memories"]

    assert [item["content"] for item in found] == ["green tea", "tea pinned", "tea"]
    assert [item["score"] for item in found] == [1.0, 0.75, 0.5]
    assert all("confidence" not in item and "relative_age" in item for item in found)
    paged = await api.find(q="green tea", memory_type="insight,pinned", limit=1, offset=1)
    assert paged.contents == ["tea pinned"]


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


async def test_strict_needs_the_whole_query_and_is_hardly_ever_sure(strict_api: Caller) -> None:
    """A keyword leg alone gives 48 for a fresh insight; the cut is 65."""
    await strict_api.store(content="The user takes tea with oat milk.", sync=True)

    for query in ("oat milk", "what milk does the user take", "tea milk"):
        assert (await strict_api.find(q=query)).body["total"] == 0
    several = await strict_api.find(q="OAT milk", memory_type="insight,pinned")
    assert several.contents == ["The user takes tea with oat milk."]
    assert "score" not in several.body["memories"][0]


async def test_strict_lets_a_plain_definition_through(strict_api: Caller) -> None:
    """What mem9's own local smoke test relies on."""
    await strict_api.store(content='what is CI_1? "CI_1" is "LOCAL".', sync=True)
    (item,) = (await strict_api.find(q="what is CI_1", memory_type="insight")).body["memories"]

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


async def test_fresher_wins_between_equal_shares(api: Caller, clock: Clock) -> None:
    """An age of months costs a point or two, never a match."""
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
