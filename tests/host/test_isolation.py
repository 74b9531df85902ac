"""Isolation: who writes under which agent, and who is shown what."""

import pytest
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.devserver.server import DevServer
from tests.host.caller import Answer
from tests.host.conftest import Stage
from tests.host.process import credentials
from tests.host.scripted import Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Person:
    """Someone who calls: Dify's user, and the conversation it is in."""

    def __init__(self, host: PluginHost, keys: Answer, user: str, conversation: str) -> None:
        self._host = host
        self._keys = keys
        self._user = user
        self._conversation = conversation

    async def call(self, tool: str, **parameters: JsonValue) -> Answer:
        """Call a tool; the answer's JSON."""
        answer = await self._host.invoke(
            tool, parameters, self._keys, user_id=self._user, conversation_id=self._conversation
        )
        return answer.json

    async def found(self, query: str) -> list[JsonValue]:
        """The contents a search finds, on their way or not."""
        answer = await self.call("memory_search", query=query)
        assert answer["ok"] is True
        return [entry["content"] for entry in answer["memories"] + answer.get("pending", [])]


def agents_sent(stage: Stage, name: str) -> list[tuple[str, str | None, str | None]]:
    """Method, agent in the header, agent in body or query, of each request."""
    return [
        (
            asked.method,
            asked.headers.get("X-Mnemo-Agent-Id"),
            asked.json["agent_id"] if asked.body else asked.query.get("agent_id"),
        )
        for asked in stage.mem9.of_memories(name)
    ]


async def test_shared_memories_carry_the_configured_agent_and_reads_ask_for_no_other(
    stage: Stage,
) -> None:
    """As the original does; everyone sees everything."""
    keys = credentials(stage.mem9.base_url("shared"), "sk-shared", mem9_agent_id="support")
    for user in ("ann", "bob"):
        person = Person(stage.host, keys, user, f"conv-{user}")
        await person.call("memory_store", content=f"From {user}", wait=True)
        await person.call("memory_search", query="from")

    assert (
        agents_sent(stage, "shared")
        == [
            ("POST", "support", "support"),
            ("GET", "support", None),
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("isolation", "same", "other"),
    [
        ("per_user", ("ann", "conv-2"), ("bob", "conv-1")),
        ("per_conversation", ("bob", "conv-1"), ("ann", "conv-2")),
    ],
)
async def test_kept_apart_callers_write_and_read_under_an_agent_of_their_own(
    stage: Stage, isolation: str, same: tuple[str, str], other: tuple[str, str]
) -> None:
    """Sent on the store, asked for by the search; neither name appears in it."""
    keys = credentials(stage.mem9.base_url(isolation), "sk-apart", isolation=isolation)
    for who in (("ann", "conv-1"), same, other):
        person = Person(stage.host, keys, *who)
        stored = await person.call("memory_store", content=f"Fact of {who}", wait=True)
        assert stored["ok"] is True
        await person.call("memory_search", query="fact")
        await person.call("memory_list")

    sent = agents_sent(stage, isolation)
    for header, named in ((header, named) for _, header, named in sent):
        assert header == named
    first, second, third = (sent[3 * n : 3 * n + 3] for n in range(3))
    assert [method for method, _, _ in first] == ["POST", "GET", "GET"]
    assert first == second
    assert not {agent for _, agent, _ in first} & {agent for _, agent, _ in third}
    for agent in {str(agent) for _, agent, _ in sent}:
        assert agent.startswith("dify-")
        assert not any(name in agent for name in ("ann", "bob", "conv"))


@pytest.mark.parametrize("isolation", ["per_user", "per_conversation"])
async def test_kept_apart_callers_see_nothing_of_each_other(
    host: PluginHost, isolation: str
) -> None:
    """Neither on its way nor delivered; not by id, list, search, change or deletion."""
    async with DevServer(ingest_delay_s=3_600) as server:
        keys = credentials(server.base_url, server.key, isolation=isolation)
        ann = Person(host, keys, "ann", "conv-ann")
        bob = Person(host, keys, "bob", "conv-bob")
        await ann.call("memory_store", content="User likes jasmine tea", wait=True)
        assert await bob.found("jasmine tea") == []
        assert await ann.found("jasmine tea") == ["User likes jasmine tea"]

        server.ingest_now()
        listed = await ann.call("memory_list")
        (memory,) = listed["memories"]
        memory_id = str(memory["id"])
        assert await ann.found("jasmine tea") == ["User likes jasmine tea"]
        assert await bob.found("jasmine tea") == []
        assert (await bob.call("memory_list"))["memories"] == []
        for tool, more in (
            ("memory_get", {"memory_id": memory_id}),
            ("memory_update", {"memory_id": memory_id, "content": "User hates tea"}),
        ):
            answer = await bob.call(tool, **more)
            assert (answer["ok"], answer["code"]) == (False, "not_found")
        for memory_ids in (memory_id, "none"):
            answer = await bob.call("memory_delete", memory_ids=memory_ids)
            assert (answer["ok"], answer["deleted"]) == (True, 0)
        assert (await ann.call("memory_get", memory_id=memory_id))["ok"] is True


@pytest.mark.parametrize("isolation", ["per_user", "per_conversation"])
async def test_a_caller_without_a_name_is_refused_where_memories_are_kept_apart(
    stage: Stage, isolation: str
) -> None:
    """Guessing would mix people."""
    name = f"nobody-{isolation}"
    keys = credentials(stage.mem9.base_url(name), "sk-nobody", isolation=isolation)
    nobody = Person(stage.host, keys, "", "")
    for tool, more in (("memory_store", {"content": "x"}), ("memory_search", {"query": "x"})):
        answer = await nobody.call(tool, **more)
        assert (answer["ok"], answer["code"]) == (False, "isolation_unknown_caller")
    assert stage.mem9.asked[name] == []


async def test_the_queue_tells_a_kept_apart_caller_of_nobody_else(stage: Stage) -> None:
    """The counts are the whole space's; the jobs and what mem9 said of them are Ann's."""
    refusal = Reply.json(400, {"error": "content: Ann's secret is too long"})
    keys = credentials(stage.mem9.base_url("queue", refusal), "sk-queue", isolation="per_user")
    ann = Person(stage.host, keys, "ann", "conv-ann")
    bob = Person(stage.host, keys, "bob", "conv-bob")
    dead = await ann.call("memory_store", content="From Ann", session_id="s-ann", wait=True)
    assert dead["status"] == "dead"

    for seen in (
        await bob.call("memory_queue"),
        await bob.call("memory_queue", job_id=dead["job_id"]),
        await bob.call("memory_store", content="From Bob"),
    ):
        assert seen["ok"] is True
        assert "secret" not in str(seen)
        assert "s-ann" not in str(seen)
        assert "last_errors" not in seen
    assert (await bob.call("memory_queue"))["counts"]["dead"] >= 1
    refused = await bob.call("memory_queue", action="retry_dead")
    assert (refused["ok"], refused["code"]) == (False, "job_id_required")
    own = await ann.call("memory_queue", action="retry_dead", job_id=dead["job_id"])
    assert own["affected"] == 1
