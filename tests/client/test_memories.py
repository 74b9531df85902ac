"""Lists, and single memories."""

import asyncio

import pytest
from pydantic import JsonValue

from mem9_async.client.client import Mem9Client
from mem9_async.client.encoding import encode
from mem9_async.client.pool import LIST_BODY_MAX
from mem9_async.models.errors import NotFound, PartlyDeleted, RequestFailed, VersionConflict
from mem9_async.models.memory import Deletion, ListQuery, MemoryChange
from mem9_async.models.outcome import ErrorType
from tests.client.builders import denial, list_query, space
from tests.client.mocked import MockedMem9
from tests.client.peers import http, peer, says

MEMORIES = "/v1alpha2/mem9s/memories"
ONE = f"{MEMORIES}/m1"
BATCH_DELETE = f"{MEMORIES}/batch-delete"
MEMORY: JsonValue = {"id": "m1", "content": " as it is ", "version": 3, "tags": ["a"]}


async def update(client: Mem9Client, **change: JsonValue) -> None:
    """Change m1."""
    await client.update(space(), "dify", "m1", MemoryChange.model_validate(change))


async def test_a_page_is_what_mem9_says_it_is(client: Mem9Client, mem9: MockedMem9) -> None:
    """Memories untouched, numbers as normalised by the server."""
    body: JsonValue = {"memories": [MEMORY], "total": 41, "limit": 20, "offset": 40}
    mem9.answers("GET", MEMORIES, 200, body)

    page = await client.list_memories(list_query())

    assert page.memories[0].content == " as it is "
    assert page.memories[0].tags == ("a",)
    assert (page.total, page.limit, page.offset) == (41, 20, 40)
    assert "q" not in mem9.sent[0].params


async def test_a_page_is_asked_for_with_a_margin(client: Mem9Client, mem9: MockedMem9) -> None:
    """Memories of one second may come in another order (docs/reference/mem9-api.md, 4.3)."""
    found: list[JsonValue] = [
        {"id": f"m{number:02}", "content": "x", "updated_at": "t"} for number in range(30)
    ]
    body: JsonValue = {"memories": found[::-1], "total": 30, "limit": 45, "offset": 0}
    mem9.answers("GET", MEMORIES, 200, body)

    page = await client.list_memories(list_query(offset=20, limit=5))

    kinds = {"memory_type": "insight,pinned"}
    assert mem9.sent[0].params == {"limit": "45", "offset": "0", **kinds}
    assert [memory.id for memory in page.memories] == [f"m{number}" for number in range(20, 25)]
    assert (page.total, page.limit, page.offset) == (30, 5, 20)


async def test_a_page_too_large_to_be_taken_in_says_so(client: Mem9Client) -> None:
    """The address is right; there is only too much. Of another page that cannot be said."""
    filling = b"x" * LIST_BODY_MAX
    pages = says(http(200, b'{"memories": ["' + filling)), says(http(200, b"<html>" + filling))
    async with peer(*pages) as mem9:
        for code in ("answer_too_large", None):
            with pytest.raises(RequestFailed) as caught:
                await client.list_memories(list_query(mem9.url, limit=200))
            assert caught.value.outcome.error_code == code


async def test_a_full_page_of_the_longest_memories_fits(client: Mem9Client) -> None:
    """mem9 takes 50,000 bytes a memory."""
    longest: JsonValue = {"id": "m", "content": "x" * 50_000}
    body = encode({"memories": [longest] * 200, "total": 900})
    async with peer(says(http(200, body))) as mem9:
        page = await client.list_memories(list_query(mem9.url, limit=200))

    assert len(page.memories) == 200


async def test_a_page_without_numbers_keeps_those_asked_for(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Every field is optional."""
    mem9.answers("GET", MEMORIES, 200, {"memories": [MEMORY], "total": "?"})

    page = await client.list_memories(list_query())

    assert (page.total, page.limit, page.offset) == (1, 20, 0)


@pytest.mark.parametrize("body", [b"<html>", b"", {"ok": True}])
async def test_an_unreadable_page_is_an_error(
    client: Mem9Client, mem9: MockedMem9, body: JsonValue | bytes
) -> None:
    """Not an empty one."""
    mem9.answers("GET", MEMORIES, 200, body)

    with pytest.raises(RequestFailed) as caught:
        await client.list_memories(list_query())

    assert caught.value.outcome.error_type is ErrorType.INVALID_RESPONSE


async def test_a_memory_is_read_verbatim(client: Mem9Client, mem9: MockedMem9) -> None:
    """Its white space too."""
    mem9.answers("GET", ONE, 200, MEMORY)

    memory = await client.get(space(), "dify", "m1")

    assert (memory.content, memory.version) == (" as it is ", 3)


@pytest.mark.parametrize("memory_id", ["", ".", ".."])
async def test_an_id_that_is_none_is_not_found(client: Mem9Client, memory_id: str) -> None:
    """Without asking: the path would name something else."""
    with pytest.raises(NotFound):
        await client.get(space(), "dify", memory_id)


async def test_an_id_cannot_leave_its_place(client: Mem9Client, mem9: MockedMem9) -> None:
    """Slashes and queries are quoted."""
    mem9.answers("GET", f"{MEMORIES}/a%2F..%2Fb%3Fc", 200, MEMORY)

    await client.get(space(), "dify", "a/../b?c")

    assert mem9.sent[0].url.raw_path == f"{MEMORIES}/a%2F..%2Fb%3Fc"


async def test_a_missing_memory_is_not_a_missing_server(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """mem9's own 404 means the memory, a page's means the address."""
    mem9.answers("GET", ONE, 404, {"error": "not found"})
    mem9.answers("GET", ONE, 404, b"404 page not found\n")
    mem9.answers("GET", ONE, 404, {"error": "tenant not found"})

    with pytest.raises(NotFound):
        await client.get(space(), "dify", "m1")
    for error_type in (ErrorType.NOT_FOUND, ErrorType.AUTH):
        with pytest.raises(RequestFailed) as caught:
            await client.get(space(), "dify", "m1")
        assert caught.value.outcome.error_type is error_type


@pytest.mark.parametrize("body", [b"<html>", {}, {"ok": True}, []])
async def test_an_unreadable_memory_is_an_error(
    client: Mem9Client, mem9: MockedMem9, body: JsonValue | bytes
) -> None:
    """Its content could not be sent back."""
    mem9.answers("GET", ONE, 200, body)

    with pytest.raises(RequestFailed):
        await client.get(space(), "dify", "m1")


async def test_an_update_resends_the_content(client: Mem9Client, mem9: MockedMem9) -> None:
    """A change of tags would else lose the embedding."""
    mem9.answers("GET", ONE, 200, MEMORY)
    mem9.answers("PUT", ONE, 200, MEMORY)

    await update(client, tags=["b"])

    assert mem9.sent[1].json == {"content": " as it is ", "tags": ["b"]}
    assert mem9.sent[1].headers["If-Match"] == "3"
    assert mem9.sent[1].headers["Content-Type"] == "application/json"


async def test_an_update_of_a_stale_version_writes_nothing(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """mem9 itself would only log it."""
    mem9.answers("GET", ONE, 200, MEMORY)

    with pytest.raises(VersionConflict) as caught:
        await update(client, content="new", version=2)

    assert caught.value.actual == 3
    assert [sent.method for sent in mem9.sent] == ["GET"]


async def test_an_update_of_the_right_version_is_written(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """With the new content."""
    mem9.answers("GET", ONE, 200, MEMORY)
    mem9.answers("PUT", ONE, 200, {"id": "m1", "content": "new", "version": 4})

    changed = await client.update(
        space(), "dify", "m1", MemoryChange(content="new", version=3, clear_metadata=True)
    )

    assert changed.version == 4
    assert mem9.sent[1].json == {"content": "new", "metadata": None}


async def test_a_change_in_between_is_a_conflict(client: Mem9Client, mem9: MockedMem9) -> None:
    """Where the server checks."""
    mem9.answers("GET", ONE, 200, MEMORY)
    mem9.answers("PUT", ONE, 412, {"error": "precondition failed: version changed"})

    with pytest.raises(VersionConflict):
        await update(client, content="new")


async def test_a_version_that_mem9_cannot_compare_is_a_conflict(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Nothing was written."""
    mem9.answers("GET", ONE, 200, MEMORY)
    mem9.answers("PUT", ONE, 400, {"error": "If-Match: must be a positive integer memory version"})

    with pytest.raises(VersionConflict, match="nothing was changed"):
        await update(client, content="new")


@pytest.mark.parametrize("version", [0, -1])
async def test_a_version_that_is_none_is_not_sent(
    client: Mem9Client, mem9: MockedMem9, version: int
) -> None:
    """A server that compares would refuse the whole change."""
    mem9.answers("GET", ONE, 200, {"id": "m1", "content": "x", "version": version})
    mem9.answers("PUT", ONE, 200, MEMORY)

    await update(client, content="new")

    assert "If-Match" not in mem9.sent[1].headers


async def test_a_memory_that_goes_in_between_is_not_found(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Extraction replaces memories all the time."""
    mem9.answers("GET", ONE, 200, MEMORY)
    mem9.answers("PUT", ONE, 404, {"error": "not found"})

    with pytest.raises(NotFound):
        await update(client, content="new")


async def test_a_denied_update_speaks_of_saving(client: Mem9Client, mem9: MockedMem9) -> None:
    """It is counted as a write."""
    mem9.answers("GET", ONE, 200, MEMORY)
    mem9.answers("PUT", ONE, 402, denial(meter=None))

    with pytest.raises(RequestFailed) as caught:
        await update(client, content="new")

    assert caught.value.outcome.denial is not None
    assert "saving" in caught.value.outcome.denial.user_message


@pytest.mark.parametrize("deleted", [1, 0])
async def test_one_id_is_counted_by_what_it_changed(
    client: Mem9Client, mem9: MockedMem9, deleted: int
) -> None:
    """The route for a single memory says 204 for one that is long gone, too."""
    mem9.answers("POST", BATCH_DELETE, 200, {"deleted": deleted})

    deletion = await client.delete(space(), "dify", ("m1",))

    assert deletion == Deletion(requested=1, deleted=deleted)
    assert mem9.sent[0].json == {"ids": ["m1"]}


async def test_a_delete_that_could_not_be_asked_is_an_error(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """A page's 404 is not mem9's."""
    mem9.answers("POST", BATCH_DELETE, 404, b"<html>")

    with pytest.raises(RequestFailed):
        await client.delete(space(), "dify", ("m1",))


async def test_many_ids_go_in_chunks_of_a_thousand(client: Mem9Client, mem9: MockedMem9) -> None:
    """Each id once."""
    mem9.answers("POST", BATCH_DELETE, 200, {"deleted": 1000})
    mem9.answers("POST", BATCH_DELETE, 200, {"deleted": 7})
    ids = tuple(f"m{number}" for number in range(1500))

    deletion = await client.delete(space(), "dify", (*ids, "m0", ""))

    assert deletion == Deletion(requested=1502, deleted=1007)
    assert [len(sent.json["ids"]) for sent in mem9.sent] == [1000, 500]


async def test_a_chunk_that_fails_does_not_hide_what_was_deleted(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """What is gone stays gone."""
    mem9.answers("POST", BATCH_DELETE, 200, {"deleted": 998})
    mem9.answers("POST", BATCH_DELETE, 503, {"error": "overloaded"})
    ids = tuple(f"m{number}" for number in range(1500))

    with pytest.raises(PartlyDeleted) as caught:
        await client.delete(space(), "dify", ids)

    assert caught.value.deleted == 998
    assert caught.value.outcome.http_status == 503


async def test_no_ids_delete_nothing(client: Mem9Client, mem9: MockedMem9) -> None:
    """And ask nothing: an empty list is an error to mem9, and a blank id a whole route."""
    assert await client.delete(space(), "dify", ("", "..")) == Deletion(requested=2, deleted=0)
    assert mem9.sent == []


@pytest.mark.parametrize("body", [b"", {}, {"deleted": "many"}])
async def test_an_unreadable_batch_delete_is_an_error(
    client: Mem9Client, mem9: MockedMem9, body: JsonValue | bytes
) -> None:
    """How many went is not known."""
    mem9.answers("POST", BATCH_DELETE, 200, body)

    with pytest.raises(RequestFailed) as caught:
        await client.delete(space(), "dify", ("m1", "m2"))

    assert caught.value.outcome.maybe_sent


@pytest.mark.parametrize("how", ["get", "update", "delete", "page"])
async def test_a_rate_limit_is_waited_out_by_reads_and_changes(
    client: Mem9Client, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A limited request was not carried out: it may go again, within the time there is."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(delay_s: float) -> None:
        if delay_s >= 0.1:  # not what the support servers wait
            waited.append(delay_s)
        await sleep(0)

    monkeypatch.setattr("mem9_async.client.reader.asyncio.sleep", noted)
    limited = says(http(429, b'{"error":"rate limit exceeded"}'))
    memory = says(http(200, b'{"id":"m1","content":"x","version":1,"deleted":1,"memories":[]}'))
    async with peer(limited, memory) as mem9:
        where = space(mem9.url)
        match how:
            case "get":
                await client.get(where, "dify", "m1")
            case "update":
                await client.update(where, "dify", "m1", MemoryChange(content="x"))
            case "delete":
                await client.delete(where, "dify", ("m1",))
            case _:
                await client.list_memories(ListQuery(space=where, caller_agent_id="dify"))

    assert [0.5 <= each <= 2.0 for each in waited] == [True]
