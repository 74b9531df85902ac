"""What may go together in a memory_store call."""

from typing import Any

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.models.job import NewJob, Pinned, Turn
from mem9_async.tools.requests import store
from tests.tools.fakes import call

MAX_BYTES = 48 * 1024


def job(parameters: dict[str, object], **credentials: Any) -> NewJob:
    """Parse *parameters* as the tool does."""
    return store.new_job(call(parameters, **credentials), max_bytes=MAX_BYTES)


def refused(parameters: dict[str, object], **credentials: object) -> str:
    """Return the code with which *parameters* are refused."""
    with pytest.raises(InvalidRequest) as caught:
        job(parameters, **credentials)
    return caught.value.code


class TestContent:
    """A single text."""

    def test_becomes_one_trimmed_user_message(self) -> None:
        """mem9 takes facts from role user only."""
        payload = job({"content": "  User prefers Python  "}).payload

        assert isinstance(payload, Turn)
        assert [(m.role, m.content) for m in payload.messages] == [("user", "User prefers Python")]

    @pytest.mark.parametrize("content", [None, "", "  ", "\x00"])
    def test_is_required(self, content: object) -> None:
        """The text is the one mem9's own plugin gives."""
        with pytest.raises(InvalidRequest, match=r"^content is required$") as caught:
            job({"content": content})

        assert caught.value.code == "content_required"

    def test_that_is_only_recalled_text_is_required_too(self) -> None:
        """Recalled memories are never stored again."""
        content = "<relevant-memories>\n- User likes tea\n</relevant-memories>"

        assert refused({"content": content}) == "content_required"

    def test_loses_recalled_text_around_the_users_own(self) -> None:
        """The rest is kept."""
        content = "<relevant-memories>old</relevant-memories> User moved to Porto"

        assert job({"content": content}).payload.text == "User moved to Porto"

    def test_is_limited_in_bytes(self) -> None:
        """mem9 counts bytes: Chinese text reaches the limit at a third of the characters."""
        assert job({"content": "a" * MAX_BYTES}).payload.size_bytes == MAX_BYTES
        assert refused({"content": "a" * (MAX_BYTES + 1)}) == "content_too_large"
        assert refused({"content": "记" * (MAX_BYTES // 3 + 1)}) == "content_too_large"


class TestLane:
    """Where the job goes."""

    def test_carries_who_asked(self) -> None:
        """Two people never share a request."""
        lane = store.new_job(
            call({"content": "x", "session_id": "s"}, user_id="u", conversation_id="c"),
            max_bytes=MAX_BYTES,
        ).lane

        assert (lane.session_id, lane.user_id, lane.conversation_id) == ("s", "u", "c")
        assert lane.agent_id == "dify"

    def test_of_an_isolated_user_has_the_derived_agent(self) -> None:
        """The same id that a search filters by."""
        assert job({"content": "x"}, isolation="per_user").lane.agent_id.startswith("dify-u-")


class TestMessages:
    """A whole turn."""

    @pytest.mark.parametrize(
        "given",
        [
            [{"role": "User", "content": " hi "}, {"role": "assistant", "content": "yo"}],
            '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "x": 1}]',
        ],
    )
    def test_keep_roles_and_order(self, given: object) -> None:
        """A list or its JSON."""
        payload = job({"messages": given}).payload

        assert isinstance(payload, Turn)
        assert [(m.role, m.content) for m in payload.messages] == [
            ("user", "hi"),
            ("assistant", "yo"),
        ]

    @pytest.mark.parametrize(
        "given",
        [
            "no json",
            {"role": "user", "content": "hi"},
            '"text"',
            ["hi"],
            [{"content": "hi"}],
            [{"role": 7, "content": "hi"}],
            [{"role": "u" * 21, "content": "hi"}],
            [{"role": "user", "content": ["hi"]}],
            [{"role": "assistant", "content": "only the model spoke"}],
        ],
    )
    def test_that_cannot_be_read_are_refused(self, given: object) -> None:
        """Without a user message mem9 would take nothing, silently."""
        assert refused({"messages": given}) == "messages_invalid"

    def test_without_any_text_are_missing_content(self) -> None:
        """Empty messages are dropped before counting."""
        assert refused({"messages": [{"role": "user", "content": " "}]}) == "content_required"

    def test_and_content_together_are_refused(self) -> None:
        """mem9 takes one or the other."""
        both: dict[str, object] = {"content": "x", "messages": [{"role": "user", "content": "y"}]}

        assert refused(both) == "content_and_messages"

    @pytest.mark.parametrize("blank", ["", " ", [], None, "[]", " [ ] ", "null", "{}", {}, '""'])
    def test_left_blank_are_not_given(self, blank: object) -> None:
        """An empty field on the node is no list."""
        assert job({"content": "x", "messages": blank}).payload.text == "x"


class TestPinned:
    """Text kept word for word."""

    def test_keeps_tags_and_metadata(self) -> None:
        """The one path on which mem9 keeps them."""
        payload = job(
            {"content": "x", "pinned": "true", "tags": "a, b", "metadata": '{"k": null}'}
        ).payload

        assert payload == Pinned(content="x", tags=("a", "b"), metadata={"k": None})

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({"content": "x", "tags": "a"}, "pinned_required"),
            ({"content": "x", "metadata": {"a": 1}}, "pinned_required"),
            ({"content": "x", "tags": '["a"]'}, "pinned_required"),
            ({"content": "x", "metadata": '{"a": 1}'}, "pinned_required"),
            ({"pinned": True, "messages": [{"role": "user", "content": "x"}]}, "pinned_messages"),
            ({"pinned": True}, "content_required"),
            (
                {"pinned": True, "content": "x", "tags": [str(n) for n in range(21)]},
                "tags_too_many",
            ),
            ({"pinned": True, "content": "x", "metadata": "no"}, "metadata_invalid"),
            ({"pinned": True, "content": "a" * (MAX_BYTES + 1)}, "content_too_large"),
            (
                {"pinned": True, "content": "x", "metadata": {"k": "a" * MAX_BYTES}},
                "metadata_too_large",
            ),
            ({"pinned": True, "content": "x", "tags": "记" * MAX_BYTES}, "tags_too_large"),
        ],
    )
    def test_fields_that_cannot_go_together_are_refused(
        self, parameters: dict[str, object], code: str
    ) -> None:
        """Never a silent ignore."""
        assert refused(parameters) == code

    @pytest.mark.parametrize("pinned", [True, False])
    @pytest.mark.parametrize("blank", ["", " ", "[]", "{}", "null", " null ", '""', [], {}, None])
    def test_optional_fields_filled_with_nothing_are_not_given(
        self, pinned: bool, blank: object
    ) -> None:
        """Models fill in what they do not mean; the store is good all the same."""
        payload = job(
            {
                "content": "x",
                "pinned": pinned,
                "tags": blank,
                "metadata": blank,
                "messages": blank,
            }
        ).payload

        assert payload.text == "x"
        assert not pinned or payload == Pinned(content="x")

    def test_counts_tags_and_metadata_too(self) -> None:
        """All of it is kept and sent: none of it is free."""
        payload = job(
            {"content": "äx", "pinned": True, "tags": "a, bc", "metadata": {"k": [1, "é"]}}
        ).payload

        assert payload.size_bytes == 3 + 3 + len('{"k":[1,"é"]}'.encode())

    def test_that_is_too_large_together_says_what_to_shorten(self) -> None:
        """Each part alone would have been taken."""
        parts = {"content": "a" * 20_000, "metadata": {"k": "b" * 30_000}}
        with pytest.raises(
            InvalidRequest, match=r"content 20000.*metadata 30008.*Shorten meta"
        ) as c:
            job({**parts, "pinned": True})

        assert c.value.code == "metadata_too_large"

    def test_is_refused_where_callers_are_kept_apart(self) -> None:
        """mem9 keeps no owner on it: others would see it, its own user would not."""
        code = refused({"content": "x", "pinned": True}, isolation="per_user")

        assert code == "pinned_not_isolated"


def test_wait_closes_the_batch_only_when_asked() -> None:
    """The default answers at once."""
    assert job({"content": "x"}).wait is False
    assert job({"content": "x", "wait": True}).wait is True


def test_a_pinned_memory_keeps_mem9s_own_limit_where_ours_is_raised() -> None:
    """A turn may be as long as was set; one memory of mem9 holds 50,000 bytes."""
    long = "x" * 55_000
    raised = call({"content": long})
    assert store.new_job(raised, max_bytes=200_000).payload.size_bytes == 55_000

    with pytest.raises(InvalidRequest, match="50000") as refused:
        store.new_job(call({"content": long, "pinned": True}), max_bytes=200_000)

    assert refused.value.code == "content_too_large"


class TestApp:
    """`app_id` and `keep_raw`."""

    def test_the_app_is_part_of_where_a_job_goes(self) -> None:
        """In the isolation that shares everything, each node may have its own."""
        assert job({"content": "c", "app_id": " shop "}).lane.app_id == "shop"
        assert job({"content": "c", "app_id": " "}).lane.app_id is None
        assert refused({"content": "c", "app_id": "null"}) == "app_id_invalid"

    @pytest.mark.parametrize(
        ("given", "kept"), [(None, True), ("", True), (True, True), ("false", False), (0, False)]
    )
    def test_messages_are_kept_unless_it_is_said(self, given: object, kept: bool) -> None:
        """For a text as for messages."""
        said = [{"role": "user", "content": "c"}]
        for parameters in ({"content": "c"}, {"messages": said}):
            payload = job({**parameters, "keep_raw": given}).payload
            assert isinstance(payload, Turn)
            assert payload.keep_raw is kept

    def test_a_pinned_memory_has_no_messages_to_keep(self) -> None:
        """It is word for word."""
        assert isinstance(job({"content": "c", "pinned": True, "keep_raw": False}).payload, Pinned)
