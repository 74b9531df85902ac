"""An answer as the lines that the daemon reads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mem9_async.models.memory import Memory, MemoryPage, SearchQuery, SearchResult
from mem9_async.tools import caller
from mem9_async.tools.answers import memories as memory_payload
from mem9_async.tools.answers import message_lines, search, store
from mem9_async.tools.answers.base import Answer
from tests.tools.fakes import call, receipt
from tests.tools.requests.test_store import job

ROOT = Path(__file__).parents[3]
SDK = """
import json, sys
import dify_plugin
from dify_plugin.core.entities.message import SessionMessage
from dify_plugin.core.server.__base.writer_entities import Event, StreamOutputMessage
from dify_plugin.entities.tool import ToolInvokeMessage
from dify_plugin.interfaces.tool import ToolLike

class Maker(ToolLike):
    response_type = ToolInvokeMessage

given = json.load(sys.stdin)
maker = Maker()
made = [maker.create_json_message(given["json"])]
made += [maker.create_variable_message(name, value) for name, value in given["variables"]]
out = ""
for message in made:
    data = SessionMessage(type=SessionMessage.Type.STREAM, data=message.model_dump())
    out += StreamOutputMessage(
        event=Event.SESSION, session_id="s\\"1", data=data.model_dump()
    ).model_dump_json() + "\\n\\n"
sys.stdout.write(out)
"""


def store_answer() -> Answer:
    """Return an ordinary answer."""
    return store.accepted(job({"content": "x"}), receipt())


def split(rendered: str) -> list[dict[str, Any]]:
    """Return the messages in *rendered*, checking its frame."""
    assert rendered.endswith("\n\n")
    texts = rendered.removesuffix("\n\n").split("\n\n")
    assert not any("\n" in text for text in texts)
    return [json.loads(text)["data"]["data"] for text in texts]


def test_the_bytes_are_those_the_sdk_would_write() -> None:
    """The daemon and Dify parse what the SDK sends; ours differs in nothing."""
    rendered = message_lines.render('s"1', store_answer())

    messages = split(rendered)
    given = {
        "json": messages[0]["message"]["json_object"],
        "variables": [
            (m["message"]["variable_name"], m["message"]["variable_value"]) for m in messages[1:]
        ],
    }
    ran = subprocess.run(
        [sys.executable, "-c", SDK],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    assert rendered == ran.stdout


def test_every_declared_name_is_a_variable_once() -> None:
    """Absent ones hold an empty value of their type."""
    messages = split(message_lines.render("s", store_answer()))

    names = [m["message"]["variable_name"] for m in messages if m["type"] == "variable"]
    values = {m["message"]["variable_name"]: m["message"]["variable_value"] for m in messages[1:]}
    assert names == list(store.StoreAnswer.variables)
    assert (values["error"], values["status"]) == ("", "accepted")
    assert values["retry"] == {
        "reason": "",
        "retryable": False,
        "after_s": 0,
        "suggested_queries": [],
    }


def huge(content: str, count: int) -> Answer:
    """Return a search's answer with *count* memories of *content*."""
    query = SearchQuery(space=caller.read(call()).space, caller_agent_id="dify", query="q")
    memories = tuple(Memory(id=f"m{n}", content=content, score=0.9) for n in range(count))
    return search.found(
        query, SearchResult(effective_query="q", memories=memories, available=count)
    )


@pytest.mark.parametrize("content", ["a" * 200_000, "记" * 100_000, '"\\\n' * 60_000])
def test_a_line_never_reaches_the_daemons_limit(content: str) -> None:
    """At 5 MiB the daemon ends the plugin with everybody's queue."""
    rendered = message_lines.render("s", huge(content, 20))

    assert max(len(line.encode()) for line in rendered.split("\n\n")) < 1_048_576
    payload = split(rendered)[0]["message"]["json_object"]
    assert payload["truncated"] is True
    assert len(payload["memories"]) == 20
    assert payload["memories"][0]["content"].endswith("… [cut]")
    assert payload["memories"][0]["id"] == "m0"


def test_deep_and_wide_metadata_is_cut_too() -> None:
    """Metadata is any JSON that somebody stored."""
    metadata: dict[str, object] = {f"k{n}": ["x" * 50] * 50 for n in range(50)}
    page = MemoryPage(
        memories=tuple(Memory(content="c", metadata=metadata) for _ in range(50)),
        total=50,
        limit=50,
        offset=0,
    )

    rendered = message_lines.render("s", memory_payload.listed(page))

    assert max(len(line.encode()) for line in rendered.split("\n\n")) < 1_048_576
    assert split(rendered)[0]["message"]["json_object"]["truncated"] is True


def test_an_answer_of_ordinary_size_is_not_touched() -> None:
    """Nothing is cut that fits."""
    payload = split(message_lines.render("s", huge("a" * 9_000, 20)))[0]["message"]["json_object"]

    assert "truncated" not in payload
    assert payload["memories"][0]["content"] == "a" * 9_000


def test_a_number_that_is_none_does_not_break_the_line() -> None:
    """JSON has no NaN: the daemon would drop the line and the caller would wait."""
    query = SearchQuery(space=caller.read(call()).space, caller_agent_id="dify", query="q")
    result = SearchResult(
        effective_query="q", memories=(Memory(content="c", score=float("nan")),), available=1
    )

    messages = split(message_lines.render("s", search.found(query, result)))

    assert messages[0]["message"]["json_object"]["memories"][0]["score"] is None
