"""A refused key is looked into, free of charge, before anyone is told that it is bad."""

import pytest
from pydantic import JsonValue

from mem9_async.client.client import Mem9Client
from mem9_async.models.errors import RequestFailed
from mem9_async.models.memory import MemoryChange
from mem9_async.models.outcome import ErrorType, Outcome
from tests.client.builders import list_query, search_query, space
from tests.client.mocked import MockedMem9
from tests.client.peers import http, peer, says

MEMORIES = "/v1alpha2/mem9s/memories"
STATUS = "/v1alpha2/status"
BAD: JsonValue = {"error": "invalid API key"}
E = ErrorType


async def _validated(client: Mem9Client) -> Outcome:
    with pytest.raises(RequestFailed) as caught:
        await client.validate(space(), "dify")
    return caught.value.outcome


@pytest.mark.parametrize(
    ("status", "body", "error_type", "code", "words"),
    [
        (500, {"error": "auth backend unavailable"}, E.UNAVAILABLE,
         "auth_backend_unavailable", "Nothing is wrong with this key"),
        (502, b"<html>", E.UNAVAILABLE, "auth_backend_unavailable", "try again later"),
        (200, {"status": "active"}, E.UNAVAILABLE, "auth_backend_unavailable", "database is away"),
        (200, {"status": "inactive"}, E.AUTH, "key_inactive", "suspended"),
        (404, {"error": "key not found"}, E.AUTH, "key_unknown", "does not know this key"),
        (404, b"404 page not found\n", E.AUTH, "invalid_api_key", ""),
        (200, b"<html>", E.AUTH, "invalid_api_key", ""),
    ],
)  # fmt: skip
async def test_the_status_route_says_what_a_bad_key_is(
    client: Mem9Client,
    mem9: MockedMem9,
    status: int,
    body: JsonValue | bytes,
    error_type: ErrorType,
    code: str,
    words: str,
) -> None:
    """An outage, a suspension, an unknown key; where it says nothing, mem9's first word holds."""
    mem9.answers("GET", MEMORIES, 400, BAD)
    mem9.answers("GET", STATUS, status, body)

    outcome = await _validated(client)

    assert (outcome.error_type, outcome.error_code) == (error_type, code)
    assert words in (outcome.error or "")
    assert [sent.url.path for sent in mem9.sent] == [MEMORIES, STATUS]


async def test_an_empty_chain_is_named_without_another_request(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """Its key is good."""
    mem9.answers("GET", MEMORIES, 400, {"error": "Space Chain has no nodes."})

    outcome = await _validated(client)

    assert (outcome.error_type, outcome.error_code) == (E.AUTH, "no_chain_nodes")
    assert "Add a space to the chain" in (outcome.error or "")
    assert len(mem9.sent) == 1


@pytest.mark.parametrize("how", ["search", "page", "get", "update", "delete"])
async def test_every_read_and_change_asks(client: Mem9Client, how: str) -> None:
    """Also below an address with a path of its own."""
    bad = says(http(400, b'{"error":"invalid API key"}'))
    inactive = says(http(200, b'{"status":"inactive"}'))
    async with peer(bad, inactive) as mem9:
        url = f"{mem9.url}/proxy/v1alpha2/x"
        calls = {
            "search": client.search(search_query(url)),
            "page": client.list_memories(list_query().model_copy(update={"space": space(url)})),
            "get": client.get(space(url), "dify", "a/b"),
            "update": client.update(space(url), "dify", "m1", MemoryChange(content="x")),
            "delete": client.delete(space(url), "dify", ("m1",)),
        }
        asking = calls.pop(how)
        for unused in calls.values():
            unused.close()
        with pytest.raises(RequestFailed) as caught:
            await asking
        asked = mem9.requests[1].split(b" ")[1]

    assert caught.value.outcome.error_code == "key_inactive"
    assert asked == b"/proxy/v1alpha2/x/v1alpha2/status"
