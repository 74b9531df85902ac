"""`queue ...` shows and empties the journals that a plugin has left behind."""

import contextlib
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr
from typer.testing import CliRunner

from mem9_async.cli import journals
from mem9_async.cli.app import app
from mem9_async.models.job import Message, NewJob, Turn
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.models.space import Lane, Space
from mem9_async.runtime.storage.storage import Storage, open_storage
from mem9_async.settings import Settings
from tests.cli.conftest import Served


def job(said: str, space: Space) -> NewJob:
    """One turn of session `s-1`."""
    message = Message(role="user", content=said)
    lane = Lane(space=space, agent_id="dify", session_id="s-1")
    return NewJob(lane=lane, payload=Turn(messages=(message,)))


def a_journal(data: Path, served: Served) -> Storage:
    """An open journal with one dead letter and two waiting jobs."""
    space = Space(base_url=served.base_url, api_key=SecretStr(served.key))
    storage = open_storage(Settings(data_dir=data), data)
    now = time.time()
    storage.journal.append([job("I was refused.", space)], now)
    frozen = storage.journal.freeze(1, max_jobs=1, max_bytes=1000, now=now)
    assert frozen
    refused = Outcome(error_type=ErrorType.REJECTED, error="content too odd")
    storage.journal.bury(frozen.row, refused, now=now)
    storage.journal.append([job("I keep bees.", space), job("I sing [alto].", space)], now)
    return storage


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """`flush` quietens the log of its process; the other tests keep theirs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def left(tmp_path: Path, served: Served) -> Path:
    """The data directory of a plugin that has ended, with that journal."""
    a_journal(tmp_path, served).close()
    return tmp_path


def run(*arguments: str, data: Path, code: int = 0) -> str:
    """What the command prints, having ended with *code*."""
    result = CliRunner().invoke(app, [*arguments, "--data-dir", str(data)])
    assert result.exit_code == code, result.output
    return result.output


def test_status_counts_the_jobs_of_each_space(left: Path) -> None:
    """States, age and address are shown; contents and keys are not."""
    said = run("queue", "status", data=left)

    assert "2 available, 1 dead; oldest 0 s; see `queue list-dead`" in said
    assert "at http://127.0.0.1" in said
    assert "bees" not in said


def test_a_running_plugins_journal_is_left_alone(tmp_path: Path, served: Served) -> None:
    """Its owner holds the lock, and the command says whom to ask."""
    with contextlib.closing(a_journal(tmp_path, served)):
        assert "in use by a running plugin" in run("queue", "status", data=tmp_path)
        assert "in use by a running plugin" in run("queue", "list-dead", data=tmp_path)
        assert "0 job(s) put back" in run("queue", "retry-dead", data=tmp_path)
        assert "1 journal(s) left alone" in run("queue", "flush", data=tmp_path)


def test_dead_letters_are_listed_and_opened_only_when_asked(
    left: Path,
) -> None:
    """The reason is always shown, what the job says only with --content."""
    said = run("queue", "list-dead", data=left)
    assert "session s-1: rejected, content too odd" in said
    assert "I was refused." not in said

    assert "I was refused." in run("queue", "list-dead", "--content", data=left)


def test_flush_delivers_what_waits_and_what_was_put_back(left: Path, served: Served) -> None:
    """Dead letters go again when told to, after which nothing is left in the directory."""
    assert "1 job(s) put back in line." in run("queue", "retry-dead", data=left)

    assert "Nothing waits any more." in run("queue", "flush", data=left)

    request = urllib.request.Request(  # noqa: S310
        f"{served.base_url}/v1alpha2/mem9s/memories?limit=200",
        headers={"X-API-Key": served.key},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        held = {memory["content"] for memory in json.load(response)["memories"]}
    assert {"I was refused.", "I keep bees.", "I sing [alto]."} <= held
    assert "available" not in run("queue", "status", data=left)


def test_flush_says_what_it_could_not_deliver(tmp_path: Path) -> None:
    """mem9 is away: the jobs stay, and the exit code tells a script."""
    storage = open_storage(Settings(data_dir=tmp_path), tmp_path)
    nobody = Space(base_url="http://127.0.0.1:9", api_key=SecretStr("sk"))
    storage.journal.append([job("I wait.", nobody)], time.time())
    storage.close()

    said = run("queue", "flush", "--limit-s", "1", data=tmp_path, code=1)

    assert "1 job(s) still wait." in said
    assert "1 retryable" in run("queue", "status", data=tmp_path)


def test_an_empty_directory_holds_nothing(tmp_path: Path) -> None:
    """Looking makes no file."""
    for command in ("status", "list-dead", "flush"):
        assert "nothing waits" in run("queue", command, data=tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert not journals.files(Settings(data_dir=tmp_path))


def test_retry_dead_refuses_what_is_no_job_id(tmp_path: Path) -> None:
    """A job id is hexadecimal."""
    assert "hexadecimal" in run("queue", "retry-dead", "no-id", data=tmp_path, code=2)
