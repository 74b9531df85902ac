"""Recalls."""

import asyncio

import pytest
from pydantic import JsonValue

from mem9_async.client.client import Mem9Client
from mem9_async.client.pool import Request, Response
from mem9_async.client.reader import Asker
from mem9_async.models.errors import RequestFailed
from mem9_async.models.outcome import ErrorType, Meter, Outcome
from tests.client import builders
from tests.client.builders import KEY, denial, search_query
from tests.client.mocked import MockedMem9
from tests.client.peers import hangs, http, peer, resets, says

MEMORIES = "/v1alpha2/mem9s/memories"
NOTHING: JsonValue = {"memories": [], "total": 0}


def row(memory_id: str, **fields: JsonValue) -> dict[str, JsonValue]:
    """A memory as mem9 sends it."""
    return {"id": memory_id, "content": f"memory {memory_id}", "memory_type": "insight", **fields}


ROWS: list[JsonValue] = [
    row("m1", confidence=66, score=0.9, relative_age="3 days ago"),
    row("m2", confidence=91, score=0.4),
    row("m3", confidence=91, score=0.6, tags=["a"]),
    row("m4", score=0.99),
    {"id": "m5", "content": "  padded  ", "confidence": "70", "score": "0.5"},
]


async def refusal(client: Mem9Client, base_url: str = builders.BASE_URL) -> Outcome:
    """How a search fails."""
    with pytest.raises(RequestFailed) as caught:
        await client.search(search_query(base_url))

    return caught.value.outcome


async def test_the_best_come_first_as_the_original_ranks_them(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """By confidence, then score; numbers written as text count."""
    mem9.answers("GET", MEMORIES, 200, {"memories": ROWS, "total": 5})

    result = await client.search(search_query())

    assert [memory.id for memory in result.memories] == ["m3", "m2", "m5", "m1", "m4"]
    assert result.memories[2].content == "padded"
    assert (result.memories[2].confidence, result.memories[2].score) == (70, 0.5)
    assert result.memories[3].relative_age == "3 days ago"
    assert result.available == 5
    assert result.effective_query == "preferred language"
    assert result.attempts == 1
    (sent,) = mem9.sent
    assert sent.params == {"q": "preferred language", "limit": "30"}
    assert sent.headers == {"X-API-Key": KEY, "X-Mnemo-Agent-Id": "dify"}


async def test_the_limit_cuts_after_ranking(client: Mem9Client, mem9: MockedMem9) -> None:
    """The best two of five."""
    mem9.answers("GET", MEMORIES, 200, {"memories": ROWS})

    result = await client.search(search_query(limit=2))

    assert [memory.id for memory in result.memories] == ["m3", "m2"]
    assert result.available == 5


async def test_a_notice_comes_along(client: Mem9Client, mem9: MockedMem9) -> None:
    """Also when nothing matched."""
    mem9.answers("GET", MEMORIES, 200, {"memories": [], "message": "80% used"})

    result = await client.search(search_query())

    assert result.memories == ()
    assert result.notice == "80% used"


@pytest.mark.parametrize(
    ("status", "body", "error_type"),
    [
        (400, {"error": "invalid API key"}, ErrorType.AUTH),
        (402, denial(meter="memory_recall_requests"), ErrorType.QUOTA_EXHAUSTED),
        (404, b"404 page not found", ErrorType.NOT_FOUND),
        (429, denial(meter="memory_recall_requests"), ErrorType.RATE_LIMITED),
        (500, {"error": "internal server error"}, ErrorType.SERVER_ERROR),
        (200, b"<html>hello</html>", ErrorType.INVALID_RESPONSE),
        (200, b'{"memories": [', ErrorType.INVALID_RESPONSE),
        (200, b"", ErrorType.INVALID_RESPONSE),
        (200, {"login": "required"}, ErrorType.INVALID_RESPONSE),
    ],
)
async def test_not_having_looked_is_an_error_and_asked_once(
    client: Mem9Client,
    mem9: MockedMem9,
    status: int,
    body: JsonValue | bytes,
    error_type: ErrorType,
) -> None:
    """Never an empty result."""
    mem9.answers("GET", MEMORIES, status, body)

    outcome = await refusal(client)

    assert outcome.error_type is error_type
    assert outcome.http_status == status
    assert len(mem9.sent) == 1


async def test_a_denied_search_speaks_of_recall(client: Mem9Client, mem9: MockedMem9) -> None:
    """Also where the body names no meter."""
    mem9.answers("GET", MEMORIES, 402, denial(meter=None))

    outcome = await refusal(client)

    assert outcome.denial is not None
    assert "recall" in outcome.denial.user_message


async def test_what_passes_is_tried_again(client: Mem9Client, mem9: MockedMem9) -> None:
    """A gateway's hiccup costs a moment, and is counted."""
    mem9.answers("GET", MEMORIES, 502, b"<html>")
    mem9.answers("GET", MEMORIES, fails=ConnectionResetError())
    mem9.answers("GET", MEMORIES, 200, NOTHING)

    result = await client.search(search_query())

    assert result.attempts == 3
    assert len(mem9.sent) == 3


async def test_after_three_tries_it_is_told(client: Mem9Client, mem9: MockedMem9) -> None:
    """The last failure is the answer."""
    mem9.answers("GET", MEMORIES, 503, b"", repeat=True)

    outcome = await refusal(client)

    assert outcome.error_type is ErrorType.UNAVAILABLE
    assert len(mem9.sent) == 3


async def test_a_hint_that_does_not_fit_ends_it(client: Mem9Client, mem9: MockedMem9) -> None:
    """The deadline is five seconds away, the hint a minute."""
    mem9.answers("GET", MEMORIES, 503, b"", headers={"Retry-After": "60"}, repeat=True)

    outcome = await refusal(client)

    assert outcome.retry_after_s == 60.0
    assert len(mem9.sent) == 1


async def test_a_rate_limit_with_a_short_hint_is_waited_out(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Then asked again."""
    mem9.answers(
        "GET", MEMORIES, 429, {"error": "rate limit exceeded"}, headers={"Retry-After": "0.05"}
    )
    mem9.answers("GET", MEMORIES, 200, NOTHING)

    assert (await client.search(search_query())).attempts == 2


async def test_a_timeout_is_no_empty_result(client: Mem9Client) -> None:
    """And is not tried again: its time is spent."""
    async with peer(hangs()) as mem9:
        with pytest.raises(RequestFailed) as caught:
            await client.search(search_query(mem9.url), timeout_s=0.2)

        assert caught.value.outcome.error_type is ErrorType.READ_TIMEOUT
        assert len(mem9.requests) == 1


async def test_tries_end_with_the_deadline(
    client: Mem9Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try has only what the first and the pause have left."""
    given: list[float] = []
    ask = Asker.ask

    async def noted(asker: Asker, request: Request, *, meter: Meter, timeout_s: float) -> Response:
        given.append(timeout_s)
        return await ask(asker, request, meter=meter, timeout_s=timeout_s)

    monkeypatch.setattr(Asker, "ask", noted)
    async with peer(says(http(502, b"")), says(http(404, b"{}"))) as mem9:
        with pytest.raises(RequestFailed):
            await client.search(search_query(mem9.url), timeout_s=120.0)

    first_s, second_s = given
    assert second_s < first_s <= 120.0


async def test_each_recall_is_one_request(client: Mem9Client) -> None:
    """What aiohttp repeats by itself is off: every one is metered."""
    async with peer(resets()) as mem9:
        outcome = await refusal(client, mem9.url)

        assert outcome.error_type is ErrorType.CONNECTION_RESET
        assert len(mem9.requests) == 3


async def test_nothing_listening_speaks_of_the_connection(client: Mem9Client) -> None:
    """And not of the key."""
    async with peer(hangs()) as mem9:
        url = mem9.url

    outcome = await refusal(client, url)

    assert outcome.error_type is ErrorType.CONNECTION_REFUSED
    assert "connection" in (outcome.error or "")
    assert not outcome.maybe_sent


async def test_fifty_equal_searches_are_one_request(client: Mem9Client) -> None:
    """All get the same result."""
    async with peer(says(http(200, b'{"memories":[{"id":"m1","content":"x"}]}'))) as mem9:
        query = search_query(mem9.url)
        results = await asyncio.gather(*(client.search(query) for _ in range(50)))

        assert len(mem9.requests) == 1
        assert {result.memories[0].id for result in results} == {"m1"}


async def test_searches_of_two_keys_are_two_requests(client: Mem9Client, mem9: MockedMem9) -> None:
    """No space sees another's answer."""
    mem9.answers("GET", MEMORIES, 200, NOTHING, repeat=True)
    one = search_query()
    other = one.model_copy(update={"space": builders.space(key="sk-other")})

    await asyncio.gather(client.search(one), client.search(other))

    assert {sent.headers["X-API-Key"] for sent in mem9.sent} == {KEY, "sk-other"}


async def test_eight_megabytes_of_memories_are_too_many(client: Mem9Client) -> None:
    """A large answer is read, an endless one is not."""
    large = http(200, b'{"memories":[{"id":"a","content":"' + b"x" * 5_000_000 + b'"}]}')
    endless = http(200, b'{"memories":[{"id":"a","content":"' + b"x" * 9_000_000 + b'"}]}')
    async with peer(says(large), says(endless)) as mem9:
        result = await client.search(search_query(mem9.url))
        outcome = await refusal(client, mem9.url)

        assert len(result.memories[0].content) == 5_000_000
        assert outcome.error_type is ErrorType.INVALID_RESPONSE


async def test_a_rate_limit_without_a_hint_is_waited_out(
    client: Mem9Client, mem9: MockedMem9, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mem9's limiter refills within a second: half a second to two are waited."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(delay_s: float) -> None:
        if delay_s >= 0.1:  # not what the support servers wait
            waited.append(delay_s)
        await sleep(0)

    monkeypatch.setattr("mem9_async.client.search.asyncio.sleep", noted)
    mem9.answers("GET", MEMORIES, 429, {"error": "rate limit exceeded"})
    mem9.answers("GET", MEMORIES, 200, NOTHING)

    assert (await client.search(search_query())).attempts == 2
    assert [0.5 <= each <= 2.0 for each in waited] == [True]


TOO_SLOW: JsonValue = {
    "code": "recall_server_deadline_exceeded",
    "error": "recall request deadline exceeded",
}


async def test_what_mem9_could_not_gather_in_time_is_asked_for_once_more_and_smaller(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Three times the limit were too much; the limit itself may do."""
    mem9.answers("GET", MEMORIES, 504, TOO_SLOW)
    mem9.answers("GET", MEMORIES, 200, {"memories": ROWS, "total": 5})

    result = await client.search(search_query(limit=10))

    assert [sent.params["limit"] for sent in mem9.sent] == ["30", "10"]
    assert result.attempts == 2
    assert len(result.memories) == 5


async def test_a_recall_that_stays_too_slow_is_asked_for_twice(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Not three times, as a gateway's trouble is."""
    mem9.answers("GET", MEMORIES, 504, TOO_SLOW, repeat=True)

    outcome = await refusal(client)

    assert outcome.error_code == "recall_deadline_exceeded"
    assert len(mem9.sent) == 2


async def test_a_search_that_gathers_too_much_is_not_repeated(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """It would gather as much again."""
    body: JsonValue = {
        "error": "all-types memory list budget exceeded",
        "code": "memory_list_budget_exceeded",
    }
    mem9.answers("GET", MEMORIES, 422, body, repeat=True)

    outcome = await refusal(client)

    assert outcome.error_code == "memory_list_budget_exceeded"
    assert len(mem9.sent) == 1


@pytest.mark.parametrize(
    ("more", "warnings"),
    [
        ({}, ()),
        ({"partial": False, "warnings": []}, ()),
        ({"partial": "odd", "warnings": "odd"}, ()),
        ({"partial": True}, ("partial",)),
        ({"partial": True, "warnings": [{"branch": "insight"}, 7]}, ("partial",)),
        (
            {
                "partial": True,
                "warnings": [
                    {"code": "recall_branch_deadline_exceeded", "branch": "insight"},
                    {"code": "recall_branch_deadline_exceeded", "branch": "session"},
                ],
            },
            ("recall_branch_deadline_exceeded",),
        ),
        (
            {"warnings": [{"code": "fts_candidate_budget_exhausted"}]},
            ("fts_candidate_budget_exhausted",),
        ),
    ],
)
async def test_what_was_cut_short_is_told(
    client: Mem9Client, mem9: MockedMem9, more: JsonValue, warnings: tuple[str, ...]
) -> None:
    """Each code once; a part without a code is one all the same."""
    assert isinstance(more, dict)
    mem9.answers("GET", MEMORIES, 200, {"memories": [], "total": 0, **more})

    result = await client.search(search_query())

    assert result.warnings == warnings
    assert result.partial == bool(warnings)
