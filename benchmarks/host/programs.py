"""Finds the programs that a run needs, and says in one sentence which is missing."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_POSTGRES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")


class Missing(Exception):
    """A program is not there; the text says which, and what to do."""


@dataclass(frozen=True)
class Programs:
    """Where each lies. `postgres` is the folder of PostgreSQL's programs."""

    daemon: Path
    cli: Path
    postgres: Path
    redis: Path
    python: Path
    uv: Path


def find(daemon: str | None, cli: str | None, root: Path) -> Programs:
    """Look for everything. Raises Missing for the first that is not there."""
    return Programs(
        daemon=_given(daemon, "DAEMON", "Dify's plugin daemon (its server)"),
        cli=_given(cli, "CLI", "the command line of Dify's plugin daemon"),
        postgres=_postgres(),
        redis=_on_path("redis-server", "Redis", "redis-server"),
        python=_on_path("python3.12", "Python 3.12", "python3.12"),
        uv=_uv(root),
    )


def _given(path: str | None, name: str, what: str) -> Path:
    if not path:
        raise Missing(f"{name} is not given: name the program of {what}, {name}=/path/to/it.")
    found = Path(path).absolute()
    if not (found.is_file() and os.access(found, os.X_OK)):
        raise Missing(f"{name}={path} is no program: build {what} and name the file.")
    return found


def _on_path(name: str, what: str, package: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{what} is not installed: {name} is not on the PATH (package {package}).")
    return Path(found)


def _postgres() -> Path:
    candidates = [Path(found).parent for found in (shutil.which("initdb"),) if found]
    for folder in _POSTGRES:
        candidates += sorted(Path(folder).glob("*/bin"), reverse=True)
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "pg_ctl").exists():
            return candidate
    raise Missing("PostgreSQL is not installed: no initdb was found (package postgresql).")


def _uv(root: Path) -> Path:
    for candidate in (root / ".uv/bin/uv", shutil.which("uv")):
        if candidate is not None and Path(candidate).exists():
            return Path(candidate)
    raise Missing("uv is not there: `make setup` gets it.")
