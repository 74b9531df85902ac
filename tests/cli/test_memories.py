"""`memories export` and `import`: everything, once, in order, also when it is broken off."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from mem9_async.cli.app import app
from mem9_async.cli.memories import exporting, importing
from mem9_async.models.memory import ListQuery, Memory, MemoryPage
from mem9_async.models.space import Space
from tests.cli.conftest import Served

ROOT = Path(__file__).parents[2]
GUARD_S = 300.0


@pytest.fixture(autouse=True)
def own_logging() -> Any:
    """The import quietens the log of its process; the other tests keep theirs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def served(served: Served) -> Served:
    """A space of the test's own."""
    request = urllib.request.Request(f"{served.base_url}/v1alpha1/mem9s", method="POST", data=b"")  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        return Served(served.base_url, json.load(response)["id"])


def run(served: Served, *arguments: str, key: str | None = None) -> Result:
    """One command against the embedded mem9."""
    env = {"MEM9_API_KEY": served.key if key is None else key, "MEM9_BASE_URL": served.base_url}
    return CliRunner().invoke(app, ["memories", *arguments], env=env)


def held(served: Served) -> list[dict[str, Any]]:
    """Every memory, by mem9's own list, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        request = urllib.request.Request(  # noqa: S310
            f"{served.base_url}/v1alpha2/mem9s/memories?limit=200&offset={len(found)}",
            headers={"X-API-Key": served.key},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310
            page = json.load(response)["memories"]
        found += page
        if len(page) < 200:
            return found


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def a_file(path: Path, number: int) -> list[str]:
    """A file of so many memories; their contents."""
    contents = [f"Memory {n}: 日本 “quoted”, line\nbreak" for n in range(number)]
    told = [
        {"content": content, "tags": ["t", f"n{n % 3}"], "metadata": {"n": n}}
        for n, content in enumerate(contents)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in told))
    return contents


def test_what_was_imported_is_exported_the_same(served: Served, tmp_path: Path) -> None:
    """Contents, tags and metadata; each once; the queue beside the file is gone."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    contents = a_file(source, 230)

    assert run(served, "import", str(source)).exit_code == 0
    assert not importing.left_over(source)
    # mem9 answers 202 before it has written: an export sees what is there by then.
    ends_at = time.monotonic() + GUARD_S
    while len(held(served)) < len(contents):
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    result = run(served, "export", str(out))
    assert result.exit_code == 0, result.output
    found = lines(out)
    assert sorted(each["content"] for each in found) == sorted(contents)
    assert len({each["id"] for each in found}) == len(contents)
    by_content = {each["content"]: each for each in found}
    for number, content in enumerate(contents):
        assert by_content[content]["metadata"] == {"n": number}
        assert set(by_content[content]["tags"]) == {"t", f"n{number % 3}"}
    assert out.stat().st_mode & 0o777 == 0o600


def test_an_import_that_was_killed_goes_on_where_it_was(served: Served, tmp_path: Path) -> None:
    """Nothing twice, nothing left out, in the file's order."""
    source = tmp_path / "in.jsonl"
    contents = a_file(source, 300)
    env = {**os.environ, "MEM9_API_KEY": served.key, "MEM9_BASE_URL": served.base_url}
    command = [sys.executable, "-m", "mem9_async", "memories", "import", str(source)]
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    ends_at = time.monotonic() + GUARD_S
    while not held(served) and process.poll() is None:
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    broken_off = len(held(served))

    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    stored = held(served)
    assert 0 < broken_off <= len(contents)
    assert sorted(each["content"] for each in stored) == sorted(contents)
    stamps = {each["content"]: each["created_at"] for each in stored}
    assert [stamps[content] for content in contents] == sorted(stamps[each] for each in contents)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no json\n", "line 2"),
        ('{"tags": ["a"]}\n', "line 2: content"),
        ('{"content": " "}\n', "empty"),
        (json.dumps({"content": "x" * 50_001}) + "\n", "50001 bytes"),
        (json.dumps({"content": "x", "tags": ["t"] * 21}) + "\n", "21 tags"),
    ],
)
def test_a_line_that_cannot_be_taken_is_named_and_nothing_is_stored(
    served: Served, tmp_path: Path, text: str, why: str
) -> None:
    """Also of those before it."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"content": "fine"}\n' + text)
    result = run(served, "import", str(source))

    assert result.exit_code == 1
    assert why in result.output
    assert held(served) == []


def test_who_has_no_key_or_no_mem9_is_told_so(served: Served, tmp_path: Path) -> None:
    """By exit codes of their own; a key from a file does as well."""
    key_file = tmp_path / "key"
    key_file.write_text(f"{served.key}\n")

    assert run(served, "export", key="").exit_code == 2
    assert run(served, "export", "--base-url", "http://127.0.0.1:9").exit_code == 3
    assert run(served, "export", key="wrong").exit_code == 1
    assert run(served, "export", "--key-file", str(key_file), key="").exit_code == 0


def test_a_refused_key_keeps_the_import(served: Served, tmp_path: Path) -> None:
    """It waits beside the file; with the right key the same command finishes it."""
    source = tmp_path / "in.jsonl"
    a_file(source, 3)
    result = run(served, "import", str(source), key="wrong")

    assert result.exit_code == 1
    assert "3 wait" in result.output
    assert importing.left_over(source)


class Moving:
    """A list in which a memory moves to the front between two pages, in the first reading only."""

    def __init__(self, number: int, *, always: bool = False) -> None:
        self.order = [f"{n:05d}" for n in range(number)]
        self.moves = True
        self.always = always

    async def page(self, query: ListQuery) -> MemoryPage:
        """One page; then something is changed."""
        chosen = self.order[query.offset : query.offset + query.limit]
        shown = tuple(Memory(id=each, content=f"memory {each}", version=1) for each in chosen)
        total = len(self.order)
        if self.moves or self.always:
            self.moves = False
            if self.always:
                self.order.insert(0, f"new-{total}")
            else:
                self.order.insert(0, self.order.pop())
        return MemoryPage(memories=shown, total=total, limit=query.limit, offset=query.offset)


QUERY = ListQuery(
    space=Space.model_validate({"base_url": "http://127.0.0.1:9", "api_key": "k"}),
    caller_agent_id="dify",
)


async def test_a_memory_that_moves_while_pages_are_read_is_neither_lost_nor_doubled() -> None:
    """It is read again until two readings agree."""
    found, sure = await exporting.read_all(Moving(500).page, QUERY)

    assert sure
    assert len(found) == len({memory.id for memory in found}) == 500


async def test_a_list_that_never_rests_is_told_as_uncertain() -> None:
    """What was seen is given all the same."""
    found, sure = await exporting.read_all(Moving(500, always=True).page, QUERY)

    assert not sure
    assert len(found) >= 500
