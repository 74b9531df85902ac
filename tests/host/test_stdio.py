"""The plugin's pipes: however calls come in on stdin, each is answered, whole and in order."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.cli.requests import Request, tool_call
from tests.faults.server import FaultServer
from tests.host.process import HELD_BACK, QUICK, ROOT, credentials, eventually, plugin

KEYS = credentials("http://127.0.0.1:9", "sk-stdio")


def line(call_id: str, content: str = "User likes tea") -> bytes:
    """Return a memory_store call as the daemon writes it."""
    data = tool_call("mem9_async", "memory_store", {"content": content}, KEYS, user_id="u")
    return Request("memory_store", data).line(call_id)


class Piped:
    """A plugin process whose stdin and stdout the test holds itself."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[dict[str, JsonValue]] = []

    def say(self, piece: bytes) -> None:
        """Write *piece* and give the plugin time to read it as it is."""
        assert self.process.stdin
        self.process.stdin.write(piece)
        self.process.stdin.flush()
        time.sleep(0.05)

    def ended(self, *call_ids: str) -> None:
        """Read until every one of *call_ids* has ended."""
        assert self.process.stdout
        open_calls = set(call_ids)
        while open_calls:
            read = self.process.stdout.readline()
            assert read, "the plugin ended"
            if read.strip():
                self.lines.append(json.loads(read))
                if self._ends(self.lines[-1]):
                    open_calls.discard(str(self.lines[-1]["session_id"]))

    @staticmethod
    def _ends(message: dict[str, JsonValue]) -> bool:
        data = message.get("data")
        return isinstance(data, dict) and data.get("type") == "end"

    def of(self, call_id: str) -> list[dict[str, JsonValue]]:
        """The lines of one call."""
        return [each for each in self.lines if each.get("session_id") == call_id]

    def ok(self, call_id: str) -> bool:
        """Whether a call was answered with `ok: true`, all its lines together, the end last."""
        at = [n for n, each in enumerate(self.lines) if each.get("session_id") == call_id]
        together = at == list(range(at[0], at[-1] + 1))
        return together and '"ok": true' in json.dumps(self.of(call_id)[0])


@contextmanager
def piped(
    tmp_path: Path,
    stdin: int | IO[bytes] = subprocess.PIPE,
    *,
    env: Mapping[str, str] | None = None,
    stdout: int = subprocess.PIPE,
    command: tuple[str, ...] = ("-m", "main"),
) -> Iterator[Piped]:
    """A started process; killed on the way out."""
    settings = {**HELD_BACK, "MEM9_ASYNC_DATA_DIR": str(tmp_path / "data"), **(env or {})}
    env = PluginHost(ROOT, settings).env
    with subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=env, stdin=stdin, stdout=stdout
    ) as process:
        try:
            yield Piped(process)
        finally:
            process.kill()


def test_calls_are_answered_whatever_pieces_they_come_in(tmp_path: Path) -> None:
    """Cut in the middle of a line, of a character, or many lines at once."""
    with piped(tmp_path) as process:
        one, two, three = line("one", "drinks té"), line("two"), line("three")
        cut = one.index("é".encode()) + 1
        process.say(one[:7])
        process.say(one[7:cut])
        process.say(one[cut:] + two + b"\n\n" + three[:-1])
        process.say(three[-1:])
        process.ended("one", "two", "three")

        assert [process.ok(each) for each in ("one", "two", "three")] == [True] * 3


def test_a_line_of_megabytes_is_read(tmp_path: Path) -> None:
    """Far more than one piece of a pipe: refused by its size, not lost on the way."""
    with piped(tmp_path) as process:
        process.say(line("big", "x" * 3_000_000) + line("next"))
        process.ended("big", "next")

        assert "content_too_large" in json.dumps(process.of("big"))
        assert process.ok("next")


def test_half_a_character_in_a_line_hangs_no_call(tmp_path: Path) -> None:
    """JSON can hold it, UTF-8 cannot: it is replaced, and the call is carried out."""
    with piped(tmp_path) as process:
        broken = line("half", "tea MARK").replace(b"MARK", b"\\ud83d")
        raw = line("raw", "tea MARK").replace(b"MARK", b"\xff")
        process.say(broken + raw + line("next"))
        process.ended("half", "raw", "next")

        assert [process.ok(each) for each in ("half", "raw", "next")] == [True] * 3


_UNREADABLE = (
    b"no JSON",
    b'"a text"',
    b"\xff\xfe",
    b'{"session_id":"lost-0","data":{}}',
    b'{"session_id": "lost-1", "event": "other", "data": {}}',
    b'{"session_id":"lost-2","event":"request","data":{"type":"tool","secret":"sk-no"',
    b'{"event":"request","session_id":"lost-3"}',
    b'{"session_id":"lost-4","event":"request","data":[}',
)


def test_a_line_that_is_no_call_is_told_and_the_next_one_is_taken(tmp_path: Path) -> None:
    """As an `error` event, without what stood in the line: it may hold a key.

    Where the line says whose call it was, that call ends: the daemon would wait without end.
    """
    with piped(tmp_path) as process:
        lost = [f"lost-{number}" for number in range(5)]
        for number, bad in enumerate(_UNREADABLE):
            process.say(bad + b"\n" + line(f"next-{number}"))
        process.ended(*lost, *(f"next-{number}" for number in range(len(_UNREADABLE))))

        assert all(process.ok(f"next-{number}") for number in range(len(_UNREADABLE)))
        errors = [each for each in process.lines if each.get("event") == "error"]
        told = [json.dumps(each) for each in (*errors, *(process.of(call) for call in lost))]
        assert len(errors) == len(_UNREADABLE)
        assert all("no call can be read from this line" in each for each in told)
        assert "sk-no" not in json.dumps(process.lines)


def test_an_answer_to_the_sdk_itself_disturbs_nothing(tmp_path: Path) -> None:
    """Dify's answers to questions of the plugin come in on the same pipe."""
    with piped(tmp_path) as process:
        answer = {"session_id": "x", "event": "backwards_response", "data": {}}
        process.say(json.dumps(answer).encode() + b"\n" + line("next"))
        process.ended("next")

        assert process.ok("next")
        assert not [each for each in process.lines if each.get("event") == "error"]


def test_calls_are_answered_from_a_file_too(tmp_path: Path) -> None:
    """A file cannot be watched as a pipe is; the SDK's own reader takes it."""
    calls = tmp_path / "calls.jsonl"
    calls.write_bytes(line("one") + line("two"))
    with calls.open("rb") as given, piped(tmp_path, given) as process:
        process.ended("one", "two")

        assert process.ok("one")
        assert process.ok("two")


def test_no_byte_is_lost_when_a_write_is_interrupted(tmp_path: Path) -> None:
    """Python's unbuffered stdout would drop the rest of it; containers do run it unbuffered."""
    calls = [f"call-{n}" for n in range(100)]
    with piped(tmp_path, env={"PYTHONUNBUFFERED": "1"}) as process:
        process.say(line("first"))
        process.ended("first")
        process.say(b"".join(line(each, f"fact {each}") for each in calls))
        for _ in range(20):  # nobody reads: the answers fill the pipe, and their write waits
            for signum in (signal.SIGSTOP, signal.SIGCONT):
                time.sleep(0.02)
                process.process.send_signal(signum)
        process.ended(*calls)

        assert all(process.ok(each) for each in calls)


def test_lines_stay_whole_where_stdout_does_not_wait(tmp_path: Path) -> None:
    """Heartbeats and log lines too: half a line is followed by somebody else's."""
    into, out = os.pipe()
    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(out, False)
    heartbeats = {"HEARTBEAT_INTERVAL": "0.002"}
    with os.fdopen(into, "rb") as read, piped(tmp_path, env=heartbeats, stdout=out) as process:
        os.close(out)
        time.sleep(3)  # nobody reads: the heartbeats fill the pipe
        process.process.stdout = read
        process.say(line("one"))
        process.ended("one")  # which reads every line as JSON

        assert process.ok("one")


@pytest.mark.parametrize("error", ["SystemExit", "GreenletExit", "KeyboardInterrupt"])
def test_a_call_has_an_end_whatever_breaks_it_off(tmp_path: Path, error: str) -> None:
    """The daemon would wait for it until its own time is up."""
    main = f"""
import dify_plugin
from gevent import GreenletExit
from mem9_async.tools import handlers

def broken(call, backend):
    raise {error}

handlers.store = broken
from mem9_async.runtime.host.entrypoint import serve
serve()
"""
    with piped(tmp_path, command=("-c", main)) as process:
        process.say(line("one"))
        process.ended("one")

        (failed, ended) = map(json.dumps, process.of("one"))
        assert '"type": "error"' in failed
        assert error in failed
        assert '"type": "end"' in ended


def test_a_stdin_without_calls_costs_no_processor_time(tmp_path: Path) -> None:
    """The SDK's reader asks an empty file for more as fast as it can."""
    with Path(os.devnull).open("rb") as nothing, piped(tmp_path, nothing) as process:
        _rests(process.process.pid)
        assert process.process.poll() is None


async def test_what_was_accepted_is_delivered_after_the_daemon_has_closed_the_pipe(
    tmp_path: Path,
) -> None:
    """Until it kills us; and waiting for that costs no processor time."""
    settings = {**QUICK, "MEM9_ASYNC_DATA_DIR": str(tmp_path), "MEM9_ASYNC_LINGER_MS": "1000"}
    async with FaultServer() as server, PluginHost(ROOT, settings) as host:
        await host.started()
        await host.invoke("memory_store", {"content": "tea"}, credentials(server.url, "sk-s"))
        host._stdin.close()
        await eventually(lambda: len(server.records.arrived) == 1)
        await asyncio.to_thread(_rests, host.pid)

        assert host.alive


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _rests(pid: int) -> None:
    """Wait for a second in which the process uses less than half a core: a spin never has one.

    However long the start takes on a busy machine.
    """
    for _ in range(300):
        before_s = _used_s(pid)
        time.sleep(1.0)
        if _used_s(pid) - before_s < 0.5:
            return
    raise AssertionError("the process never rests")


def _used_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def test_no_third_thread_takes_part_in_a_call(tmp_path: Path) -> None:
    """The hub and the loop: a thread that reads stdin for them would cost more than the call."""
    async with plugin(tmp_path, HELD_BACK) as host:
        await host.invoke("memory_store", {"content": "tea"}, KEYS)

        assert _threads(host.pid) == 2
