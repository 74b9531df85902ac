"""The driver reads what a plugin process says, well or badly, and always comes to an end."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mem9_async.cli.answers import LogLine, PluginDied, PluginRefused, PluginTimeout
from mem9_async.cli.host import PluginHost

FAKE = Path(__file__).parent / "fake_plugin"
FLOOR = Path(__file__).parents[2] / "benchmarks" / "floor"


@pytest.fixture
async def host() -> AsyncIterator[PluginHost]:
    """A started fake plugin."""
    async with PluginHost(FAKE) as host:
        await host.started(timeout_s=300)
        yield host


async def test_an_answer_carries_objects_variables_and_text(host: PluginHost) -> None:
    """Everything a workflow node can bind is there, the last value of a variable winning."""
    answer = await host.invoke("echo", {"content": "héllo"}, {}, user_id="ann")

    assert answer.json == {"tool": "echo", "got": {"content": "héllo"}, "user": "ann"}
    assert len(answer.objects) == 2
    assert answer.variables == {"ok": True}
    assert answer.text == "one two"
    assert answer.error is None
    assert 0 <= (answer.first_answer_s or 0) <= answer.elapsed_s


async def test_concurrent_calls_get_their_own_answers(host: PluginHost) -> None:
    """Answers are told apart by the call they belong to."""
    answers = await asyncio.gather(*(host.invoke("echo", {"n": n}, {}) for n in range(50)))

    assert [answer.json["got"] for answer in answers] == [{"n": n} for n in range(50)]


async def test_an_answer_of_two_megabytes_arrives_whole(host: PluginHost) -> None:
    """A line may be longer than any pipe's buffer, in both directions."""
    content = "x" * 2_000_000

    answer = await host.invoke("echo", {"content": content}, {})

    assert answer.json["got"] == {"content": content}


async def test_a_failed_call_is_an_answer_with_an_error(host: PluginHost) -> None:
    """Dify fails the node; reading the object of such an answer raises the plugin's error."""
    answer = await host.invoke("fail", {}, {})

    assert answer.error is not None
    assert (answer.error.error_type, answer.error.message) == ("ValueError", "boom")
    with pytest.raises(PluginRefused, match="boom"):
        _ = answer.json


async def test_lines_that_are_no_json_object_are_kept(host: PluginHost) -> None:
    """Half an object, a list and a bare value all break the protocol; blank lines do not."""
    await host.invoke("tear", {}, {})

    assert host.lines_not_json == [b'{"event":"log","da', b"[1]", b"null"]


async def test_log_lines_are_parsed_and_told_to_the_listener() -> None:
    """A structured message becomes fields, a plain one stays text."""
    heard: list[LogLine] = []
    async with PluginHost(FAKE, on_log=heard.append) as host:
        await host.started()
        await host.invoke("log", {}, {})

    assert [(line.level, line.event, line.message) for line in heard[1:]] == [
        ("WARNING", "", "plain")
    ]
    assert heard[0].fields == {"event": "batch.delivered", "jobs": 3}
    assert list(host.logs) == heard


async def test_credentials_are_taken_or_refused_with_the_reason(host: PluginHost) -> None:
    """Refused is an exception that carries the provider's sentence."""
    await host.validate({"key": "good"})

    with pytest.raises(PluginRefused, match="no such key"):
        await host.validate({"key": "bad"})


async def test_an_endpoint_answer_has_status_headers_and_body(host: PluginHost) -> None:
    """The body arrives in pieces, as a generator sends it."""
    answer = await host.endpoint("/queue?x=1", method="POST", body=b"!abc")

    assert (answer.status, answer.headers["X-Seen"]) == (201, "yes")
    assert answer.body == b"POST /queue?x=1 HTTP/1.1!abc"


async def test_a_call_ends_when_the_process_dies(host: PluginHost) -> None:
    """Its waiter learns the exit code and what the process said last."""
    with pytest.raises(PluginDied, match="ended with 3: the disk is on fire"):
        await host.invoke("die", {}, {})
    with pytest.raises(PluginDied):
        await host.invoke("echo", {}, {})
    assert await host.exited() == 3


async def test_a_call_ends_when_no_answer_comes(host: PluginHost) -> None:
    """Nobody waits longer than asked."""
    with pytest.raises(PluginTimeout, match="wait"):
        await host.invoke("wait", {}, {}, timeout_s=0.2)


async def test_kill_ends_the_process_and_leaving_the_block_does_too() -> None:
    """No plugin process outlives its driver."""
    async with PluginHost(FAKE) as killed:
        await killed.started()
        killed.kill()
        assert await killed.exited() == -9
    async with PluginHost(FAKE) as left:
        await left.started()
        pid = left.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_process_that_never_starts_is_told_apart_from_a_slow_one() -> None:
    """Its own words on stderr are in the error."""
    async with PluginHost(FAKE, module="no_such_module") as host:
        with pytest.raises(PluginDied, match="no_such_module"):
            await host.started(timeout_s=300)


async def test_a_process_may_end_before_its_start_has_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a busy machine: the driver knows of it, and kills nobody else."""
    loop = asyncio.get_running_loop()
    start = loop.subprocess_exec

    async def slow(*args: Any, **kwargs: Any) -> Any:
        started = await start(*args, **kwargs)
        await started[1].exited(timeout_s=300)
        return started

    monkeypatch.setattr(loop, "subprocess_exec", slow)
    async with PluginHost(FAKE, module="no_such_module") as host:
        assert host.exit_code == 1


async def test_the_plugin_sees_only_the_settings_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run depends on its arguments, not on the shell it was started from."""
    monkeypatch.setenv("MEM9_ASYNC_LINGER_MS", "1")
    async with PluginHost(FAKE) as bare, PluginHost(FAKE, {"MEM9_ASYNC_LINGER_MS": "7"}) as given:
        assert (await bare.invoke("echo", {}, {})).objects[1] == {"env": None}
        assert (await given.invoke("echo", {}, {})).objects[1] == {"env": "7"}


@pytest.mark.parametrize("check_lines", [True, False])
async def test_a_plugin_on_the_sdk_is_driven_over_its_pipes(check_lines: bool) -> None:
    """The forms above are the SDK's: the benchmark's floor answers through the real thing."""
    async with PluginHost(FLOOR, provider="bench_floor", check_lines=check_lines) as host:
        await host.started()
        answers = await asyncio.gather(
            *(host.invoke("noop", {"content": "x"}, {}) for _ in range(20))
        )
        await host.validate({})

    assert host.manifest is not None
    assert host.manifest["name"] == "bench_floor"
    assert all(answer.json == {"ok": True} for answer in answers)
    assert all(answer.first_answer_s is not None for answer in answers)
    assert host.lines_not_json == []
