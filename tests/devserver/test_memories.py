"""Lists, single memories, changes, deletions, raw messages."""

import dataclasses
from typing import Any

import pytest

from mem9_async.devserver.memory import relative_age, timestamp_ns
from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller
from tests.devserver.conftest import Clock


async def _one(api: Caller, content: str = "tea", **more: Any) -> dict[str, Any]:
    await api.store(content=content, sync=True, **more)
    memory: dict[str, Any] = (await api.find(limit=1)).body["memories"][0]
    return memory


async def test_a_list_is_newest_change_first_with_its_real_total(api: Caller, clock: Clock) -> None:
    """Age in words, no confidence, no score."""
    for content in ("first", "second", "third"):
        await api.store(content=content, sync=True)
        clock.advance(3600)
    answer = await api.find(limit=2)

    assert answer.contents == ["third", "second"]
    assert answer.body["total"] == 3
    assert [m["relative_age"] for m in answer.body["memories"]] == ["1 hour ago", "2 hours ago"]
    assert all("confidence" not in m and "score" not in m for m in answer.body["memories"])
    assert (await api.find(limit=2, offset=2)).contents == ["first"]


@pytest.mark.parametrize(
    ("params", "limit", "offset"),
    [
        ({}, 10, 0),
        ({"limit": "200", "offset": "7"}, 200, 7),
        ({"limit": "201"}, 10, 0),
        ({"limit": "0"}, 10, 0),
        ({"limit": "-3", "offset": "-3"}, 10, 0),
        ({"limit": "many", "offset": "far"}, 10, 0),
        ({"limit": "1.5"}, 10, 0),
    ],
)
async def test_odd_numbers_become_the_defaults(
    api: Caller, params: dict[str, str], limit: int, offset: int
) -> None:
    """Too much is ten, not two hundred; the answer says what was used."""
    body = (await api.find(**params)).body

    assert (body["limit"], body["offset"]) == (limit, offset)


async def test_filters_of_a_list(api: Caller) -> None:
    """Session and source are exact here; raw messages show when they are asked for."""
    alpha = dataclasses.replace(api, agent="alpha")
    await alpha.say("said", session_id="s1", sync=True)
    await api.store(content="tagged", tags=["a", "b"], sync=True)
    await api.store(content="pinned", memory_type="pinned")

    for params, contents in (
        ({"session_id": "s1"}, ["said"]),
        ({"source": "alpha"}, ["said"]),
        ({"agent_id": "alpha"}, ["said"]),
        ({"agent_id": "beta"}, []),
        ({"tags": "a,b"}, ["tagged"]),
        ({"tags": "a,z"}, []),
        ({"memory_type": "pinned"}, ["pinned"]),
        ({"memory_type": "pinned,insight"}, ["pinned", "tagged", "said"]),
        ({"memory_type": "session"}, ["said"]),
        ({"state": "deleted"}, []),
    ):
        answer = await api.find(**params)
        assert answer.contents == contents, params
        assert answer.body["total"] == len(contents)


async def test_get_returns_active_memories_only_and_no_etag(api: Caller) -> None:
    """A deleted one is as unknown as one that never was."""
    memory = await _one(api)
    answer = await api.ask("GET", f"memories/{memory['id']}")
    assert (answer.status, answer.body["content"]) == (200, "tea")
    assert "ETag" not in answer.headers
    assert not {"relative_age", "confidence"} & set(answer.body)
    await api.ask("DELETE", f"memories/{memory['id']}")

    for memory_id in (memory["id"], "nothing"):
        answer = await api.ask("GET", f"memories/{memory_id}")
        assert (answer.status, answer.error) == (404, "not found")


async def test_put_raises_the_version_by_one_and_says_it_bare(api: Caller, clock: Clock) -> None:
    """The change is searchable; the writer is noted; the time moves."""
    memory = await _one(api, "green tea", tags=["a"], metadata={"k": 1})
    clock.advance(60)
    answer = await dataclasses.replace(api, agent="editor").ask(
        "PUT", f"memories/{memory['id']}", {"content": "black coffee"}
    )

    assert (answer.status, answer.headers["ETag"]) == (200, "3")  # 2 since its tags
    assert answer.body["version"] == 3
    assert answer.body["updated_by"] == "editor"
    assert answer.body["updated_at"] > answer.body["created_at"]
    assert (answer.body["tags"], answer.body["metadata"]) == (["a"], {"k": 1})
    assert (await api.find(q="coffee")).contents == ["black coffee"]
    assert (await api.find(q="green")).body["total"] == 0


@pytest.mark.parametrize(
    ("change", "content", "tags", "metadata"),
    [
        ({}, "tea", ["a"], {"k": 1}),
        ({"content": "", "tags": None}, "tea", ["a"], {"k": 1}),
        ({"content": "  "}, "  ", ["a"], {"k": 1}),
        ({"tags": []}, "tea", None, {"k": 1}),
        ({"metadata": None}, "tea", ["a"], None),
        ({"metadata": [1]}, "tea", ["a"], [1]),
    ],
)
async def test_put_tells_absent_from_empty(
    api: Caller, change: dict[str, Any], content: str, tags: list[str] | None, metadata: object
) -> None:
    """Absent keeps, empty tags and null metadata clear, an empty content keeps."""
    memory = await _one(api, tags=["a"], metadata={"k": 1})
    body = (await api.ask("PUT", f"memories/{memory['id']}", change)).body

    assert (body["content"], body.get("tags"), body.get("metadata")) == (content, tags, metadata)
    assert body["version"] == memory["version"] + 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"content": "x" * 50_001}, "content: too long (max 50000)"),
        ({"tags": ["t"] * 21}, "tags: too many (max 20)"),
    ],
)
async def test_put_refuses_what_does_not_fit(
    api: Caller, change: dict[str, Any], error: str
) -> None:
    """After it has looked for the memory."""
    memory = await _one(api)

    assert (await api.ask("PUT", "memories/nothing", change)).error == "not found"
    assert (await api.ask("PUT", f"memories/{memory['id']}", change)).error == error


@pytest.mark.parametrize("if_match", ["1", "99", '"1"', "*"])
async def test_if_match_is_advisory(api: Caller, if_match: str) -> None:
    """A stale or odd one still wins."""
    memory = await _one(api)
    await api.ask("PUT", f"memories/{memory['id']}", {})
    answer = await api.ask("PUT", f"memories/{memory['id']}", {}, headers={"If-Match": if_match})

    assert (answer.status, answer.body["version"]) == (200, 3)


async def test_with_the_conflict_switch_a_stale_if_match_is_412(api: Caller) -> None:
    """As one known build answers; nothing is written."""
    async with DevServer(conflicts=True) as server:
        caller = dataclasses.replace(api, base_url=server.base_url, key=server.key)
        path = f"memories/{(await _one(caller))['id']}"

        for header, status in (("2", 412), ('"1"', 400), ("1", 200)):
            answer = await caller.ask("PUT", path, {}, headers={"If-Match": header})
            assert answer.status == status
        assert server.memories[0].version == 2


async def test_delete_is_204_twice_and_404_for_the_unknown(api: Caller) -> None:
    """Soft: the row stays and can be listed by its state."""
    memory = await _one(api)

    for _ in range(2):
        answer = await api.ask("DELETE", f"memories/{memory['id']}")
        assert (answer.status, answer.text) == (204, "")
    assert (await api.ask("DELETE", "memories/nothing")).status == 404
    assert (await api.find(q="tea")).body["total"] == 0
    assert (await api.find(state="deleted")).contents == ["tea"]


async def test_batch_delete_counts_the_rows_it_changed(api: Caller) -> None:
    """Doubles collapse, unknown and deleted ids do not count."""
    first, second = await _one(api, "one"), await _one(api, "two")
    ids = [first["id"], first["id"], " ", "nothing"]

    assert (await api.ask("POST", "memories/batch-delete", {"ids": ids})).body == {"deleted": 1}
    ids = [first["id"], second["id"]]
    assert (await api.ask("POST", "memories/batch-delete", {"ids": ids})).body == {"deleted": 1}


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        ([], "ids: required"),
        (["", ""], "ids: required"),
        (["same"] * 1001, "ids: too many (max 1000)"),
    ],
)
async def test_batch_delete_refuses_none_and_too_many(
    api: Caller, ids: list[str], error: str
) -> None:
    """Counted before doubles are removed."""
    answer = await api.ask("POST", "memories/batch-delete", {"ids": ids})

    assert (answer.status, answer.error) == (400, error)


async def test_ids_of_a_batch_delete_are_taken_as_they_come(api: Caller) -> None:
    """Blanks are no absence, and nothing is trimmed."""
    memory = await _one(api)
    answer = await api.ask("POST", "memories/batch-delete", {"ids": ["", " ", f" {memory['id']} "]})

    assert answer.body == {"deleted": 0}
    assert (await api.ask("GET", f"memories/{memory['id']}")).status == 200


async def test_session_messages_are_the_oldest_of_each_session(api: Caller, clock: Clock) -> None:
    """Oldest first over all sessions asked for."""
    for n in range(3):
        await api.say(f"one {n}", session_id="s1", sync=True)
        await api.say(f"two {n}", session_id="s2", sync=True)
        clock.advance(1)
    answer = await api.ask(
        "GET",
        "session-messages",
        params=[("session_id", "s1"), ("session_id", "s2"), ("limit_per_session", "2")],
    )

    contents = [message["content"] for message in answer.body["messages"]]
    assert contents == ["one 0", "two 0", "one 1", "two 1"]
    assert answer.body["limit_per_session"] == 2
    assert answer.body["messages"][0] | {"id": ""} == {
        "id": "",
        "session_id": "s1",
        "seq": 0,
        "role": "user",
        "content": "one 0",
        "content_type": "text",
        "tags": [],
        "state": "active",
        "created_at": "2026-05-28T20:26:40Z",
        "updated_at": "2026-05-28T20:26:40Z",
    }


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ([], "session_id: at least one session_id required"),
        (
            [("session_id", f"s{n}") for n in range(101)],
            "session_id: too many session_ids: maximum is 100",
        ),
        (
            [("session_id", "s"), ("limit_per_session", "0")],
            "limit_per_session: must be a positive integer",
        ),
    ],
)
async def test_session_messages_refuses_odd_questions(
    api: Caller, params: list[tuple[str, str]], error: str
) -> None:
    """With the field in front."""
    answer = await api.ask("GET", "session-messages", params=params)

    assert (answer.status, answer.error) == (400, error)


async def test_equal_messages_of_a_session_are_one_row_unless_numbered(api: Caller) -> None:
    """Without a session nothing is equal; a number tells equal texts apart."""

    async def rows(session_id: str) -> int:
        answer = await api.ask("GET", "session-messages", params={"session_id": session_id})
        return len(answer.body["messages"])

    for _ in range(2):
        await api.say("yes", "yes", session_id="s1", sync=True)
        numbered = [{"role": "user", "content": "yes", "seq": n} for n in (1, 2)]
        await api.store(messages=numbered, session_id="s2", sync=True)
        await api.say("nobody's yes", session_id="", sync=True)

    assert (await rows("s1"), await rows("s2")) == (1, 2)
    unscoped = await api.find(q="nobody", memory_type="session")
    assert unscoped.body["total"] == 1  # two rows, one text


@pytest.mark.parametrize(
    ("age_s", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (86_400, "1 day ago"),
        (6 * 86_400, "6 days ago"),
        (7 * 86_400, "1 week ago"),
        (30 * 86_400, "1 month ago"),
        (364 * 86_400, "12 months ago"),
        (365 * 86_400, "1 year ago"),
        (800 * 86_400, "2 years ago"),
    ],
)
def test_ages_in_words(age_s: int, words: str) -> None:
    """Whole units, at the bounds of docs/reference/mem9-api.md, 4.2."""
    assert relative_age(1_000_000_000, 1_000_000_000 + age_s) == words


def test_the_servers_own_clock_shows_nanoseconds() -> None:
    """Without trailing zeros, as Go prints them."""
    assert timestamp_ns(1_780_000_000_120_000_000) == "2026-05-28T20:26:40.12Z"
    assert timestamp_ns(1_780_000_000_000_000_000) == "2026-05-28T20:26:40Z"
