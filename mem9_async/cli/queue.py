"""`queue ...`: the journals of a plugin that is not running. A running one is asked in Dify."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from rich.console import Console
from rich.markup import escape

from mem9_async import settings as configuration
from mem9_async.cli import journals
from mem9_async.cli.journals import Closed, OpenJournal
from mem9_async.models.job import JobState, QueueCommand
from mem9_async.queue.journal.census import Census
from mem9_async.runtime.app import App
from mem9_async.runtime.storage.storage import Storage, open_storage
from mem9_async.settings import Settings

_POLL_S = 0.1
_ADOPTION_LIMIT_S = 5.0

app = typer.Typer(
    no_args_is_help=True,
    help="Look into the write queue of a plugin that is not running, or empty it. "
    "A running plugin is asked in Dify, with memory_queue.",
)
DataDir = Annotated[
    Path | None, typer.Option(help="The plugin's data directory, if it is not the default one.")
]


@app.command()
def status(data_dir: DataDir = None) -> None:
    """Say what waits, is parked or dead, space by space."""
    console = Console(soft_wrap=True, highlight=False)
    for each in _each(_settings(data_dir), console):
        for space_id in each.census.spaces():
            console.print(f"  {_space(each, space_id)}")


@app.command()
def list_dead(
    *,
    data_dir: DataDir = None,
    content: Annotated[bool, typer.Option("--content", help="Show what they say, too.")] = False,
) -> None:
    """List the jobs that mem9 refused for good, the newest first."""
    console = Console(soft_wrap=True, highlight=False)
    for each in _each(_settings(data_dir), console):
        for letter in each.census.dead_letters():
            age_s = time.time() - letter.finished_at
            session = f", session {letter.session_id}" if letter.session_id else ""
            console.print(
                escape(
                    f"  {letter.job_id}  {_age(age_s)} ago{session}: "
                    f"{letter.error_type}, {letter.error}"
                )
            )
            if content:
                told = letter.content if letter.content is not None else "(damaged)"
                console.print(escape(f"      {told}"))


@app.command()
def retry_dead(
    job_id: Annotated[str | None, typer.Argument(help="One job; all of them if left out.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Put dead letters back in line; they are sent when the plugin starts, or by `queue flush`."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        bytes.fromhex(job_id or "")
    except ValueError as exc:
        raise typer.BadParameter("a job id is hexadecimal", param_hint="job_id") from exc
    replayed = 0
    for each in _each(_settings(data_dir), console):
        replayed += sum(
            each.reports.replay(space_id, job_id)[0] for space_id in each.census.spaces()
        )
    console.print(f"{replayed} job(s) put back in line.")


@app.command()
def flush(
    data_dir: DataDir = None,
    limit_s: Annotated[float, typer.Option(min=1, help="Give up after this many seconds.")] = 60.0,
) -> None:
    """Deliver everything that waits, now and without Dify; exit 1 if something is left."""
    console = Console(soft_wrap=True, highlight=False)
    settings = _settings(data_dir).model_copy(
        update={"linger_ms": 0, "linger_max_ms": 0, "adopt_interval_ms": 100}
    )
    if not journals.files(settings):
        console.print("No journal there: nothing waits.")
        return
    # What the queue does is logged; here only what goes wrong is of interest.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    storage = open_storage(settings, Path.cwd())
    if storage.claim is None:
        storage.close()
        console.print(escape(f"The journals cannot be opened: {storage.reason}"))
        raise typer.Exit(1)
    left = uvloop.run(_flush(settings, storage, limit_s))
    others = len(journals.files(settings) - {storage.claim.path})
    if others:
        console.print(f"{others} journal(s) left alone: see `queue status`.")
    console.print(f"{left} job(s) still wait." if left else "Nothing waits any more.")
    if left:
        raise typer.Exit(1)


async def _flush(settings: Settings, storage: Storage, limit_s: float) -> int:
    running = App(settings, storage)
    running.start()
    own = storage.claim.path if storage.claim else None
    began = time.monotonic()
    try:
        for space_id in Census(storage.journal).spaces():
            if (space := storage.journal.addresses.space(space_id)) is not None:
                running.queue(QueueCommand(space=space, action="flush"))
        while (elapsed_s := time.monotonic() - began) < limit_s:
            await asyncio.sleep(_POLL_S)
            adopting = journals.files(settings) - {own} and elapsed_s < _ADOPTION_LIMIT_S
            if not running.lanes.depth and not adopting:
                break
        return running.lanes.depth
    finally:
        await running.aclose()


def _settings(data_dir: Path | None) -> Settings:
    settings, _ = configuration.load()
    return settings if data_dir is None else settings.model_copy(update={"data_dir": data_dir})


def _each(settings: Settings, console: Console) -> Iterator[OpenJournal]:
    found = 0
    for each in journals.opened(settings):
        found += 1
        if isinstance(each, Closed):
            console.print(escape(f"journal {each.name}: {each.why}"))
        else:
            console.print(f"journal {each.name}")
            yield each
    if not found:
        console.print("No journal there: nothing waits.")


def _space(each: OpenJournal, space_id: int) -> str:
    journal = each.journal
    park = next((park for park in journal.parks.all() if park.space_id == space_id), None)
    now = time.time()
    stats = each.reports.stats(space_id, parked=park is not None, now=now, errors=0)
    counts = ", ".join(f"{count} {state}" for state, count in stats.counts.items() if count)
    space = journal.addresses.space(space_id)
    told = f"space {journal.addresses.space_name(space_id)}"
    told += f" at {space.base_url}" if space else " (key not kept)"
    told += f": {counts}"
    if stats.oldest_at is not None:
        told += f"; oldest {_age(now - stats.oldest_at)}"
    if park is not None:
        told += f"; parked: {park.reason}"
    if stats.counts[JobState.DEAD]:
        told += "; see `queue list-dead`"
    return escape(told)


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
