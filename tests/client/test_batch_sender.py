"""Sending batches, and looking after them."""

import asyncio

import pytest
from pydantic import JsonValue

from mem9_async.client.client import Mem9Client
from mem9_async.models.job import Pinned
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Confirmation, ErrorType
from mem9_async.queue.sink import Sink
from tests.client import builders
from tests.client.builders import KEY, batch, denial, open_url, space, turn
from tests.client.mocked import MockedMem9
from tests.client.peers import hangs, http, peer, resets, says

MEMORIES = "/v1alpha2/mem9s/memories"
STATUS = "/v1alpha2/status"
PAGE = 200


def test_the_client_is_a_sink(client: Mem9Client) -> None:
    """The queue's seam is met, as a type checker would see it."""
    sink: Sink = client

    assert sink is client


async def test_a_turn_is_posted_once_with_its_headers(client: Mem9Client, mem9: MockedMem9) -> None:
    """Key, agent, content type, and the batch's id against duplicates."""
    mem9.answers("POST", MEMORIES, 202, {"status": "accepted"})

    outcome = await client.send(batch())

    assert outcome.confirmation is Confirmation.ACCEPTED
    (sent,) = mem9.sent
    assert sent.headers == {
        "X-API-Key": KEY,
        "X-Mnemo-Agent-Id": "dify",
        "Content-Type": "application/json",
        "Idempotency-Key": "batch-1",
    }
    assert sent.json["messages"] == [{"role": "user", "content": "User prefers Python"}]


async def test_a_pinned_memory_comes_back_with_its_id(client: Mem9Client, mem9: MockedMem9) -> None:
    """201 is ingested."""
    mem9.answers("POST", MEMORIES, 201, {"id": "m1", "content": "Berlin"})

    outcome = await client.send(batch(Pinned(content="Berlin")))

    assert outcome.confirmation is Confirmation.INGESTED
    assert outcome.memory_id == "m1"


async def test_a_refusal_is_an_outcome(client: Mem9Client, mem9: MockedMem9) -> None:
    """Nothing is raised for what a server can do."""
    link = "https://console.mem9.ai/console/claim?key=example"
    mem9.answers("POST", MEMORIES, 402, denial(action=open_url(link)), headers={"Retry-After": "9"})

    outcome = await client.send(batch())

    assert outcome.error_type is ErrorType.QUOTA_EXHAUSTED
    assert outcome.denial is not None
    assert outcome.denial.action is not None
    assert outcome.denial.action.url == link
    assert outcome.denial.retry_after_s == 9


async def test_a_batch_with_nothing_left_is_not_sent(client: Mem9Client, mem9: MockedMem9) -> None:
    """mem9 would say yes and keep nothing."""
    outcome = await client.send(batch(turn("<relevant-memories>x</relevant-memories>")))

    assert outcome.error_type is ErrorType.REJECTED
    assert outcome.error_code == "nothing_to_store"
    assert mem9.sent == []


@pytest.mark.parametrize("url", ["mem9.test", "http://[bad", "ftp://mem9.test", ""])
async def test_a_base_url_that_is_none_is_an_outcome(client: Mem9Client, url: str) -> None:
    """A journalled job may carry anything."""
    outcome = await client.send(batch(base_url=url))

    assert outcome.error_type is ErrorType.DNS_ERROR
    assert outcome.error_code == "invalid_url"
    assert not outcome.maybe_sent


async def test_line_breaks_in_a_key_or_an_agent_add_no_header(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """They become blanks."""
    mem9.answers("POST", MEMORIES, 202, {})
    odd = batch()
    lane = odd.lane.model_copy(update={"agent_id": "a\r\nX-Evil: 1", "space": space(key="k\nX: 1")})

    await client.send(odd.model_copy(update={"lane": lane}))

    assert mem9.sent[0].headers["X-API-Key"] == "k X: 1"
    assert mem9.sent[0].headers["X-Mnemo-Agent-Id"] == "a  X-Evil: 1"


async def test_an_attempt_that_times_out_may_have_been_sent() -> None:
    """And says how long it took."""
    client = builders.client(attempt_timeout_s=0.2)
    async with peer(hangs()) as mem9:
        outcome = await client.send(batch(base_url=mem9.url))

        assert outcome.error_type is ErrorType.READ_TIMEOUT
        assert outcome.maybe_sent
        assert outcome.duration_s > 0.15
        assert len(mem9.requests) == 1
    await client.aclose()


async def test_a_reset_is_not_repeated_by_the_client(client: Mem9Client) -> None:
    """One batch, one request."""
    async with peer(resets(), says(http(202, b"{}"))) as mem9:
        outcome = await client.send(batch(base_url=mem9.url))

        assert outcome.error_type is ErrorType.CONNECTION_RESET
        assert outcome.maybe_sent
        assert len(mem9.requests) == 1


async def test_ten_megabytes_are_no_success(client: Mem9Client) -> None:
    """Nor is their beginning kept."""
    async with peer(says(http(202, b'{"status":"' + b"x" * 10_000_000 + b'"}'))) as mem9:
        outcome = await client.send(batch(base_url=mem9.url))

        assert outcome.error_type is ErrorType.INVALID_RESPONSE
        assert len(outcome.detail or "") <= 500


async def test_every_attempt_sends_the_same_bytes(client: Mem9Client) -> None:
    """Head and body."""
    async with peer(says(http(500, b"")), says(http(202, b"{}"))) as mem9:
        first = batch(base_url=mem9.url)
        await client.send(first)
        await client.send(first.model_copy(update={"attempt": 2}))

        assert mem9.requests[0] == mem9.requests[1]


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, {"status": "active"}, KeyState.ACTIVE),
        (200, {"status": "inactive"}, KeyState.INACTIVE),
        (200, {"status": "new"}, KeyState.UNDECIDED),
        (200, {}, KeyState.UNDECIDED),
        (200, b"<html>", KeyState.UNDECIDED),
        (404, {"error": "key not found"}, KeyState.UNKNOWN),
        (404, {"error": "not found"}, KeyState.UNKNOWN),
        (404, b"404 page not found\n", KeyState.UNDECIDED),
        (401, {"error": "missing or malformed X-API-Key"}, KeyState.UNDECIDED),
        (429, {"error": "rate limit exceeded"}, KeyState.UNDECIDED),
        (500, {"error": "auth backend unavailable"}, KeyState.UNAVAILABLE),
        (502, b"<html>", KeyState.UNAVAILABLE),
        (302, b"", KeyState.UNDECIDED),
    ],
)
async def test_the_status_route_decides_about_a_key(
    client: Mem9Client,
    mem9: MockedMem9,
    status: int,
    body: JsonValue | bytes,
    state: KeyState,
) -> None:
    """Only its own words count; a server without the route has not spoken."""
    mem9.answers("GET", STATUS, status, body)

    assert await client.key_state(space()) is state
    assert mem9.sent[0].headers == {"X-API-Key": KEY}


async def test_a_key_is_undecided_when_mem9_cannot_be_asked(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """No answer is no evidence."""
    mem9.answers("GET", STATUS, fails=TimeoutError())

    assert await client.key_state(space()) is KeyState.UNDECIDED
    assert await client.key_state(space("nowhere")) is KeyState.UNDECIDED


BERLIN = Pinned(content="Berlin", tags=("a", "b"))


@pytest.mark.parametrize(
    ("memories", "held"),
    [
        ([], False),
        ([{"content": "Berlin", "tags": ["b", "a"]}], True),
        ([{"content": "Berlin"}], False),
        ([{"content": "Berlin", "tags": ["a", "b", "c"]}], False),
        ([{"content": "Berlin ", "tags": ["a", "b"]}], False),
        ([{"content": "Paris"}, {"content": "Berlin", "tags": ["a", "b"]}], True),
    ],
)
async def test_a_pinned_memory_is_known_by_content_and_tags(
    client: Mem9Client, mem9: MockedMem9, memories: JsonValue, held: bool
) -> None:
    """Looked up in the free list."""
    mem9.answers("GET", MEMORIES, 200, {"memories": memories, "total": 1})

    assert await client.holds_pinned(batch(BERLIN)) is held
    assert mem9.sent[0].params == {"memory_type": "pinned", "limit": "200", "offset": "0"}


async def test_the_list_of_pinned_memories_is_read_on(client: Mem9Client, mem9: MockedMem9) -> None:
    """Page by page, until it is found or the list ends."""
    full: JsonValue = {"memories": [{"content": "other"}] * PAGE}
    mem9.answers("GET", MEMORIES, 200, full)
    mem9.answers("GET", MEMORIES, 200, {"memories": [{"content": "Berlin", "tags": ["a", "b"]}]})

    assert await client.holds_pinned(batch(BERLIN)) is True
    assert [sent.params["offset"] for sent in mem9.sent] == ["0", "200"]


async def test_a_list_without_end_is_given_up(client: Mem9Client, mem9: MockedMem9) -> None:
    """After a thousand memories it is not known."""
    mem9.answers("GET", MEMORIES, 200, {"memories": [{"content": "other"}] * PAGE}, repeat=True)

    assert await client.holds_pinned(batch(BERLIN)) is None
    assert len(mem9.sent) == 5


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (402, {"error": "x"}), (200, b"<html>"), (200, {"ok": True})],
)
async def test_a_list_that_cannot_be_read_leaves_it_open(
    client: Mem9Client, mem9: MockedMem9, status: int, body: JsonValue | bytes
) -> None:
    """Neither there nor missing."""
    mem9.answers("GET", MEMORIES, status, body)

    assert await client.holds_pinned(batch(BERLIN)) is None


async def test_a_list_that_was_cut_short_proves_nothing(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """What is missing from it may be there; what is in it is."""
    mem9.answers("GET", MEMORIES, 200, {"memories": [], "partial": True})
    found: JsonValue = {"content": "Berlin", "tags": ["a", "b"]}
    mem9.answers("GET", MEMORIES, 200, {"memories": [found], "partial": True})

    assert await client.holds_pinned(batch(BERLIN)) is None
    assert await client.holds_pinned(batch(BERLIN)) is True


async def test_whether_turns_are_held_cannot_be_looked_up(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Extraction leaves nothing to compare."""
    assert await client.holds_pinned(batch()) is None
    assert mem9.sent == []


async def test_writes_under_way_do_not_hold_up_a_search() -> None:
    """Two pools: one may be full."""
    client = builders.client(max_in_flight=2, attempt_timeout_s=120.0)
    found = says(http(200, b'{"memories":[]}'))
    async with peer(hangs()) as slow, peer(found) as quick:
        writes = [asyncio.create_task(client.send(batch(base_url=slow.url))) for _ in range(20)]
        await slow.asked(2)
        await client.list_memories(builders.list_query(quick.url))
        for write in writes:
            write.cancel()
        await asyncio.wait(writes)

        assert len(slow.requests) == 2
        assert len(quick.requests) == 1
    await client.aclose()
