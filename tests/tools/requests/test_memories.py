"""Which memories a call means, and what is to become of them."""

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.models.memory import MemoryChange
from mem9_async.tools.requests import memories
from tests.tools.fakes import call

MAX_BYTES = 48 * 1024


class TestPage:
    """memory_list."""

    def test_reads_its_window(self) -> None:
        """Above 200 mem9 would fall back to 10."""
        query = memories.page(call({"limit": 1000, "offset": "40"}))

        assert (query.limit, query.offset) == (200, 40)


class TestMemoryId:
    """Ids of memories."""

    @pytest.mark.parametrize("memory_id", ["..", "a/b", "a?b=c", "-a", "ä", "a" * 101, "a b"])
    def test_that_could_reach_another_address_is_refused(self, memory_id: str) -> None:
        """`DELETE memories/..` would not be the memory somebody meant."""
        with pytest.raises(InvalidRequest) as refused:
            memories.one_memory(call({"memory_id": memory_id}))

        assert refused.value.code == "memory_id_invalid"

    def test_is_required(self) -> None:
        """No guess which one."""
        with pytest.raises(InvalidRequest) as refused:
            memories.one_memory(call())

        assert refused.value.code == "memory_id_required"


def _change(**parameters: object) -> MemoryChange:
    return memories.change(call({"memory_id": "m1", **parameters}), max_bytes=MAX_BYTES).change


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
        ids = memories.deletion(call({"memory_ids": given})).memory_ids

        assert len(ids) == len(set(ids)) <= 2

    @pytest.mark.parametrize("given", [None, "", "[]", []])
    def test_of_nothing_is_refused(self, given: object) -> None:
        """An empty list must not read as success."""
        with pytest.raises(InvalidRequest) as refused:
            memories.deletion(call({"memory_ids": given}))

        assert refused.value.code == "memory_ids_required"

    def test_is_bounded_where_each_id_is_looked_up(self) -> None:
        """Fifty look-ups fit into a call; ten thousand do not."""
        with pytest.raises(InvalidRequest) as refused:
            memories.deletion(
                call({"memory_ids": [f"m{n}" for n in range(51)]}, isolation="per_user")
            )

        assert refused.value.code == "memory_ids_too_many"
