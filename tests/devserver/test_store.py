"""POST memories: what is refused, in which order and words, and what is kept."""

import dataclasses
from typing import Any

import pytest

from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller

HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"content": "a", "messages": HI, "memory_type": "pinned"},
            "body: provide either content or messages, not both",
        ),
        (
            {"messages": HI, "memory_type": "pinned"},
            "memory_type: memory_type is only allowed with content, not messages",
        ),
        ({}, "content: content or messages required"),
        ({"content": "  ", "messages": []}, "content: content or messages required"),
        ({"content": "a", "mode": "raw"}, "body: content mode does not accept mode"),
        (
            {"content": "a", "memory_type": "insight"},
            'memory_type: unsupported value "insight"; only "pinned" is supported'
            " on the explicit content path",
        ),
        (
            {"content": "a" * 50_001, "sync": True},
            "content: too long (max 50000)",
        ),
        ({"content": "a", "tags": ["t"] * 21, "sync": True}, "tags: too many (max 20)"),
        (
            {"content": "é" * 25_001, "memory_type": "pinned"},
            "memories[0].content: too long (max 50000)",
        ),
        (
            {"content": "a", "tags": ["t"] * 21, "memory_type": "pinned"},
            "memories[0].tags: too many (max 20)",
        ),
    ],
)
async def test_the_first_failing_check_names_the_refusal(
    api: Caller, server: DevServer, body: dict[str, Any], error: str
) -> None:
    """The order and the words are mem9's."""
    answer = await api.store(**body)

    assert (answer.status, answer.error) == (400, error)
    assert server.memories == ()


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "invalid JSON: EOF"),
        (b" \n", "invalid JSON: EOF"),
        (b'{"content": "a', "invalid JSON: unexpected EOF"),
        (b"[" * 200_000, "invalid JSON: exceeded max depth"),
        (b"nonsense", "invalid JSON: invalid character 'o' in literal null (expecting 'u')"),
        (b"xyz", "invalid JSON: invalid character 'x' looking for beginning of value"),
        (
            b'{"tags": "x"}',
            "invalid JSON: json: cannot unmarshal string into Go struct field"
            " createMemoryRequest.tags of type []string",
        ),
        (
            b'{"messages": [{"role": "user", "content": "x", "seq": 1.5}]}',
            "invalid JSON: json: cannot unmarshal number 1.5 into Go struct field"
            " IngestMessage.messages.seq of type int",
        ),
        (
            b"[]",
            "invalid JSON: json: cannot unmarshal array into Go value"
            " of type handler.createMemoryRequest",
        ),
    ],
)
async def test_a_body_of_another_shape_is_invalid_json(api: Caller, raw: bytes, error: str) -> None:
    """Without a field in front; the server lives on."""
    answer = await api.ask("POST", "memories", raw=raw)

    assert (answer.status, answer.error) == (400, error)
    assert (await api.find()).status == 200


async def test_json_is_read_as_leniently_as_the_server_reads_it(api: Caller) -> None:
    """Keys in any case, unknown keys, nulls, trailing bytes, broken characters: all fine."""
    raw = b'{"CONTENT": "kept \\ud83d \xff", "tags": null, "unheardOf": 1, "Sync": true} and so on'

    assert (await api.ask("POST", "memories", raw=raw)).body == {"status": "ok"}
    assert (await api.find()).contents == ["kept \ufffd \ufffd"]


async def test_the_key_is_judged_before_the_body(api: Caller) -> None:
    """Rubbish from a stranger is about the key."""
    answer = await dataclasses.replace(api, key="nobody").ask("POST", "memories", raw=b"rubbish")

    assert answer.error == "invalid API key"


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ({"content": "a fact"}, 202, {"status": "accepted"}),
        ({"content": "a fact", "sync": True}, 200, {"status": "ok"}),
        ({"messages": HI}, 202, {"status": "accepted"}),
        ({"messages": HI, "sync": True}, 200, {"status": "ok"}),
        ({"messages": HI, "mode": "anything", "tags": ["x"]}, 202, {"status": "accepted"}),
    ],
)
async def test_a_store_answers_with_a_status_and_no_id(
    api: Caller, body: dict[str, Any], status: int, answer: dict[str, str]
) -> None:
    """202 when it is done later, 200 when it is done."""
    got = await api.store(**body)

    assert (got.status, got.body) == (status, answer)


async def test_pinned_answers_201_with_the_memory_and_drops_agent_and_session(
    api: Caller,
) -> None:
    """Verbatim and at once, whatever `sync` says; the agent survives as the source."""
    agent = dataclasses.replace(api, agent="alpha")
    answer = await agent.store(
        content="Deploys happen on Tuesdays.",
        memory_type="pinned",
        session_id="s1",
        tags=["ops"],
        metadata={"by": 1},
    )
    (listed,) = (await api.find()).body["memories"]

    assert answer.status == 201
    assert answer.body | {"created_at": "", "updated_at": ""} == {
        "id": listed["id"],
        "content": "Deploys happen on Tuesdays.",
        "memory_type": "pinned",
        "state": "active",
        "version": 1,
        "source": "alpha",
        "updated_by": "alpha",
        "tags": ["ops"],
        "metadata": {"by": 1},
        "created_at": "",
        "updated_at": "",
    }


async def test_content_without_a_model_is_kept_verbatim_every_time(
    bare_api: Caller, bare: DevServer
) -> None:
    """With its agent and tags. No session, no merging: the same text twice is two memories."""
    agent = dataclasses.replace(bare_api, agent="alpha")
    for _ in range(2):
        await agent.store(content=" Tea, no sugar. ", tags=["t"], session_id="s1", sync=True)

    first, second = bare.memories
    assert first.id != second.id
    assert (first.content, first.memory_type, first.agent_id, first.source) == (
        " Tea, no sugar. ",
        "insight",
        "alpha",
        "alpha",
    )
    assert (first.tags, first.session_id) == (("t",), "")


async def test_content_goes_through_the_model_where_there_is_one(
    api: Caller, server: DevServer
) -> None:
    """Its facts are compared with what is known; tags and metadata of the call are theirs."""
    for _ in range(2):
        await api.store(content=" Tea, no sugar. ", tags=["t"], metadata={"a": 1}, sync=True)
    await api.store(content="Do I take sugar?", sync=True)

    (only,) = server.memories
    assert (only.content, only.tags, only.metadata) == ("Tea, no sugar.", ("t",), {"a": 1})


async def test_an_async_content_that_is_too_long_is_accepted_and_lost(
    api: Caller, server: DevServer
) -> None:
    """The caller learns nothing, as with the real server."""
    assert (await api.store(content="a" * 50_001)).status == 202
    server.ingest_now()

    assert server.memories == ()


async def test_what_a_user_states_becomes_a_fact(api: Caller, server: DevServer) -> None:
    """Questions and other roles do not; the body's agent is the fact's, the header's its source."""
    agent = dataclasses.replace(api, agent="header")
    await agent.store(
        messages=[
            {"role": "user", "content": "  I keep bees. "},
            {"role": "assistant", "content": "How many?"},
            {"role": "user", "content": "Two hives."},
            {"role": "user", "content": "Is that many?"},
            {"role": "user", "content": " "},
        ],
        session_id="s1",
        agent_id="body",
        sync=True,
    )

    assert [memory.content for memory in server.memories] == ["I keep bees.", "Two hives."]
    for memory in server.memories:
        assert (memory.agent_id, memory.source, memory.session_id) == ("body", "header", "s1")
        assert (memory.memory_type, memory.tags, memory.metadata) == ("insight", ("noted",), None)


async def test_a_blank_line_and_a_word_begin_another_speaker(
    api: Caller, server: DevServer
) -> None:
    """The model reads one text; what seems to be somebody else's is not the user's.

    One without any speaker is taken for the user's.
    """
    await api.store(messages=[{"content": "Nobody's."}], sync=True)
    await api.say("My plan for today:\n\nNote: buy milk", "Later\n\nuser: I row.", sync=True)

    assert [m.content for m in server.memories] == [
        ": Nobody's.",
        "My plan for today:",
        "Later",
        "I row.",
    ]


async def test_only_the_first_fifty_facts_of_a_request_are_kept(
    api: Caller, server: DevServer
) -> None:
    """The rest is lost without a word."""
    await api.say(*(f"Fact number {n}." for n in range(60)), sync=True)

    assert [m.content for m in server.memories] == [f"Fact number {n}." for n in range(50)]


async def test_an_equal_active_fact_of_the_same_agent_is_not_added_twice(
    api: Caller, server: DevServer
) -> None:
    """Another agent's is, and so is one whose equal was deleted."""
    alpha, beta = (dataclasses.replace(api, agent=name) for name in ("alpha", "beta"))
    await alpha.say("I live in Porto.", sync=True)
    await alpha.say("I live in Porto.", session_id="s2", sync=True)
    assert len(server.memories) == 1
    await beta.say("I live in Porto.", sync=True)
    assert len(server.memories) == 2
    await api.ask("DELETE", f"memories/{server.memories[0].id}")
    await alpha.say("I live in Porto.", sync=True)

    assert [memory.state for memory in server.memories] == ["deleted", "active", "active"]


async def test_without_a_model_messages_are_raw_rows_only(
    bare_api: Caller, bare: DevServer
) -> None:
    """200 ok, and no fact."""
    assert (await bare_api.say("I keep bees.", sync=True)).body == {"status": "ok"}
    raw = await bare_api.ask("GET", "session-messages", params={"session_id": "s1"})

    assert bare.memories == ()
    assert [message["content"] for message in raw.body["messages"]] == ["I keep bees."]


async def test_injected_memories_are_stripped_before_anything_is_kept(
    api: Caller, server: DevServer
) -> None:
    """What was recalled is not stored again."""
    await api.say(
        "<relevant-memories>\nold\n</relevant-memories>\nNew <relevant-memories>x"
        "</relevant-memories>fact.",
        "<relevant-memories>only old</relevant-memories>",
        sync=True,
    )

    assert [memory.content for memory in server.memories] == ["New fact."]


async def test_a_closing_tag_before_an_opening_one_does_no_harm(
    api: Caller, server: DevServer
) -> None:
    """The input on which the real server's loop never ends is one pass here.

    What follows an opening tag that is never closed is cut off.
    """
    poison = "a</relevant-memories>b<relevant-memories>c"
    await api.say(poison, "<relevant-memories>" * 50_000, sync=True)

    assert [m.content for m in server.memories] == ["a</relevant-memories>b"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content": "a", "agent_id": "x" * 101, "sync": True}, 200),
        ({"content": "a", "agent_id": "x" * 101, "memory_type": "pinned"}, 500),
        ({"content": "a", "agent_id": "x" * 101}, 202),
        ({"messages": HI, "agent_id": "x" * 101, "sync": True}, 200),
        ({"messages": HI, "session_id": "x" * 101, "sync": True}, 200),
    ],
)
async def test_an_overlong_id_fails_or_loses_the_item(
    api: Caller, server: DevServer, body: dict[str, Any], status: int
) -> None:
    """500 where the caller waits for a row, silence elsewhere; never a memory."""
    answer = await api.store(**body)
    server.ingest_now()

    assert answer.status == status
    assert server.memories == ()


async def test_numbered_messages_leave_their_provenance(api: Caller, server: DevServer) -> None:
    """The fact carries the number and the raw text."""
    await api.store(messages=[{"role": "user", "content": "I row.", "seq": 7}], sync=True)

    assert server.memories[0].metadata == {
        "source_seqs": [7],
        "source_turns": [{"seq": 7, "content": "I row."}],
    }


async def test_accepted_stores_are_ingested_in_order_and_before_the_next_read(
    api: Caller,
) -> None:
    """A search asked after the 202 finds the fact."""
    for n in range(30):
        await api.say(f"Step {n}.")

    assert (await api.find(limit=200)).contents == [f"Step {n}." for n in reversed(range(30))]


async def test_a_delay_keeps_accepted_stores_out_of_sight(api: Caller) -> None:
    """They are there when their time has come, or the server closes."""
    server = DevServer(ingest_delay_s=3600)
    async with server:
        later = dataclasses.replace(api, base_url=server.base_url, key=server.key)
        await later.say("Not yet.")
        assert (await later.find()).body["total"] == 0
        assert server.waiting == 1
        server.ingest_now()

        assert (await later.find()).contents == ["Not yet."]
