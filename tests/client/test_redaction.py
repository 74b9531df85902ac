"""No key comes back to anybody, however a server writes it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.client.redaction import MARK, without_key

KEY = 'sk-"canary"/\\é😀'
_OF_A_HEADER = st.characters(exclude_categories=["Cc", "Cs"])
LINK = "https://console.mem9.example/claim?key=sk-canary-key"


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        json.dumps(KEY)[1:-1],
        json.dumps(KEY, ensure_ascii=False)[1:-1],
        json.dumps(KEY)[1:-1].replace("/", "\\/"),
        "".join(f"\\u{unit:04X}" for unit in [ord(char) for char in 'sk-"canary"/\\é'])
        + "\\uD83D\\uDE00",
    ],
)
def test_a_key_is_blanked_in_every_spelling(written: str) -> None:
    """JSON may escape any of its characters."""
    assert without_key(f"no: {written}!", KEY) == f"no: {MARK}!"


def test_a_link_to_open_stays_as_it_is() -> None:
    """A person needs it whole; the key beside it goes all the same."""
    told = f"key sk-canary-key is out, see {LINK}."

    assert without_key(told, "sk-canary-key", keep=LINK) == f"key {MARK} is out, see {LINK}."


def test_what_is_too_short_for_a_key_is_left_alone() -> None:
    """It would garble the text."""
    assert without_key("a ban on bananas", "an") == "a ban on bananas"


@given(st.text(_OF_A_HEADER, min_size=6), st.text(), st.text(), st.booleans())
def test_any_key_in_any_json_is_blanked(key: str, before: str, after: str, escape: bool) -> None:
    """A key goes into a header, so it holds no control characters."""
    escaped = json.dumps(before + key + after, ensure_ascii=escape)

    assert MARK in without_key(escaped, key)
