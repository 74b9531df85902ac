"""One bad value costs that value, never the answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.client.decoding import json_object
from mem9_async.client.wire import parse_list

_ROW = b'{"memories":[{"id":"m1","content":"User likes tea",%s},{"id":"m2","content":"x"}]}'


@pytest.mark.parametrize("name", [b"score", b"confidence", b"version"])
@pytest.mark.parametrize(
    "number",
    [b"1e999", b"-1e999", b"NaN", b"Infinity", b"-Infinity", b"9" * 400, b"-" + b"9" * 400,
     b"9" * 5_000, b'"1e999"', b'"' + b"9" * 400 + b'"'],
    ids=range(10),
)  # fmt: skip
def test_a_memory_is_read_without_a_figure_that_is_beyond_a_float(
    name: bytes, number: bytes
) -> None:
    """Its neighbour, too, and what becomes of it can be written as JSON."""
    read = parse_list(_ROW % (b'"%s":%s' % (name, number)))

    assert read is not None
    first, second = read.memories
    assert (first.content, second.content) == ("User likes tea", "x")
    assert getattr(first, name.decode()) is None
    json.dumps(first.model_dump(), allow_nan=False)


def test_numbers_in_metadata_too() -> None:
    """At any depth."""
    read = parse_list(_ROW % b'"metadata":{"a":[1e999,{"b":-1e999,"c":1.5}],"d":%s}' % (b"9" * 400))

    assert read is not None
    assert read.memories[0].metadata == {"a": [None, {"b": None, "c": 1.5}], "d": None}


def test_halves_of_characters_bad_bytes_and_nul_are_mended() -> None:
    """U+FFFD for what is broken, nothing for U+0000."""
    body = b'{"memories":[{"id":"m1","content":"a\\ud83db\xffc\\u0000d\\ud83d\\ude00"}]}'

    read = parse_list(body)

    assert read is not None
    assert read.memories[0].content == "a\ufffdb\ufffdcd\U0001f600"


def test_nul_alone_is_taken_out() -> None:
    """Of keys, too."""
    assert json_object(b'{"a\\u0000":["b\\u0000c"]}') == {"a": ["bc"]}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a":', b"[" * 100_000, b"\xff"])
def test_what_is_no_object_stays_none(body: bytes) -> None:
    """However far the mending goes."""
    with pytest.raises(ValueError, match=r"."):
        json_object(body)


@given(st.binary(max_size=200))
def test_nothing_else_is_raised(body: bytes) -> None:
    """Whatever a server sends."""
    try:
        read = json_object(body)
    except ValueError:
        return
    json.dumps(read).encode()
