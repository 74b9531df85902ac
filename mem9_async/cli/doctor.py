"""What is wrong with this machine, the settings, the data directory or the key, and what helps."""

import os
import platform
import shutil
import sqlite3
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from yarl import URL

from mem9_async import settings as configuration
from mem9_async.client import trust
from mem9_async.client.client import Mem9Client
from mem9_async.client.proxies import UnusableProxy, proxy_for
from mem9_async.client.redaction import without_key
from mem9_async.models.errors import RequestFailed
from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Space
from mem9_async.runtime.storage import mounts
from mem9_async.runtime.storage.paths import data_directory, journal_directory
from mem9_async.settings import Settings
from mem9_async.version import VERSION

HOSTED = "https://api.mem9.ai"
_MIB = 1024 * 1024
_RESERVE_BYTES = 64 * _MIB  # for outcomes, the write-ahead log and the rest of the machine
_SENTENCE_CHARS = 300
_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
# Two connections to one file can corrupt it in these versions; fixed where named.
_WAL_RESET_FIRST, _WAL_RESET_FIXED = (3, 7, 0), (3, 51, 3)
_WAL_RESET_PATCHED = {(3, 44): 6, (3, 50): 7}
_ADVICE = {
    ErrorType.DNS_ERROR: "Check the name in the base URL.",
    ErrorType.CONNECTION_REFUSED: "Inside Dify's container, localhost is the container itself: "
    "use the host's address.",
    ErrorType.AUTH: "Check the key, and that it is from this server.",
    ErrorType.NOT_FOUND: "The base URL ends before /v1alpha2; is there a mem9 behind it?",
    ErrorType.REDIRECT: "Use the address it redirects to.",
}
_NO_PROVISIONING = (
    "This mem9 makes no spaces by itself; only one on TiDB does. On PostgreSQL a space is a row of "
    "its table tenants, and the row's id is the key: README, 'A key of your own mem9', has it "
    "field by field."
)
# Answers of a mem9 that was asked for a space, or of what stands in its place.
_PROVISIONS_NOT = {
    ErrorType.REJECTED: _NO_PROVISIONING,
    ErrorType.NOT_FOUND: "Either no mem9 is there (the base URL ends before /v1alpha2), or it "
    "makes no spaces: take a key from whoever runs it.",
    ErrorType.AUTH: "Whoever runs this mem9 does not let everybody make spaces: take a key there.",
}

Level = Literal["ok", "note", "bad"]
_MARKS: dict[Level, str] = {
    "ok": "[green]ok  [/]",
    "note": "[yellow]note[/]",
    "bad": "[red]BAD [/]",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fix` says what to do about it, empty when nothing is needed."""

    level: Level
    subject: str
    says: str
    fix: str = ""


def target(base_url: str | None, api_key: str | None) -> Space | str | None:
    """What to ask: a space, an address without a key, or nothing."""
    if api_key:
        return Space(base_url=(base_url or HOSTED).rstrip("/"), api_key=SecretStr(api_key))
    return base_url.rstrip("/") if base_url else None


async def examine(
    console: Console, asked: Space | str | None, *, data_dir: Path | None = None
) -> bool:
    """Look at everything and print it; True when nothing is bad."""
    settings, problems = configuration.load()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    findings = [Finding("ok", "mem9_async", VERSION)]
    findings += [python(sys.version_info[:3]), sqlite(sqlite3.sqlite_version_info[:3])]
    findings += packages()
    findings += [Finding("bad", "setting", problem, "Correct it.") for problem in problems]
    findings += directory(settings, Path.cwd())
    findings += authorities()
    findings.append(proxy(asked))
    findings.append(await mem9(asked))
    for finding in findings:
        fix = f"\n            {finding.fix}" if finding.fix else ""
        console.print(
            f"{_MARKS[finding.level]}  {finding.subject}: {escape(finding.says + fix)}",
            soft_wrap=True,
            highlight=False,
        )
    return all(finding.level != "bad" for finding in findings)


async def provision(console: Console, base_url: str) -> bool:
    """Make a space on the mem9 at *base_url* and print its key; False when it cannot be made."""
    async with _client() as client:
        try:
            key = await client.provision(base_url.rstrip("/"))
        except RequestFailed as exc:
            kind = exc.outcome.error_type or ErrorType.UNAVAILABLE
            advice = _PROVISIONS_NOT.get(kind, _advice(exc))
            console.print(
                f"No space was made: {_said(exc)}", style="red", soft_wrap=True, markup=False
            )
            console.print(advice, soft_wrap=True, highlight=False)
            return False
    console.print(f"A new space on {base_url}. Its API key, shown only here:", soft_wrap=True)
    console.print(key, soft_wrap=True, highlight=False)
    return True


def python(version: tuple[int, ...]) -> Finding:
    """Judge the interpreter: Dify's plugin host runs 3.12."""
    said = f"{platform.python_implementation()} {'.'.join(map(str, version))}"
    if version[:2] == (3, 12):
        return Finding("ok", "Python", said)
    return Finding("bad", "Python", said, "The plugin runs on 3.12: `make setup` makes a .venv.")


def sqlite(version: tuple[int, int, int]) -> Finding:
    """Judge the SQLite that Python was built with."""
    said = ".".join(map(str, version))
    if version < _OLDEST_SQLITE:
        return Finding("bad", "SQLite", said, "The journal needs 3.37 or newer.")
    patched = version[2] >= _WAL_RESET_PATCHED.get(version[:2], 1 << 30)
    if _WAL_RESET_FIRST <= version < _WAL_RESET_FIXED and not patched:
        return Finding(
            "note",
            "SQLite",
            f"{said} has the WAL-reset bug, which needs two connections to one file",
            "The journal uses one. Do not open a journal with other tools while the plugin runs.",
        )
    return Finding("ok", "SQLite", said)


def packages() -> Iterator[Finding]:
    """Say which of the packages that matter are installed."""
    for name in ("dify-plugin", "gevent", "aiohttp", "uvloop", "cryptography"):
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("bad", name, "not installed", "`make setup` installs what is pinned.")


def directory(settings: Settings, working_directory: Path) -> Iterator[Finding]:
    """Look at the data directory without making or changing anything."""
    place = data_directory(settings.data_dir, working_directory)
    existing = next(each for each in (place, *place.parents) if each.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        yield Finding(
            "bad",
            "data directory",
            f"{place} cannot be written",
            "Set MEM9_ASYNC_DATA_DIR to a directory that lasts. Until then the plugin accepts "
            "writes in memory only, and says so in every answer.",
        )
        return
    state = "writable" if place == existing else "not there yet, can be made"
    yield Finding("ok", "data directory", f"{place} ({state})")
    weakness = mounts.weakness(place)
    if weakness:
        yield Finding(
            "note",
            "data directory",
            weakness,
            "Mount a volume that lasts, on a local disk, and name a directory on it in "
            "MEM9_ASYNC_DATA_DIR.",
        )
    journals = list(journal_directory(place).glob("*.db"))
    if journals:
        yield Finding(
            "ok",
            "journals",
            f"{len(journals)} file(s): `python -m mem9_async queue status` looks in",
        )
    free = shutil.disk_usage(existing).free
    wanted = settings.journal_max_bytes + _RESERVE_BYTES
    said = f"{free // _MIB:,} MiB, a full journal takes {wanted // _MIB:,} MiB"
    if free < wanted:
        yield Finding(
            "bad", "free space", said, "Free some, or lower MEM9_ASYNC_JOURNAL_MAX_BYTES."
        )
    else:
        yield Finding("ok", "free space", said)


def authorities() -> Iterator[Finding]:
    """Look at the files of additional authorities that the environment names."""
    for name, path in trust.authorities().items():
        try:
            trust.add(ssl.create_default_context(), path)
        except OSError as exc:
            why = "no certificate in it" if isinstance(exc, ssl.SSLError) else exc.strerror
            yield Finding("bad", name, f"{path}: {why}", "Name a readable PEM file, or unset it.")
        else:
            yield Finding("ok", name, f"{path} is trusted as well")


def proxy(asked: Space | str | None) -> Finding:
    """Say which way leads to mem9, as the environment has it."""
    base_url = asked.base_url if isinstance(asked, Space) else asked or HOSTED
    try:
        found = proxy_for(URL(base_url))
    except UnusableProxy as exc:
        kind = exc.scheme or "malformed"
        return Finding(
            "bad",
            "proxy",
            f"for {base_url} the environment names a proxy that cannot be used ({kind})",
            "Only http:// and https:// proxies can: change HTTPS_PROXY or ALL_PROXY, or except "
            "the host with NO_PROXY.",
        )
    except ValueError:
        return Finding("bad", "proxy", f"{base_url} is no address", "Correct the base URL.")
    if found is None:
        return Finding("ok", "proxy", f"none: {base_url} is asked directly")
    where = f"{found.scheme}://{found.host}:{found.port}"  # without its password
    return Finding("ok", "proxy", f"{base_url} is asked through {where}")


async def mem9(asked: Space | str | None) -> Finding:
    """Ask mem9 whether it is there and takes the key. Costs nothing there."""
    if not isinstance(asked, Space):
        fix = "Give --base-url and --api-key (or MEM9_BASE_URL and MEM9_API_KEY)."
        return Finding("note", "mem9", f"{asked or 'not'} asked: no key given", fix)
    async with _client() as client:
        try:
            await client.validate(asked, "dify")
        except RequestFailed as exc:
            said = without_key(_said(exc), asked.api_key.get_secret_value())
            return Finding("bad", "mem9", f"{asked.base_url}: {said}", _advice(exc))
        calls = await client.evidence.model_calls(asked.base_url)
    if calls is not None and not calls.has_model:
        return Finding(
            "note",
            "mem9",
            f"{asked.base_url} takes the key, but has never called a language model: it seems to "
            "have none, and then keeps nothing of messages",
            "Give it one (MNEMO_LLM_API_KEY and its neighbours); until then the plugin sends "
            "memories word for word.",
        )
    return Finding("ok", "mem9", f"{asked.base_url} takes the key")


def _said(exc: RequestFailed) -> str:
    """What happened, with mem9's own sentence."""
    outcome = exc.outcome
    if not outcome.http_status:
        return exc.message
    answered = f"mem9 answered HTTP {outcome.http_status}"
    if outcome.sentence:
        answered += f": {outcome.sentence[:_SENTENCE_CHARS]}"
    return f"{outcome.error} ({answered})" if outcome.error else answered


def _advice(exc: RequestFailed) -> str:
    error_type = exc.outcome.error_type
    return _ADVICE.get(error_type, "") if error_type else ""


@asynccontextmanager
async def _client() -> AsyncIterator[Mem9Client]:
    client = Mem9Client(
        connect_timeout_s=5,
        attempt_timeout_s=10,
        search_timeout_s=10,
        keepalive_idle_s=10,
        max_in_flight=1,
        retry_after_max_s=10,
    )
    try:
        yield client
    finally:
        await client.aclose()
