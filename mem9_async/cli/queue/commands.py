"""The commands of `queue`: their options, and what they print. What they do is elsewhere."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
import uvloop
from pydantic import JsonValue, ValidationError
from rich.console import Console
from rich.markup import escape

from mem9_async import settings as configuration
from mem9_async.cli.queue import moving, tables, top
from mem9_async.cli.queue.dashboard import serve as serve_page
from mem9_async.cli.queue.delivering import deliver_what_rests
from mem9_async.cli.queue.filters import read_filter
from mem9_async.cli.queue.options import (
    DataDir,
    Ids,
    Json,
    OfError,
    OfLane,
    OfReference,
    OfSpace,
    Older,
    States,
    Yes,
)
from mem9_async.cli.queue.questions import count, listed, stories
from mem9_async.cli.queue.standing import Standing, standing
from mem9_async.cli.queue.targets import Replies, Targets
from mem9_async.models.inspection import ChangeAsk, HoldAsk, JobFilter
from mem9_async.settings import Settings

FINE, WRONG, USAGE, NOBODY = 0, 1, 2, 3

app = typer.Typer(
    no_args_is_help=True,
    help="Look into the write queue of plugins that run, and of journals that nobody has open. "
    "Exit code 0: fine; 1: something is wrong; 2: usage; 3: nothing there to talk to.",
)


@app.command()
def status(*, data_dir: DataDir = None, as_json: Json = False) -> None:
    """How the queue stands: counts, ages, rates, parked spaces, health; a line a process."""
    found = _run(lambda: standing(Targets(_settings(data_dir))))
    if as_json:
        _json(found.as_json())
    else:
        tables.print_standing(_console(), found)
    _leave(found)


@app.command(name="top")
def live(
    data_dir: DataDir = None,
    every_s: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
) -> None:
    """The same, redrawn in place; q ends it."""
    targets = Targets(_settings(data_dir))
    found = top.watch(_console(), lambda: uvloop.run(standing(targets)), every_s)
    _leave(found)


@app.command(name="list")
def list_jobs(
    *,
    data_dir: DataDir = None,
    as_json: Json = False,
    state: States = None,
    space: OfSpace = None,
    lane: OfLane = None,
    error_type: OfError = None,
    reference: OfReference = None,
    older_than: Older = None,
    limit: Annotated[int, typer.Option(min=1, help="Jobs at most.")] = 100,
    after: Annotated[str | None, typer.Option(help="Go on behind this job id.")] = None,
) -> None:
    """Jobs, the newest first."""
    wanted = _filter(None, state, space, lane, error_type, reference, older_than)
    jobs, replies = _run(lambda: listed(Targets(_settings(data_dir)), wanted, limit, after))
    if as_json:
        for job in jobs:
            _json(job.model_dump(mode="json"))
    else:
        tables.print_jobs(_console(), jobs, more=len(jobs) == limit)
    _end(replies)


@app.command()
def show(
    *,
    job_id: Annotated[str | None, typer.Argument(help="One job.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    reference: OfReference = None,
    content: Annotated[bool, typer.Option("--content", help="What it says, too.")] = False,
) -> None:
    """All that happened to a job, or to each job of a reference; also to those that have gone."""
    if (job_id is None) == (reference is None):
        _usage("give a job id, or --reference")
    if job_id is not None:
        _filter([job_id])  # says what a job id looks like
    found, replies = _run(
        lambda: stories(Targets(_settings(data_dir)), job_id, reference, content=content)
    )
    for story in found:
        if as_json:
            _json(story.model_dump(mode="json", exclude_none=True))
        else:
            tables.print_story(_console(), story)
    if not found and not replies.nobody:
        what = f"job {job_id}" if job_id else f"reference {reference}"
        _told(f"Nothing is known of {what} (any more).")
        raise typer.Exit(WRONG)
    _end(replies)


@app.command()
def retry(
    *,
    job_ids: Ids = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    state: States = None,
    space: OfSpace = None,
    lane: OfLane = None,
    error_type: OfError = None,
    reference: OfReference = None,
    older_than: Older = None,
    yes: Yes = False,
) -> None:
    """Send dead letters again: these, or all that the filter matches."""
    wanted = _filter(job_ids, state or ["dead"], space, lane, error_type, reference, older_than)
    _change("retry", wanted, data_dir, as_json=as_json, yes=yes, what="send {} again")


@app.command()
def discard(
    *,
    job_ids: Ids = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    state: States = None,
    space: OfSpace = None,
    lane: OfLane = None,
    error_type: OfError = None,
    reference: OfReference = None,
    older_than: Older = None,
    yes: Yes = False,
) -> None:
    """Take jobs out for good: these, or all that the filter matches. Not what is on its way."""
    wanted = _filter(job_ids, state, space, lane, error_type, reference, older_than)
    if wanted == JobFilter():
        _usage("say which jobs: ids, or a filter such as --state dead")
    _change("discard", wanted, data_dir, as_json=as_json, yes=yes, what="discard {} for good")


@app.command()
def flush(
    *,
    job_ids: Ids = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    space: OfSpace = None,
    reference: OfReference = None,
    limit_s: Annotated[float, typer.Option(min=1, help="At rest: give up after so long.")] = 60.0,
) -> None:
    """Send what waits now. Journals at rest are delivered from here; exit 1 if some is left."""
    settings = _settings(data_dir)
    wanted = _filter(job_ids, None, space, None, None, reference, None)
    replies = _run(lambda: Targets(settings).ask(ChangeAsk(do="flush", filter=wanted)))
    running = [reply for reply in replies.results if reply.running]
    affected = sum(_number(reply.result, "affected") for reply in running)
    left = deliver_what_rests(settings, limit_s) if not running else 0
    if as_json:
        _json({"affected": affected, "left": left})
    else:
        _told(f"{affected} job(s) of running plugins go now." if running else _left(left))
    if left:
        raise typer.Exit(WRONG)
    _end(replies)


@app.command()
def pause(*, space: OfSpace = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Hold a space back, or everything; stores are still accepted. A restart changes nothing."""
    _hold("pause", space, data_dir, as_json=as_json)


@app.command()
def resume(*, space: OfSpace = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let a held space go on, or everything."""
    _hold("resume", space, data_dir, as_json=as_json)


@app.command()
def export(
    *,
    out: Annotated[Path | None, typer.Argument(help="A file; stdout if left out.")] = None,
    data_dir: DataDir = None,
    content: Annotated[bool, typer.Option("--content", help="What they say, unsealed.")] = False,
) -> None:
    """Write every job as a JSON line, oldest first: sealed as they are, so `import` takes them."""
    written, replies = _run(
        lambda: moving.export(Targets(_settings(data_dir)), out, content=content)
    )
    _told(f"{written} job(s) written.", stderr=out is None)
    _end(replies)


@app.command(name="import")
def import_jobs(
    source: Annotated[Path, typer.Argument(help="A file of `queue export`.", exists=True)],
    data_dir: DataDir = None,
) -> None:
    """Take exported jobs back, in their order; a running plugin adopts them within a minute."""
    try:
        taken, left = moving.import_(_settings(data_dir), source)
    except moving.Unreadable as exc:
        _told(str(exc), stderr=True)
        raise typer.Exit(WRONG) from exc
    _told(f"{taken} job(s) taken back; {left} left out: mem9 had taken them, or they are equal.")


@app.command()
def dashboard(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any free one.")] = 8091,
    token: Annotated[bool, typer.Option("--token", help="Ask for a secret here, too.")] = False,
    data_dir: DataDir = None,
) -> None:
    """A page that shows the queue and acts on it, for a browser on this machine."""
    try:
        uvloop.run(serve_page(Targets(_settings(data_dir)), host, port, token=token, say=_told))
    except OSError as exc:
        _usage(f"{host}:{port} cannot be used: {exc.strerror or exc}")
    except KeyboardInterrupt:
        pass


def _change(
    do: Literal["retry", "discard"],
    wanted: JobFilter,
    data_dir: Path | None,
    *,
    as_json: bool,
    yes: bool,
    what: str,
) -> None:
    targets = Targets(_settings(data_dir))
    if not yes:
        matching, replies = _run(lambda: count(targets, wanted))
        if replies.nobody:
            _end(replies)
        if not sys.stdin.isatty():
            _usage(f"{matching} job(s) match; repeat it with --yes to {what.format('them')}")
        if not typer.confirm(f"This will {what.format(f'{matching} job(s)')}. Go on?"):
            raise typer.Exit(FINE)
    replies = _run(lambda: targets.ask(ChangeAsk(do=do, filter=wanted)))
    affected = sum(_number(reply.result, "affected") for reply in replies.results)
    skipped = sum(_number(reply.result, "skipped") for reply in replies.results)
    if as_json:
        _json({"affected": affected, "skipped": skipped})
    else:
        left = f", {skipped} left: they are on their way" if skipped else ""
        _told(f"{affected} job(s){left}.")
    _end(replies)


def _hold(
    do: Literal["pause", "resume"], space: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    replies = _run(lambda: Targets(_settings(data_dir)).ask(HoldAsk(do=do, space=space)))
    changed = any(
        isinstance(reply.result, dict) and reply.result.get("changed") for reply in replies.results
    )
    if as_json:
        _json({"changed": changed, "space": space})
    elif replies.results:
        what = f"space {space}" if space else "everything"
        state = "held back" if do == "pause" else "let go"
        _told(f"{what} is {state}{'' if changed else ' already'}.")
    if space is not None and replies.results:
        return  # others do not know the space: that is no trouble
    _end(replies)


def _run[T](work: Callable[[], Coroutine[object, object, T]]) -> T:
    return asyncio.run(work())


def _settings(data_dir: Path | None) -> Settings:
    settings, _ = configuration.load()
    return settings if data_dir is None else settings.model_copy(update={"data_dir": data_dir})


def _filter(
    job_ids: list[str] | None,
    state: list[str] | None = None,
    space: str | None = None,
    lane: str | None = None,
    error_type: str | None = None,
    reference: str | None = None,
    older_than: float | None = None,
) -> JobFilter:
    try:
        return read_filter(job_ids, state, space, lane, error_type, reference, older_than)
    except (ValueError, ValidationError) as exc:
        _usage(str(exc))


def _usage(why: str) -> NoReturn:
    _told(why, stderr=True)
    raise typer.Exit(USAGE)


def _end(replies: Replies) -> None:
    """Say what went wrong, and leave with the code for it."""
    for reply in replies.problems:
        kind = "plugin" if reply.running else "journal"
        _told(f"{kind} {reply.name}: {reply.problem}", stderr=True)
    if replies.nobody:
        _told("No running plugin and no journal there.", stderr=True)
        raise typer.Exit(NOBODY)
    if replies.problems:
        raise typer.Exit(WRONG)


def _leave(found: Standing) -> None:
    if found.replies.nobody:
        _end(found.replies)
    if found.wrong:
        raise typer.Exit(WRONG)


def _left(left: int) -> str:
    return f"{left} job(s) still wait." if left else "Nothing waits any more."


def _number(told: JsonValue, name: str) -> int:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, int) else 0


def _json(value: JsonValue) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _told(text: str, *, stderr: bool = False) -> None:
    Console(stderr=stderr, soft_wrap=True, highlight=False).print(escape(text))


def _console() -> Console:
    console = Console(soft_wrap=True, highlight=False)
    # Into a file or a pipe nothing is cut to the width of a terminal that is not there.
    return console if console.is_terminal else Console(soft_wrap=True, highlight=False, width=500)
