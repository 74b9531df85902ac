"""Reading answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from mem9_async.client.encoding import encode
from mem9_async.client.wire import ErrorBody, ListBody, MemoryBody, StoreBody, parse, parse_list

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (66, 66),
        (66.5, 66.5),
        ("70", 70),
        ("0.5", 0.5),
        (" 7 ", 7),
        ("many", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        (True, None),
        (None, None),
        ([1], None),
        (10**400, None),
    ],
)
def test_numbers_are_read_from_numbers_and_texts(
    value: JsonValue, number: int | float | None
) -> None:
    """Whole ones stay whole; what is none counts as absent."""
    read = MemoryBody.model_validate({"confidence": value}).confidence

    assert read == number
    assert type(read) is type(number)


@given(st.dictionaries(st.sampled_from([*MemoryBody.model_fields, "new"]), JSON))
def test_no_memory_is_refused_for_a_field_of_the_wrong_type(body: dict[str, JsonValue]) -> None:
    """The field counts as absent."""
    assert parse(MemoryBody, encode(body)) is not None


@given(JSON)
def test_every_object_can_be_read_and_nothing_else(body: JsonValue) -> None:
    """For errors and for stores."""
    is_object = isinstance(body, dict)

    assert (parse(ErrorBody, encode(body)) is not None) == is_object
    assert (parse(StoreBody, encode(body)) is not None) == is_object


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"memories": [{"id": "a"}, {"id": "b"}], "total": 2}, 2),
        ({"memories": [{"id": "a"}, None, "odd", 5]}, 1),
        ({"memories": None}, 0),
        ({"memories": []}, 0),
        ({"total": 0}, 0),
        ({"message": "80% used"}, 0),
        ({}, 0),
    ],
)
def test_a_list_is_read_with_what_can_be_read(body: JsonValue, count: int) -> None:
    """Items that are no objects are passed over."""
    read = parse_list(encode(body))

    assert isinstance(read, ListBody)
    assert len(read.memories) == count


@pytest.mark.parametrize(
    "body",
    [
        {"ok": True},
        {"error": "no"},
        {"error": "no", "total": 0},
        {"memories": {}},
        {"memories": "none"},
        [],
        None,
        "text",
        5,
    ],
)
def test_finding_nothing_is_not_having_asked_the_wrong_server(body: JsonValue) -> None:
    """An object that is no list is no empty list."""
    assert parse_list(encode(body)) is None
