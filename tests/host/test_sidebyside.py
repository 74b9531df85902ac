"""The comparison of answers finds what is missing, wrong or too much."""

import pytest
from pydantic import JsonValue

from tests.host.sidebyside import differences

_LINK = "https://mem9.example/claim?a=1&b=2"
_SAYS: JsonValue = {"a sentence about": "saving", "links": [_LINK]}


@pytest.mark.parametrize(
    ("wanted", "ours"),
    [
        ({"ok": True}, {}),
        ({"ok": True}, {"ok": 1}),
        ({"ok": True}, None),
        ({"total": 1}, {"total": 2}),
        ({"memories": []}, {"memories": [{}]}),
        ({"memories": [{"content": "a"}]}, {"memories": [{"content": "b"}]}),
        ({}, {"message": "unasked for"}),
        (_SAYS, ""),
        (_SAYS, f"Recall is paused: {_LINK}"),
        (_SAYS, "Saving is paused."),
        (_SAYS, f"Saving is paused: {_LINK} or {_LINK}"),
        (_SAYS, f"Saving is paused: {_LINK}&c=3"),
    ],
)
def test_a_difference_is_found(wanted: JsonValue, ours: JsonValue) -> None:
    """Whatever its kind."""
    assert differences(wanted, ours)


@pytest.mark.parametrize(
    ("wanted", "ours"),
    [
        ({"ok": True}, {"ok": True, "job_id": "1"}),
        ({"memories": [{"content": "a"}]}, {"memories": [{"content": "a", "id": "m"}]}),
        (_SAYS, f"Saving is paused: {_LINK}."),
    ],
)
def test_more_than_the_original_said_is_no_difference(wanted: JsonValue, ours: JsonValue) -> None:
    """Ours may add fields, and words."""
    assert differences(wanted, ours) == []
