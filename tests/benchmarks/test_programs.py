"""A run on a real daemon says in one sentence which program is missing."""

from pathlib import Path

import pytest

from benchmarks.host import __main__ as host
from benchmarks.host import programs


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder on the PATH that has everything."""
    for name in ("initdb", "pg_ctl", "redis-server", "python3.12", "uv", "daemon", "cli"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_POSTGRES", ())
    return tmp_path


def test_what_is_there_is_found(complete: Path) -> None:
    """PostgreSQL by its folder."""
    found = programs.find(str(complete / "daemon"), str(complete / "cli"), complete)

    assert (found.postgres, found.redis) == (complete, complete / "redis-server")


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("initdb", "PostgreSQL is not installed"),
        ("redis-server", "Redis is not installed"),
        ("python3.12", "Python 3.12 is not installed"),
        ("uv", "make setup"),
        ("daemon", "DAEMON="),
        ("cli", "CLI="),
    ],
)
def test_what_is_missing_is_named_with_a_remedy(complete: Path, missing: str, says: str) -> None:
    """One sentence for each."""
    (complete / missing).unlink()

    with pytest.raises(programs.Missing, match=says):
        programs.find(str(complete / "daemon"), str(complete / "cli"), complete)


def test_without_the_daemons_programs_nothing_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, so that a script can tell it from a shortfall."""
    monkeypatch.setattr("sys.argv", ["host"])

    assert host.main() == 2
    assert "DAEMON=/path/to/it" in capsys.readouterr().out
