"""A server that is no mem9, or a broken one: said clearly, the process alive, nothing lost."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from mem9_async.cli.answers import PluginRefused
from mem9_async.cli.host import PluginHost
from tests.faults.server import RefusedPort
from tests.host.caller import Answer, said
from tests.host.conftest import Stage
from tests.host.process import QUICK, credentials, plugin, until
from tests.host.scripted import NOTHING, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-bad-servers"
#: What comes back, and the code that tells it.
REPLIES = {
    "html": (Reply(200, b"<html><title>Sign in</title></html>", "text/html"), "invalid_response"),
    "half-json": (Reply(200, b'{"status": "acc'), "invalid_response"),
    "ten-megabytes": (Reply(200, b'{"x": "' + b"y" * 10_485_760 + b'"}'), "invalid_response"),
    "empty": (Reply(200, b""), "invalid_response"),
    "a-list": (Reply(200, b"[1, 2]"), "invalid_response"),
    "closed": (NOTHING, "connection_reset"),
    "hangs": (replace(Reply.json(202, {"status": "accepted"}), delay_s=5), "read_timeout"),
    "redirect": (Reply(302, headers={"Location": "https://example.com/"}), "redirect"),
    "binary": (Reply(200, bytes(range(256)), "application/octet-stream"), "invalid_response"),
}
EACH = pytest.mark.parametrize("what", list(REPLIES))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PluginHost]:
    """A plugin that does not wait long for an answer."""
    settings = {
        **QUICK,
        "MEM9_ASYNC_ATTEMPT_TIMEOUT_MS": "1000",
        "MEM9_ASYNC_SEARCH_TIMEOUT_MS": "1000",
    }
    async with plugin(tmp_path_factory.mktemp("data"), settings) as host:
        yield host


@EACH
async def test_a_store_is_kept_until_the_server_is_a_mem9_again(stage: Stage, what: str) -> None:
    """The caller who waits is told; the job arrives once all is well."""
    reply, code = REPLIES[what]
    name = f"store-{what}"
    keys = credentials(stage.mem9.base_url(name, reply), KEY)

    async def queue(action: str = "status") -> Answer:
        return (await stage.host.invoke("memory_queue", {"action": action}, keys)).json

    content = f"User met {what}"
    answer = (
        await stage.host.invoke("memory_store", {"content": content, "wait": True}, keys)
    ).json
    assert (answer["ok"], answer["accepted"], answer["status"]) == (False, True, "queued")
    assert answer["code"] == code
    assert str(answer["error"]).strip()
    assert KEY not in str(answer)
    held = await queue()
    assert held["depth"] == 1
    assert held["delivery"]["code"] == code

    stage.mem9.answer(name)
    sent = len(stage.mem9.of_memories(name))
    await queue("flush")
    done = await until(queue, lambda answer: answer["depth"] == 0)
    assert done["delivered"] == 1
    assert stage.host.alive
    assert len(stage.mem9.of_memories(name)) > sent
    assert content in stage.mem9.of_memories(name)[-1].body.decode()


@EACH
async def test_a_search_says_that_it_could_not_look(stage: Stage, what: str) -> None:
    """Never an empty finding."""
    reply, code = REPLIES[what]
    keys = credentials(stage.mem9.base_url(f"search-{what}", reply), KEY)
    answer = said(await stage.host.invoke("memory_search", {"query": "tea"}, keys))

    assert (answer["ok"], answer["code"]) == (False, code)
    assert (answer["memories"], answer["total"]) == ([], 0)
    assert answer["retry"]["reason"] not in ("no_match", "low_confidence")
    assert KEY not in str(answer)
    assert stage.host.alive


@EACH
async def test_credentials_are_refused(stage: Stage, what: str) -> None:
    """A server that is no mem9 proves nothing about a key."""
    reply, _ = REPLIES[what]
    keys = credentials(stage.mem9.base_url(f"validate-{what}", replace(reply, delay_s=0)), KEY)
    if what == "hangs":
        keys = credentials(stage.mem9.base_url(f"validate-{what}", replace(reply, delay_s=12)), KEY)
    with pytest.raises(PluginRefused) as refused:
        await stage.host.validate(keys)

    assert refused.value.error_type == "ToolProviderCredentialValidationError"
    assert "mem9_base_url" in refused.value.message
    assert KEY not in refused.value.message
    assert stage.host.alive


async def test_a_server_that_is_down_keeps_jobs_waiting_and_searches_told(
    stage: Stage, tmp_path: Path
) -> None:
    """Refused connections are told as such by all three."""
    with RefusedPort() as refused:
        keys = credentials(refused.url, KEY)
        stored = await stage.host.invoke("memory_store", {"content": "x", "wait": True}, keys)
        found = await stage.host.invoke("memory_search", {"query": "x"}, keys)
        with pytest.raises(PluginRefused):
            await stage.host.validate(keys)

    assert (stored.json["ok"], stored.json["accepted"]) == (False, True)
    for answer in (stored, found):
        assert answer.json["code"] == "connection_refused"
        assert said(answer)["retry"]["reason"] == "unavailable"


async def test_a_key_that_the_server_sends_back_is_not_shown(stage: Stage) -> None:
    """Whatever the server repeats, the key is taken out."""
    reply = Reply.json(500, {"error": f"panic: key {KEY} at 0x00"})
    keys = credentials(stage.mem9.base_url("echo", reply), KEY)
    stored = await stage.host.invoke("memory_store", {"content": "x", "wait": True}, keys)
    found = await stage.host.invoke("memory_search", {"query": "x"}, keys)
    with pytest.raises(PluginRefused) as refused:
        await stage.host.validate(keys)

    assert "panic" in str(stored.json["detail"])
    for line in [*stored.lines, *found.lines, refused.value.message.encode()]:
        assert KEY.encode() not in line
