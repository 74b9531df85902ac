"""Bad input is answered with a clear refusal; nothing is asked of mem9, and nothing is lost."""

import re
from itertools import count

import pytest
from pydantic import JsonValue

from mem9_async.cli.answers import PluginRefused
from tests.host.caller import Answer
from tests.host.conftest import Stage
from tests.host.process import credentials, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-bad-input"
LIMIT_BYTES = 48 * 1024
_NUMBERS = count()


class Setting:
    """A mem9 of its own for one test."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self.keys = credentials(stage.mem9.base_url(name), KEY)

    async def call(self, tool: str, parameters: Answer, **keys: JsonValue) -> Answer:
        """The answer's JSON."""
        return (await self.stage.host.invoke(tool, parameters, {**self.keys, **keys})).json

    async def refused(self, tool: str, parameters: Answer, code: str, **keys: JsonValue) -> Answer:
        """The refusal: it says why, nothing was asked, and the next good call works."""
        answer = await self.call(tool, parameters, **keys)
        assert (answer["ok"], answer["code"]) == (False, code)
        assert str(answer["error"]).strip()
        assert KEY not in str(answer)
        assert self.stage.mem9.asked[self.name] == []
        await self.works()
        return answer

    async def works(self) -> None:
        """The process is alive, holds nothing for this space, and delivers."""
        assert self.stage.host.alive
        good = {"content": "User likes tea", "wait": True}
        assert (await self.call("memory_store", good))["ok"] is True
        assert (await self.call("memory_queue", {}))["depth"] == 0

    async def emptied(self) -> None:
        """Wait until all that was taken is delivered."""
        await until(lambda: self.call("memory_queue", {}), lambda answer: answer["depth"] == 0)


@pytest.fixture
def setting(stage: Stage, request: pytest.FixtureRequest) -> Setting:
    """A mem9 named after the test."""
    return Setting(stage, re.sub(r"[^a-z0-9]+", "-", request.node.nodeid) + str(next(_NUMBERS)))


async def test_a_store_without_content_is_refused(setting: Setting) -> None:
    """Nothing to remember."""
    await setting.refused("memory_store", {}, "content_required")


@pytest.mark.parametrize(
    "content", ["", "  \n\t ", None, "<relevant-memories>x</relevant-memories>"]
)
async def test_a_store_with_blank_content_is_refused(setting: Setting, content: JsonValue) -> None:
    """Also when only recalled memories stand in it."""
    await setting.refused("memory_store", {"content": content}, "content_required")


async def test_content_over_the_limit_is_refused_and_at_the_limit_taken(setting: Setting) -> None:
    """In bytes, not characters."""
    await setting.refused(
        "memory_store", {"content": "é" * (LIMIT_BYTES // 2) + "x"}, "content_too_large"
    )
    whole = "é" * (LIMIT_BYTES // 2)
    answer = await setting.call("memory_store", {"content": whole, "wait": True})
    assert answer["ok"] is True
    assert whole in setting.stage.mem9.of_memories(setting.name)[-1].body.decode()


@pytest.mark.parametrize("tool", ["memory_store", "memory_search", "memory_list"])
async def test_a_session_id_over_a_hundred_characters_is_refused(
    setting: Setting, tool: str
) -> None:
    """mem9 would lose the memory without a word."""
    parameters: Answer = {"content": "x", "query": "x", "session_id": "s" * 101}
    await setting.refused(tool, parameters, "session_id_too_long")
    answer = await setting.call(tool, {**parameters, "session_id": "会" * 100})
    assert answer["ok"] is True


@pytest.mark.parametrize("tool", ["memory_store", "memory_search"])
@pytest.mark.parametrize("key", ["", "  ", None])
async def test_single_space_without_a_key_is_refused(
    setting: Setting, tool: str, key: JsonValue
) -> None:
    """With the name of the other mode."""
    answer = await setting.refused(
        tool, {"content": "x", "query": "x"}, "missing_api_key", mem9_api_key=key
    )
    assert "multi_space" in str(answer["error"])


@pytest.mark.parametrize("tool", ["memory_store", "memory_search"])
async def test_multi_space_without_a_key_is_refused(setting: Setting, tool: str) -> None:
    """With the name of the other mode."""
    answer = await setting.refused(
        tool, {"content": "x", "query": "x"}, "missing_api_key", auth_mode="multi_space"
    )
    assert "single_space" in str(answer["error"])


@pytest.mark.parametrize(
    "url",
    ["mem9", "ftp://mem9.example", "http://", "http://a b", "http://user:secret@mem9.example"],
)
async def test_a_base_url_that_is_no_url_is_refused(setting: Setting, url: str) -> None:
    """By store, search and the credentials' check alike; the address itself is not repeated."""
    for tool in ("memory_store", "memory_search"):
        parameters: Answer = {"content": "x", "query": "x"}
        answer = await setting.call(tool, parameters, mem9_base_url=url)
        assert (answer["ok"], answer["code"]) == (False, "invalid_base_url")
        assert "secret" not in str(answer)
    with pytest.raises(PluginRefused) as refused:
        await setting.stage.host.validate({**setting.keys, "mem9_base_url": url})
    assert refused.value.error_type == "ToolProviderCredentialValidationError"
    assert "secret" not in refused.value.message
    await setting.works()


async def test_trailing_slashes_of_the_base_url_are_dropped(setting: Setting) -> None:
    """As the original does."""
    url = f"{setting.keys['mem9_base_url']}//"
    answer = await setting.call("memory_search", {"query": "x"}, mem9_base_url=url)
    assert answer["ok"] is True
    (asked,) = setting.stage.mem9.of_memories(setting.name)
    assert asked.path == "/v1alpha2/mem9s/memories"


@pytest.mark.parametrize(("limit", "asked"), [("abc", "30"), (0, "3"), (500, "60"), (-1, "3")])
async def test_a_limit_out_of_range_is_clamped_and_no_number_means_the_default(
    setting: Setting, limit: JsonValue, asked: str
) -> None:
    """Never a refusal: the original does the same."""
    answer = await setting.call("memory_search", {"query": "x", "limit": limit})
    assert answer["ok"] is True
    (request,) = setting.stage.mem9.of_memories(setting.name)
    assert request.query["limit"] == asked


async def test_a_search_without_a_query_is_refused(setting: Setting) -> None:
    """Nothing to look for; the shape of an answer with no finding is kept."""
    answer = await setting.refused("memory_search", {}, "query_required")
    assert (answer["memories"], answer["total"]) == ([], 0)


@pytest.mark.parametrize(
    ("tool", "parameters", "code"),
    [
        ("memory_store", {"content": "x", "messages": "[]", "tags": "a"}, "pinned_required"),
        ("memory_store", {"messages": "not json"}, "messages_invalid"),
        ("memory_store", {"messages": '[{"role":"assistant","content":"x"}]'}, "messages_invalid"),
        ("memory_store", {"content": "x", "messages": '[{"role":"user","content":"y"}]'},
         "content_and_messages"),
        ("memory_store", {"pinned": True, "messages": '[{"role":"user","content":"y"}]'},
         "pinned_messages"),
        ("memory_search", {"query": "x" * 4_001}, "query_too_long"),
        ("memory_search", {"query": "x", "memory_type": "dream"}, "memory_type_invalid"),
        ("memory_get", {}, "memory_id_required"),
        ("memory_get", {"memory_id": "../x"}, "memory_id_invalid"),
        ("memory_update", {"memory_id": "m1"}, "change_required"),
        ("memory_delete", {}, "memory_ids_required"),
        ("memory_queue", {"action": "explode"}, "action_invalid"),
    ],
)  # fmt: skip
async def test_parameters_that_cannot_be_carried_out_are_refused_with_a_code(
    setting: Setting, tool: str, parameters: Answer, code: str
) -> None:
    """Rather than ignored."""
    await setting.refused(tool, parameters, code)


async def test_odd_values_never_end_the_process(setting: Setting) -> None:
    """Wrong types, control characters, huge numbers: an answer each time."""
    odd: list[JsonValue] = [7, True, [], {}, [{}], "\x00\x07", "\u202e" * 50, 1e308, "9" * 5_000]
    for value in odd:
        for tool, name in (
            ("memory_store", "content"),
            ("memory_search", "query"),
            ("memory_store", "messages"),
            ("memory_list", "limit"),
        ):
            answer = await setting.call(tool, {name: value})
            assert isinstance(answer["ok"], bool)
    await setting.emptied()
    assert setting.stage.host.errors == []


@pytest.mark.parametrize(
    "messages",
    [
        "[" * 100_000,
        '[{"role":"user","content":NaN}]',
        '{"role":"user"}',
        '[{"role":"user","content":"x"}, 7]',
        '[{"role":"' + "r" * 21 + '","content":"x"}]',
        "[{}]",
    ],
    ids=["deep", "nan", "object", "number", "long-role", "empty-entry"],
)
async def test_messages_that_cannot_be_read_are_refused(setting: Setting, messages: str) -> None:
    """And never end in the queue."""
    await setting.refused("memory_store", {"messages": messages}, "messages_invalid")
