"""The parameters of the tools that read and change."""

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.models.memory import MemoryChange
from mem9_async.tools import params

from .fakes import call

MAX_BYTES = 48 * 1024


class TestSearch:
    """memory_search."""

    def test_has_the_defaults_of_the_original(self) -> None:
        """Ten results, no filter, pending writes included, no second recall."""
        command = params.search(call({"query": " preferred language "}))

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
            params.search(call({"query": query}))

        assert refused.value.code == "query_required"

    def test_refuses_a_query_that_no_address_line_takes(self) -> None:
        """A proxy would answer with a page."""
        with pytest.raises(InvalidRequest) as refused:
            params.search(call({"query": "q" * 4001}))

        assert refused.value.code == "query_too_long"

    @pytest.mark.parametrize(
        ("query", "fits"),
        [("愿" * 777, True), ("愿" * 778, False), ("é" * 1_167, False), ("q" * 4_000, True)],
    )
    def test_counts_a_query_as_it_travels(self, query: str, fits: bool) -> None:
        """A thousand Chinese characters are nine thousand bytes of address line."""
        if fits:
            assert params.search(call({"query": query})).query.query == query
            return
        with pytest.raises(InvalidRequest, match="short phrase") as refused:
            params.search(call({"query": query}))

        assert refused.value.code == "query_too_long"

    @pytest.mark.parametrize(("limit", "read"), [(500, 20), ("many", 10), (0, 1), (True, 10)])
    def test_clamps_the_limit(self, limit: object, read: int) -> None:
        """Never a refusal for a number."""
        assert params.search(call({"query": "q", "limit": limit})).query.limit == read

    def test_carries_its_filters(self) -> None:
        """As typed values."""
        query = params.search(
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
            params.search(call({"query": "q", "memory_type": "fact"}))

        assert refused.value.code == "memory_type_invalid"

    @pytest.mark.parametrize("given", [None, "insight", "pinned"])
    def test_auto_retry_asks_past_the_cut_off(self, given: str | None) -> None:
        """In the same words, for both kinds of fact: there mem9 leaves its floor out."""
        parameters = {"query": "Alice bicycle", "auto_retry": True, "limit": 3}
        command = params.search(call({**parameters, "memory_type": given}))

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
        command = params.search(call({"query": question, "auto_retry": True, "memory_type": given}))

        assert command.second is not None
        assert command.second.query == "user's favourite editor"
        assert command.second.memory_type == given

    def test_keeps_an_isolated_caller_to_its_own_memories(self) -> None:
        """Filter and header carry the derived id."""
        query = params.search(call({"query": "q"}, isolation="per_user")).query

        assert query.agent_id == query.caller_agent_id
        assert query.agent_id is not None

    def test_refuses_a_filter_that_would_cross_the_isolation(self) -> None:
        """A model could otherwise ask for somebody else's memories."""
        with pytest.raises(InvalidRequest) as refused:
            params.search(call({"query": "q", "agent_id": "dify"}, isolation="per_user"))

        assert refused.value.code == "agent_id_not_allowed"


class TestPage:
    """memory_list."""

    def test_reads_its_window(self) -> None:
        """Above 200 mem9 would fall back to 10."""
        query = params.page(call({"limit": 1000, "offset": "40"}))

        assert (query.limit, query.offset) == (200, 40)


class TestMemoryId:
    """Ids of memories."""

    @pytest.mark.parametrize("memory_id", ["..", "a/b", "a?b=c", "-a", "ä", "a" * 101, "a b"])
    def test_that_could_reach_another_address_is_refused(self, memory_id: str) -> None:
        """`DELETE memories/..` would not be the memory somebody meant."""
        with pytest.raises(InvalidRequest) as refused:
            params.one_memory(call({"memory_id": memory_id}))

        assert refused.value.code == "memory_id_invalid"

    def test_is_required(self) -> None:
        """No guess which one."""
        with pytest.raises(InvalidRequest) as refused:
            params.one_memory(call())

        assert refused.value.code == "memory_id_required"


def _change(**parameters: object) -> MemoryChange:
    return params.change(call({"memory_id": "m1", **parameters}), max_bytes=MAX_BYTES).change


class TestChange:
    """memory_update."""

    def test_keeps_what_is_left_blank(self) -> None:
        """Blank and absent are the same for a node's field."""
        change = _change(content=" new ", tags="", metadata=None)

        assert change == MemoryChange(content="new")

    def test_clears_what_is_said_to_be_empty(self) -> None:
        """`[]` and `null` are values."""
        change = _change(tags="[]", metadata="null", version=3)

        assert change == MemoryChange(tags=(), clear_metadata=True, version=3)

    def test_of_nothing_is_refused(self) -> None:
        """mem9 would count a write and a version for it."""
        with pytest.raises(InvalidRequest) as refused:
            _change(version=3)

        assert refused.value.code == "change_required"

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({"content": "a" * (MAX_BYTES + 1)}, "content_too_large"),
            ({"content": "<relevant-memories>x</relevant-memories>"}, "content_required"),
            ({"tags": [str(n) for n in range(21)]}, "tags_too_many"),
            ({"metadata": "[1]"}, "metadata_invalid"),
            ({"content": "x", "version": "latest"}, "version_not_a_number"),
        ],
    )
    def test_that_mem9_would_not_carry_out_is_refused(
        self, parameters: dict[str, object], code: str
    ) -> None:
        """Before anything is sent."""
        with pytest.raises(InvalidRequest) as refused:
            _change(**parameters)

        assert refused.value.code == code


class TestDeletion:
    """memory_delete."""

    @pytest.mark.parametrize("given", ["m1", "m1, m2,m1", '["m1", "m2"]', ["m2"]])
    def test_takes_one_id_or_a_list(self, given: object) -> None:
        """Each id once."""
        ids = params.deletion(call({"memory_ids": given})).memory_ids

        assert len(ids) == len(set(ids)) <= 2

    @pytest.mark.parametrize("given", [None, "", "[]", []])
    def test_of_nothing_is_refused(self, given: object) -> None:
        """An empty list must not read as success."""
        with pytest.raises(InvalidRequest) as refused:
            params.deletion(call({"memory_ids": given}))

        assert refused.value.code == "memory_ids_required"

    def test_is_bounded_where_each_id_is_looked_up(self) -> None:
        """Fifty look-ups fit into a call; ten thousand do not."""
        with pytest.raises(InvalidRequest) as refused:
            params.deletion(
                call({"memory_ids": [f"m{n}" for n in range(51)]}, isolation="per_user")
            )

        assert refused.value.code == "memory_ids_too_many"


class TestQueue:
    """memory_queue."""

    def test_asks_for_the_status_by_default(self) -> None:
        """Looking changes nothing."""
        question = params.queue(call({"job_id": "01JOB"}))

        assert question.command.action == "status"
        assert question.command.job_id == "01JOB"
        assert question.shared is True

    def test_needs_no_caller_where_callers_are_kept_apart(self) -> None:
        """A space's queue is not one person's, and is not told as if it were."""
        question = params.queue(call(isolation="per_conversation"))

        assert question.shared is False

    def test_sends_no_other_persons_dead_letters(self) -> None:
        """One's own is named by the job_id that its store was answered with."""
        asked = {"action": "retry_dead"}
        with pytest.raises(InvalidRequest) as refused:
            params.queue(call(asked, isolation="per_user"))

        assert refused.value.code == "job_id_required"
        assert params.queue(call({**asked, "job_id": "1"}, isolation="per_user")).shared is False
        assert params.queue(call(asked)).command.job_id is None

    def test_refuses_an_unknown_action(self) -> None:
        """No guess between flush and retry."""
        with pytest.raises(InvalidRequest) as refused:
            params.queue(call({"action": "purge"}))

        assert refused.value.code == "action_invalid"
