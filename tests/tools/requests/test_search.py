"""The recall that a call asks for."""

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools.requests.search import search_of
from tests.tools.fakes import call


class TestSearch:
    """memory_search."""

    def test_has_the_defaults_of_the_original(self) -> None:
        """Ten results, no filter, pending writes included, no second recall."""
        command = search_of(call({"query": " preferred language "}))

        assert command.query.query == "preferred language"
        assert command.query.limit == 10
        assert command.query.session_id is None
        assert command.query.scan_all is False
        assert command.query.agent_id is None
        assert command.include_pending is True
        assert command.second is None

    @pytest.mark.parametrize("query", [None, "", "  "])
    def test_needs_a_query(self, query: object) -> None:
        """The text is the one mem9's own plugin gives."""
        with pytest.raises(InvalidRequest, match=r"^query is required$") as refused:
            search_of(call({"query": query}))

        assert refused.value.code == "query_required"

    def test_refuses_a_query_that_no_address_line_takes(self) -> None:
        """A proxy would answer with a page."""
        with pytest.raises(InvalidRequest) as refused:
            search_of(call({"query": "q" * 4001}))

        assert refused.value.code == "query_too_long"

    @pytest.mark.parametrize(
        ("query", "fits"),
        [("愿" * 777, True), ("愿" * 778, False), ("é" * 1_167, False), ("q" * 4_000, True)],
    )
    def test_counts_a_query_as_it_travels(self, query: str, fits: bool) -> None:
        """A thousand Chinese characters are nine thousand bytes of address line."""
        if fits:
            assert search_of(call({"query": query})).query.query == query
            return
        with pytest.raises(InvalidRequest, match="short phrase") as refused:
            search_of(call({"query": query}))

        assert refused.value.code == "query_too_long"

    @pytest.mark.parametrize(("limit", "read"), [(500, 20), ("many", 10), (0, 1), (True, 10)])
    def test_clamps_the_limit(self, limit: object, read: int) -> None:
        """Never a refusal for a number."""
        assert search_of(call({"query": "q", "limit": limit})).query.limit == read

    def test_carries_its_filters(self) -> None:
        """As typed values."""
        query = search_of(
            call(
                {
                    "query": "q",
                    "scanAll": "true",
                    "memory_type": "insight,pinned",
                    "tags": "a,b",
                    "agent_id": "other",
                    "session_id": "s",
                }
            )
        ).query

        assert query.scan_all is True
        assert query.memory_type == "insight,pinned"
        assert query.tags == ("a", "b")
        assert query.agent_id == "other"
        assert query.session_id == "s"
        assert query.caller_agent_id == "dify"

    def test_refuses_an_unknown_memory_type(self) -> None:
        """mem9 would answer with nothing, which looks like no memory."""
        with pytest.raises(InvalidRequest) as refused:
            search_of(call({"query": "q", "memory_type": "fact"}))

        assert refused.value.code == "memory_type_invalid"

    @pytest.mark.parametrize("given", [None, "insight", "pinned"])
    def test_auto_retry_asks_past_the_cut_off(self, given: str | None) -> None:
        """In the same words, for both kinds of fact: there mem9 leaves its floor out."""
        parameters = {"query": "Alice bicycle", "auto_retry": True, "limit": 3}
        command = search_of(call({**parameters, "memory_type": given}))

        assert command.second is not None
        assert (command.second.query, command.second.memory_type) == (
            "Alice bicycle",
            "insight,pinned",
        )
        assert (command.query.memory_type, command.query.limit) == (given, 3)

    @pytest.mark.parametrize("given", ["insight,pinned", "session"])
    def test_auto_retry_takes_the_first_suggestion_where_nothing_is_cut_off(
        self, given: str
    ) -> None:
        """A question in the form in which mem9 keeps facts."""
        question = "what is the user's favourite editor?"
        command = search_of(call({"query": question, "auto_retry": True, "memory_type": given}))

        assert command.second is not None
        assert command.second.query == "user's favourite editor"
        assert command.second.memory_type == given

    def test_keeps_an_isolated_caller_to_its_own_memories(self) -> None:
        """Filter and header carry the derived id."""
        query = search_of(call({"query": "q"}, isolation="per_user")).query

        assert query.agent_id == query.caller_agent_id
        assert query.agent_id is not None

    def test_refuses_a_filter_that_would_cross_the_isolation(self) -> None:
        """A model could otherwise ask for somebody else's memories."""
        with pytest.raises(InvalidRequest) as refused:
            search_of(call({"query": "q", "agent_id": "dify"}, isolation="per_user"))

        assert refused.value.code == "agent_id_not_allowed"


class TestKeyword:
    """`mode: keyword`."""

    def test_is_a_search_for_words_with_pages(self) -> None:
        """Once: nothing is gained by other words."""
        command = search_of(
            call({"query": "A-17", "mode": "Keyword", "offset": "20", "auto_retry": True})
        )

        assert (command.query.keyword, command.query.offset) == (True, 20)
        assert command.second is None

    def test_sees_every_space_of_a_chain_anyway(self) -> None:
        """What is asked for beside it would make it a list that is charged."""
        asked = {"query": "A-17", "mode": "keyword", "scanAll": True}

        assert search_of(call(asked)).query.scan_all is False

    @pytest.mark.parametrize("mode", [None, "", "recall", " RECALL "])
    def test_is_off_unless_asked_for(self, mode: object) -> None:
        """A model that writes an offset of 0 means the beginning."""
        query = search_of(call({"query": "q", "mode": mode, "offset": 0})).query

        assert (query.keyword, query.offset) == (False, 0)

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({"mode": "exact"}, "mode_invalid"),
            ({"offset": 10}, "offset_needs_keyword"),
            ({"mode": "keyword", "offset": "-1"}, "offset_not_a_number"),
        ],
    )
    def test_refuses_what_mem9_would_not_do(self, parameters: dict[str, object], code: str) -> None:
        """A page of a recall would be the first one again."""
        with pytest.raises(InvalidRequest) as refused:
            search_of(call({"query": "q", **parameters}))

        assert refused.value.code == code


def test_the_app_narrows_a_search() -> None:
    """Also the second one."""
    command = search_of(call({"query": "q", "app_id": "shop", "auto_retry": True}))

    assert command.query.app_id == "shop"
    assert command.second is not None
    assert command.second.app_id == "shop"
