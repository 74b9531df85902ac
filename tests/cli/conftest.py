"""A mem9 in a process of its own, for commands that run an event loop themselves."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Served:
    """Where `serve` listens, with which key."""

    base_url: str
    key: str


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """`python -m mem9_async serve`, read from what it says on start."""
    command = [sys.executable, "-m", "mem9_async", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = ""
        while "API key" not in said:
            line = process.stdout.readline()
            assert line, f"serve ended after saying {said!r}"
            said += line
        base_url = re.search(r"http://\S+", said)
        key = re.search(r"API key\s+(\S+)", said)
        assert base_url
        assert key
        yield Served(base_url[0], key[1])
        process.terminate()
        assert process.wait(10) == 0
