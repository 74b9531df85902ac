"""`queue ...` shows and empties the journals that a plugin has left behind."""

import contextlib
import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from typer.testing import CliRunner

from mem9_async.cli.app import app
from mem9_async.cli.queue import resting
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
    result = CliRunner().invoke(app, ["queue", *arguments, "--data-dir", str(data)])
    assert result.exit_code == code, result.output
    return result.output


def objects(said: str) -> list[dict[str, Any]]:
    """The JSON objects among the lines."""
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_status_counts_the_jobs_of_each_journal(left: Path) -> None:
    """As one object with depth, counts, processes and journals; a dead letter is worth a look."""
    (told,) = objects(run("status", "--json", data=left, code=1))

    assert told["depth"] == 2
    assert (told["counts"]["available"], told["counts"]["dead"]) == (2, 1)
    assert told["processes"] == []
    assert [each["depth"] for each in told["journals"]] == [2]
    said = run("status", data=left, code=1)
    assert "2 job(s) on their way (2 available, 1 dead)" in said
    assert "bees" not in said


def test_a_journal_that_cannot_be_asked_about_is_left_alone(tmp_path: Path, served: Served) -> None:
    """Its owner holds the lock; one without a socket is told as trouble."""
    with contextlib.closing(a_journal(tmp_path, served)):
        for command in (["status"], ["list"], ["retry", "--yes"], ["pause"]):
            said = run(*command, data=tmp_path, code=1)
            assert "answers no control socket" in said or command == ["status"]


def test_jobs_are_listed_newest_first_and_page_by_page(left: Path) -> None:
    """With what belongs to each; pages fit together."""
    jobs = objects(run("list", "--json", data=left))
    first = objects(run("list", "--json", "--limit", "2", data=left))
    rest = objects(run("list", "--json", "--after", first[-1]["job_id"], data=left))

    assert [job["state"] for job in jobs] == ["available", "available", "dead"]
    assert jobs == sorted(jobs, key=lambda job: job["job_id"], reverse=True)
    assert [job["job_id"] for job in [*first, *rest]] == [job["job_id"] for job in jobs]
    assert {"lane", "space", "age_s", "bytes", "attempts", "error_type", "reference"} <= set(
        jobs[0]
    )
    assert jobs[2]["error_type"] == "rejected"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--state", "dead"], 1),
        (["--state", "available,dead"], 3),
        (["--state", "parked"], 0),
        (["--error-type", "rejected"], 1),
        (["--error-type", "unavailable"], 0),
        (["--older-than", "3600"], 0),
        (["--older-than", "0"], 3),
        (["--space", "00000000"], 0),
        (["--lane", "00000000"], 0),
        (["--reference", "run-1"], 0),
    ],
)
def test_a_filter_matches_what_it_says(left: Path, options: list[str], expected: int) -> None:
    """And nothing else."""
    assert len(objects(run("list", "--json", *options, data=left))) == expected


def test_space_and_lane_of_a_job_find_it(left: Path) -> None:
    """Their fingerprints are those that are shown."""
    job = objects(run("list", "--json", "--state", "dead", data=left))[0]

    for option in (["--space", job["space"]], ["--lane", job["lane"]]):
        assert len(objects(run("list", "--json", *option, data=left))) == 3


def test_a_job_is_shown_and_opened_only_when_asked(left: Path) -> None:
    """What it says only with --content; the server's words always."""
    (job,) = objects(run("list", "--json", "--state", "dead", data=left))
    (story,) = objects(run("show", job["job_id"], "--json", data=left))

    assert (story["job_id"], story["state"]) == (job["job_id"], "dead")
    assert [each["event"] for each in story["history"]] == ["accepted"]
    assert "content" not in story
    said = run("show", job["job_id"], data=left)
    assert "content too odd" in said
    assert "I was refused." not in said
    assert "I was refused." in run("show", job["job_id"], "--content", data=left)


def test_a_dead_letter_goes_back_and_is_delivered(left: Path, served: Served) -> None:
    """Retry counts, flush delivers from here, and then nothing is left."""
    (told,) = objects(run("retry", "--yes", "--json", data=left))
    assert told == {"affected": 1, "skipped": 0}

    assert "Nothing waits any more." in run("flush", data=left)

    request = urllib.request.Request(  # noqa: S310
        f"{served.base_url}/v1alpha2/mem9s/memories?limit=200",
        headers={"X-API-Key": served.key},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        held = {memory["content"] for memory in json.load(response)["memories"]}
    assert {"I was refused.", "I keep bees.", "I sing [alto]."} <= held
    assert objects(run("list", "--json", "--state", "available", data=left)) == []


def test_flush_says_what_it_could_not_deliver(tmp_path: Path) -> None:
    """mem9 is away: the jobs stay, and the exit code tells a script."""
    storage = open_storage(Settings(data_dir=tmp_path), tmp_path)
    nobody = Space(base_url="http://127.0.0.1:9", api_key=SecretStr("sk"))
    storage.journal.append([job("I wait.", nobody)], time.time())
    storage.close()

    said = run("flush", "--limit-s", "1", data=tmp_path, code=1)

    assert "1 job(s) still wait." in said
    (waits,) = objects(run("list", "--json", data=tmp_path))
    assert waits["state"] == "retryable"
    (story,) = objects(run("show", waits["job_id"], "--json", data=tmp_path))
    assert {each["event"] for each in story["history"]} == {"accepted", "attempt"}
    assert story["history"][1]["error_type"] == "connection_refused"


def test_jobs_are_discarded_by_filter_and_counted(left: Path) -> None:
    """What is gone is told of all the same."""
    (job,) = objects(run("list", "--json", "--state", "dead", data=left))
    (told,) = objects(run("discard", "--state", "dead", "--yes", "--json", data=left))

    assert told == {"affected": 1, "skipped": 0}
    assert len(objects(run("list", "--json", data=left))) == 2
    (story,) = objects(run("show", job["job_id"], "--json", data=left))
    assert (story["state"], story["history"][-1]["event"]) == ("discarded", "discarded")


def test_nothing_is_changed_without_a_yes(left: Path) -> None:
    """A script has to say so; what would be done is counted."""
    assert "1 job(s) match" in run("retry", data=left, code=2)
    assert "say which jobs" in run("discard", data=left, code=2)
    assert len(objects(run("list", "--json", data=left))) == 3


def test_a_hold_is_kept_and_shown_at_rest(left: Path) -> None:
    """A space by its fingerprint, or everything."""
    job = objects(run("list", "--json", "--state", "dead", data=left))[0]

    assert "held back" in run("pause", "--space", job["space"], data=left)
    assert len(objects(run("list", "--json", "--state", "parked", data=left))) == 2
    assert objects(run("resume", "--json", data=left)) == [{"changed": False, "space": None}]
    assert "let go" in run("resume", "--space", job["space"], data=left)
    assert len(objects(run("list", "--json", "--state", "available", data=left))) == 2


def test_what_was_exported_comes_back_in_its_order(left: Path, tmp_path: Path) -> None:
    """Sealed, with its states; into another directory with the same key, and once."""
    out = tmp_path / "jobs.jsonl"
    assert "3 job(s) written" in run("export", str(out), data=left)
    text = out.read_text()
    assert "bees" not in text
    other = tmp_path / "other"
    (other / "key").mkdir(parents=True)
    shutil.copy(left / "key" / "journal.key", other / "key" / "journal.key")

    assert "3 job(s) taken back" in run("import", str(out), data=other)

    before, after = (objects(run("list", "--json", data=data)) for data in (left, other))
    shown = ("job_id", "state", "lane", "space", "bytes", "error_type")
    assert [[job[name] for name in shown] for job in after] == [
        [job[name] for name in shown] for job in before
    ]
    assert "bees" in "".join(run("show", job["job_id"], "--content", data=other) for job in after)
    assert "I keep bees." in run("export", "--content", data=left)


def test_a_line_that_cannot_be_taken_is_named_and_nothing_is_taken(
    left: Path, tmp_path: Path
) -> None:
    """Sealed with another key, or no job at all."""
    out, other = tmp_path / "jobs.jsonl", tmp_path / "other"
    run("export", str(out), data=left)

    assert "another key" in run("import", str(out), data=other, code=1)
    out.write_text(out.read_text() + "{}\n")
    assert "line 4" in run("import", str(out), data=left, code=1)
    assert resting.files(Settings(data_dir=other)) == set()
    assert len(objects(run("list", "--json", data=left))) == 3


@pytest.mark.parametrize("command", ["status", "list", "pause", "retry"])
def test_where_nothing_is_nobody_is_asked(tmp_path: Path, command: str) -> None:
    """An exit code of its own; looking makes no file."""
    assert "No running plugin" in run(command, data=tmp_path, code=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["retry", "no-id"], "no job id"),
        (["show"], "give a job id"),
        (["show", "xy"], "no job id"),
        (["list", "--state", "lost"], "no state of a job"),
        (["list", "--space", "mine"], "fingerprint"),
        (["list", "--older-than", "-1"], "0 or more"),
    ],
)
def test_bad_options_say_what_is_wrong(tmp_path: Path, arguments: list[str], why: str) -> None:
    """Exit code 2."""
    assert why in run(*arguments, data=tmp_path, code=2)


def test_an_unknown_job_is_told_as_such(left: Path) -> None:
    """Exit code 1."""
    assert "Nothing is known" in run("show", "0" * 32, data=left, code=1)
    assert "Nothing is known" in run("show", "--reference", "run-9", data=left, code=1)
