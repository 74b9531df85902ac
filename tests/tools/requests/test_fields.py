"""Reading one loosely typed value."""

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools.requests import fields


class TestText:
    """Texts."""

    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("  User prefers Python  ", "User prefers Python"),
            ("", None),
            (" \n\t", None),
            (None, None),
            (42, "42"),
            (1.5, "1.5"),
            ("a\x00b", "ab"),
            ("half \ud83d of it", "half \ufffd of it"),
            ("喜欢 Python 🐍", "喜欢 Python 🐍"),
        ],
    )
    def test_is_trimmed_and_made_storable(self, given: object, read: str | None) -> None:
        """Blank is absent; numbers become text; what no server can store is dropped."""
        assert fields.text({"content": given}, "content") == read

    @pytest.mark.parametrize("given", [True, ["a"], {"a": 1}])
    def test_of_another_kind_is_refused(self, given: object) -> None:
        """A list's Python spelling must never become somebody's memory."""
        with pytest.raises(InvalidRequest) as refused:
            fields.text({"content": given}, "content")

        assert refused.value.code == "content_not_text"


class TestFlag:
    """Flags."""

    @pytest.mark.parametrize("given", [True, "true", " Yes ", "1", 1, 1.0, "ON"])
    def test_yes_in_any_form_is_true(self, given: object) -> None:
        """Models write flags as words and numbers."""
        assert fields.flag({"wait": given}, "wait") is True

    @pytest.mark.parametrize("given", [False, "false", "no", "0", 0, "off"])
    def test_no_in_any_form_is_false(self, given: object) -> None:
        """The text "false" is not true."""
        assert fields.flag({"wait": given}, "wait", default=True) is False

    @pytest.mark.parametrize("given", [None, "", "  "])
    def test_absent_is_the_default(self, given: object) -> None:
        """A blank is no answer."""
        assert fields.flag({"wait": given}, "wait", default=True) is True

    @pytest.mark.parametrize("given", ["maybe", 2, [], {}])
    def test_anything_else_is_refused(self, given: object) -> None:
        """No guess about what somebody meant."""
        with pytest.raises(InvalidRequest, match="true or false"):
            fields.flag({"wait": given}, "wait")


class TestBounded:
    """Numbers with bounds."""

    @pytest.mark.parametrize(
        ("given", "read"),
        [
            (5, 5),
            ("5", 5),
            (" 7 ", 7),
            (2.9, 2),
            ("1e1", 10),
            (0, 1),
            (-3, 1),
            (500, 20),
            (10**400, 20),
            ("many", 10),
            ("", 10),
            (None, 10),
            (True, 10),
            (float("nan"), 10),
            (float("inf"), 10),
            ("1e999", 10),
            ([3], 10),
        ],
    )
    def test_clamps_numbers_and_ignores_what_is_none(self, given: object, read: int) -> None:
        """Out of range is clamped; no number means the default."""
        assert fields.bounded({"limit": given}, "limit", default=10, low=1, high=20) == read


class TestItems:
    """Lists of texts."""

    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("a, b ,,a", ("a", "b")),
            ('["a", "b"]', ("a", "b")),
            (["a", " b ", 3], ("a", "b", "3")),
            (["a,b"], ("a", "b")),
            ("[]", ()),
            ([], ()),
            ("", None),
            ("null", None),
            (None, None),
        ],
    )
    def test_lists_in_any_form_become_one(
        self, given: object, read: tuple[str, ...] | None
    ) -> None:
        """JSON, lists and comma text mean the same; empty is not absent."""
        assert fields.items({"tags": given}, "tags") == read

    @pytest.mark.parametrize("given", ["[broken", {"a": 1}, [["a"]], [True], 7])
    def test_anything_else_is_refused(self, given: object) -> None:
        """A nested list has no meaning as a tag."""
        with pytest.raises(InvalidRequest) as refused:
            fields.items({"tags": given}, "tags")

        assert refused.value.code == "tags_invalid"


class TestJsonObject:
    """JSON objects."""

    @pytest.mark.parametrize("given", [{"a": [1, None]}, '{"a": [1, null]}'])
    def test_comes_as_object_or_text(self, given: object) -> None:
        """Nulls inside are data and stay."""
        assert fields.json_object({"metadata": given}, "metadata") == {"a": [1, None]}

    @pytest.mark.parametrize(
        "given", ["[1]", "7", "{broken", '{"a": NaN}', {"a": float("inf")}, {"a": object()}, 5]
    )
    def test_anything_else_is_refused(self, given: object) -> None:
        """What is no JSON must not reach the journal."""
        with pytest.raises(InvalidRequest) as refused:
            fields.json_object({"metadata": given}, "metadata")

        assert refused.value.code == "metadata_invalid"


@pytest.mark.parametrize(
    "given",
    [
        {"a\x00": ["b\x00", {"c": "d\ud83d\x00", "e\x00": [1, None]}]},
        '{"a\\u0000": ["b\\u0000", {"c": "d\\ud83d\\u0000", "e\\u0000": [1, null]}]}',
    ],
)
def test_what_no_server_can_store_is_taken_out_of_metadata(given: object) -> None:
    """Of keys and values, at any depth: mem9 on PostgreSQL answers 500 to it for ever."""
    read = fields.json_object({"metadata": given}, "metadata")

    assert read == {"a": ["b", {"c": "d\ufffd", "e": [1, None]}]}


def test_a_version_that_is_no_number_is_refused_not_ignored() -> None:
    """Ignoring it would overwrite what the version was meant to protect."""
    assert fields.whole({"version": "3"}, "version") == 3
    assert fields.whole({"version": 3.0}, "version") == 3
    assert fields.whole({"version": ""}, "version") is None
    for given in ("latest", "1.7", 1.7, "1e-3", True, "inf", -1):
        with pytest.raises(InvalidRequest, match="whole number"):
            fields.whole({"version": given}, "version")
