"""The commands of `memories`: their options, and what they print."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
import uvloop
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from mem9_async import settings as configuration
from mem9_async.cli.doctor import HOSTED
from mem9_async.cli.memories import exporting, importing
from mem9_async.models.errors import RequestFailed
from mem9_async.models.memory import ListQuery, Memory
from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Space
from mem9_async.runtime import components
from mem9_async.settings import Settings

_WRONG, _USAGE, _NOBODY = 1, 2, 3
_KINDS = "insight,pinned"
_AWAY = {ErrorType.DNS_ERROR, ErrorType.CONNECTION_REFUSED, ErrorType.CONNECT_TIMEOUT}

app = typer.Typer(
    no_args_is_help=True,
    help="All memories of a space as JSON lines, and back. The key is read from MEM9_API_KEY or "
    "from a file, never from the command line. Exit code 0: done; 1: something is wrong or not "
    "certain; 2: usage; 3: mem9 cannot be reached.",
)

BaseUrl = Annotated[str, typer.Option(envvar="MEM9_BASE_URL", help="Default: the hosted mem9.")]
KeyFile = Annotated[
    Path | None, typer.Option(help="A file with the key; else MEM9_API_KEY.", exists=True)
]


@app.command()
def export(
    *,
    out: Annotated[Path | None, typer.Argument(help="A file; stdout if left out.")] = None,
    base_url: BaseUrl = HOSTED,
    key_file: KeyFile = None,
    kind: Annotated[str, typer.Option(help="insight, pinned, or both.")] = _KINDS,
    agent_id: Annotated[str | None, typer.Option(help="Of this agent alone.")] = None,
    session_id: Annotated[str | None, typer.Option(help="Of this session alone.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="With this tag; all of several.")] = None,
) -> None:
    """Write every memory as a JSON line, the oldest first; costs no recall."""
    query = ListQuery(
        space=_space(base_url, key_file),
        caller_agent_id=agent_id or "dify",
        memory_type=kind,
        agent_id=agent_id,
        session_id=session_id,
        tags=tuple(tag or ()),
    )
    found, sure = uvloop.run(_read(query, _settings()))
    try:
        exporting.write(found, out, sys.stdout)
    except OSError as exc:
        _end(f"{out} cannot be written: {exc.strerror or exc}", _WRONG)
    _told(f"{len(found)} memories written.")
    if not sure:
        _end(
            "The list changed while it was read, so some may be missing or old. Export again when "
            "less is stored.",
            _WRONG,
        )


async def _read(query: ListQuery, settings: Settings) -> tuple[list[Memory], bool]:
    client = components.client(settings)
    try:
        return await exporting.read_all(client.list_memories, query)
    except RequestFailed as exc:
        away = exc.outcome.error_type in _AWAY
        _end(f"mem9 did not answer the list: {exc}", _NOBODY if away else _WRONG)
    finally:
        await client.aclose()


@app.command(name="import")
def import_memories(
    source: Annotated[Path, typer.Argument(help="JSON lines, each with content.", exists=True)],
    *,
    base_url: BaseUrl = HOSTED,
    key_file: KeyFile = None,
    extract: Annotated[
        bool, typer.Option("--extract", help="Have mem9 take facts from them, as from messages.")
    ] = False,
) -> None:
    """Store every line, in order and once: broken off, the same command goes on where it was."""
    space = _space(base_url, key_file)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if importing.left_over(source):
        _told(f"Going on with what {importing.queue_of(source).name} holds.")
    try:
        lines = importing.read(source)
        done = uvloop.run(
            importing.import_all(
                lines, space, source, _settings(), extract=extract, tell=lambda _done, _left: None
            )
        )
    except importing.Unreadable as exc:
        _end(str(exc), _WRONG)
    except OSError as exc:
        _end(f"{source} cannot be read: {exc.strerror or exc}", _WRONG)
    except UnicodeDecodeError:
        _end(f"{source} is not UTF-8 text.", _WRONG)
    _told(f"{done.lines - done.dead - done.left} of {done.lines} memories stored.")
    if done.dead or done.left:
        folder = importing.queue_of(source)
        _end(
            f"{done.dead} were refused by mem9, {done.left} wait. They are kept: look with "
            f"`queue list --data-dir {folder}`, then run the import again.",
            _WRONG,
        )


def _space(base_url: str, key_file: Path | None) -> Space:
    key = key_file.read_text().strip() if key_file else os.environ.get("MEM9_API_KEY", "").strip()
    if not key:
        _end("Set MEM9_API_KEY, or give --key-file.", _USAGE)
    return Space(base_url=base_url.rstrip("/"), api_key=SecretStr(key))


def _settings() -> Settings:
    settings, _ = configuration.load()
    return settings


def _told(text: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(escape(text))


def _end(text: str, code: int) -> NoReturn:
    _told(text)
    raise typer.Exit(code)
