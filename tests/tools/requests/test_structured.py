"""Lists and objects in the forms in which workflows and models write them."""

import json
from typing import Any

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools.call import Call
from mem9_async.tools.requests import fields, structured
from mem9_async.tools.requests.store import new_job

TURN = [
    {"role": "user", "content": 'It\'s "tea", not coffee\nand 你好'},
    {"role": "assistant", "content": "Noted"},
]


def _stored(messages: object) -> list[tuple[str, str]]:
    call = Call(
        parameters={"messages": messages},
        credentials={"mem9_api_key": "k"},
        user_id="u",
    )
    return [
        (message.role, message.content)
        for message in new_job(call, max_bytes=48 * 1024).payload.messages  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize(
    "given",
    [
        TURN,
        json.dumps(TURN),
        str(TURN),
        repr(tuple(TURN)),
        f"```json\n{json.dumps(TURN)}\n```",
        f"```python\n{TURN!r}\n```",
        f"```\n{json.dumps(TURN, indent=2)}\n```\n",
        json.dumps(json.dumps(TURN)),
        json.dumps(json.dumps(json.dumps(TURN))),
        repr(json.dumps(TURN)),
        json.dumps({"messages": TURN}),
        str({"messages": TURN}),
        {"messages": TURN},
        "\ufeff" + json.dumps(TURN),
        str([{**TURN[0], "files": [], "seen": True, "parent": None}, TURN[1]]),
    ],
    ids=range(15),
)
def test_a_turn_arrives_whatever_it_is_written_as(given: object) -> None:
    """An array variable, a template, a code node, a model."""
    assert _stored(given) == [(each["role"], each["content"]) for each in TURN]


@pytest.mark.parametrize(
    "given",
    [["a", "b c"], '["a", "b c"]', "['a', 'b c']", "```\n['a', 'b c']\n```",
     '"[\\"a\\", \\"b c\\"]"',
     "{'tags': ['a', 'b c']}", '{"tags": ["a", "b c"]}', "a, b c"],
)  # fmt: skip
def test_tags_too(given: object) -> None:
    """Beside the texts parted by commas."""
    assert fields.items({"tags": given}, "tags") == ("a", "b c")


@pytest.mark.parametrize(
    "given",
    ["{'a': [1, None, True]}", '"{\\"a\\": [1, null, true]}"', "```{'a': [1,None,True]}```"],
)
def test_metadata_too(given: object) -> None:
    """Python's words for true and nothing are read as JSON's."""
    assert fields.json_object({"metadata": given}, "metadata") == {"a": [1, None, True]}


@pytest.mark.parametrize("given", ["None", "[]", "{}", "null", "", " "])
def test_what_was_not_set_is_blank(given: str) -> None:
    """Also as Python writes it."""
    assert fields.blank({"messages": given}, "messages")


@pytest.mark.parametrize(
    "given",
    [
        "[__import__('os')]",
        "[open('x')]",
        "[1 if True else 2]",
        "[{'role': 'user', 'content': 'x'",
        "[{'role': 'user', 'content': b'x'}]",
        "[{1, 2}]",
        "[{1: 2}]",
        "[...]",
        "[1e999]",
        "[1j]",
        "[" * 5_000,
        "[" * 100_000 + "]" * 100_000,
        "[" + "-" * 100_000 + "1]",
        "(" * 3_000 + ")" * 3_000,
        "['" + "x" * 600_000 + "']",
        "lambda: 1",
        '"""' * 3,
    ],
    ids=range(17),
)
def test_anything_else_is_refused_with_the_form_wanted(given: str) -> None:
    """Nothing of it is run, and its size cannot hurt."""
    with pytest.raises(InvalidRequest) as refused:
        structured.value(given, "messages")

    assert refused.value.code == "messages_invalid"
    assert structured.FORMS["messages"] in refused.value.message


@pytest.mark.parametrize("given", ["['hello', 'there']", '{"role": "user", "content": "x"}', "7"])
def test_a_list_of_another_kind_is_refused_with_the_form_wanted(given: Any) -> None:
    """An array of texts, one message alone, a number."""
    with pytest.raises(InvalidRequest) as refused:
        _stored(given)

    assert structured.FORMS["messages"] in refused.value.message
