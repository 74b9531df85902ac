"""What is left of the client: validation, the usage state, provisioning, and its surroundings."""

import asyncio
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest
import uvloop
from pydantic import JsonValue

from mem9_async.client.client import Mem9Client
from mem9_async.models.errors import RequestFailed
from mem9_async.models.outcome import ErrorType
from tests.client import builders
from tests.client.builders import BASE_URL, KEY, batch, denial, open_url, search_query, space
from tests.client.mocked import MockedMem9
from tests.client.peers import http, peer, says

MEMORIES = "/v1alpha2/mem9s/memories"
RUNTIME_STATE = "/v1alpha2/mem9s/runtime-state"
PROVISION = "/v1alpha1/mem9s"


async def test_a_good_key_is_validated_by_the_free_list(
    client: Mem9Client, mem9: MockedMem9
) -> None:
    """One memory at most, no recall."""
    mem9.answers("GET", MEMORIES, 200, {"memories": [], "total": 0})

    await client.validate(space(), "dify")

    assert mem9.sent[0].params == {"limit": "1"}
    assert mem9.sent[0].headers["X-API-Key"] == KEY


@pytest.mark.parametrize(
    ("status", "body", "error_type"),
    [
        (400, {"error": "invalid API key"}, ErrorType.AUTH),
        (402, denial(action=open_url("https://console.mem9.ai/x")), ErrorType.QUOTA_EXHAUSTED),
        (404, b"404 page not found", ErrorType.NOT_FOUND),
        (200, b"<html>", ErrorType.INVALID_RESPONSE),
        (503, b"", ErrorType.UNAVAILABLE),
    ],
)
async def test_a_key_that_does_not_open_is_refused_with_the_reason(
    client: Mem9Client,
    mem9: MockedMem9,
    status: int,
    body: JsonValue | bytes,
    error_type: ErrorType,
) -> None:
    """The outcome says all there is."""
    mem9.answers("GET", MEMORIES, status, body)

    with pytest.raises(RequestFailed) as caught:
        await client.validate(space(), "dify")

    assert caught.value.outcome.error_type is error_type
    assert caught.value.outcome.http_status == status


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, {"mem9ApiKey": {"status": "inactive"}}, True),
        (200, {"mem9ApiKey": {"status": "active"}}, False),
        (200, b"<html>", False),
        (404, b"404 page not found", False),
        (402, denial(), False),
        (500, b"", False),
    ],
)
async def test_the_usage_state_is_told_or_there_is_silence(
    client: Mem9Client,
    mem9: MockedMem9,
    status: int,
    body: JsonValue | bytes,
    told: bool,
) -> None:
    """Older servers have no such route."""
    mem9.answers("GET", RUNTIME_STATE, status, body)

    notice = await client.runtime_notice(space(), "dify")

    assert (notice is not None) is told


async def test_the_usage_state_is_silent_when_mem9_cannot_be_asked(client: Mem9Client) -> None:
    """A notice is never worth an error."""
    assert await client.runtime_notice(space("nowhere"), "dify") is None


async def test_a_space_is_provisioned_without_a_key(client: Mem9Client, mem9: MockedMem9) -> None:
    """The id is the key."""
    mem9.answers("POST", PROVISION, 201, {"id": "sk-new"})

    assert await client.provision(f"{BASE_URL}/") == "sk-new"
    assert mem9.sent[0].headers == {}


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, {"error": "provisioning not configured"}), (201, {}), (201, b"<html>")],
)
async def test_a_space_without_a_key_is_an_error(
    client: Mem9Client, mem9: MockedMem9, status: int, body: JsonValue | bytes
) -> None:
    """Whatever the status."""
    mem9.answers("POST", PROVISION, status, body)

    with pytest.raises(RequestFailed):
        await client.provision(BASE_URL)


async def test_no_error_and_no_traceback_shows_the_key(client: Mem9Client) -> None:
    """Neither the one raised nor its causes."""
    async with peer(says(b"garbage\r\n\r\n")) as mem9:
        with pytest.raises(RequestFailed) as caught:
            await client.search(search_query(mem9.url))
        outcome = await client.send(batch(base_url=mem9.url))
    async with peer(says(http(400, f"unknown: {KEY}".encode()))) as mem9:
        echoed = await client.send(batch(base_url=mem9.url))

    assert echoed.detail == "unknown: [key]"
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in repr(outcome)


class _ForbiddenExecutor(ThreadPoolExecutor):
    """An executor that is not to be used."""

    def submit(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AssertionError("the executor was used")


def test_on_uvloop_a_host_name_is_resolved_without_the_executor() -> None:
    """In the plugin the default executor's threads are greenlets."""

    async def send_by_name() -> bool:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(_ForbiddenExecutor())
        client = builders.client()
        async with peer(says(http(202, b"{}"))) as mem9:
            outcome = await client.send(batch(base_url=f"http://localhost:{mem9.port}"))
        await client.aclose()
        return outcome.ok

    assert uvloop.run(send_by_name())
