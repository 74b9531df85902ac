"""The commands and their options; each hands over to the module that does it."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from mem9_async.cli import doctor as examination
from mem9_async.cli.demo.run import run as run_demo
from mem9_async.cli.memories import commands as memories
from mem9_async.cli.package import PackageRefused, build
from mem9_async.cli.queue import commands as queue
from mem9_async.devserver.flavour import Database, Flavour, Generation
from mem9_async.devserver.serve import serve_forever

ROOT = Path(__file__).parents[2]  #: the checkout, or the folder of the installed package

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Long-term memory in mem9 for Dify: things to run beside the plugin.",
)
app.add_typer(queue.app, name="queue")
app.add_typer(memories.app, name="memories")


@app.command()
def demo(seed: Annotated[int, typer.Option(help="Other pauses between the bursts.")] = 9) -> None:
    """Run an embedded mem9, the plugin and twenty conversations; exit 0 when nothing was lost."""
    if not uvloop.run(run_demo(ROOT, Console(), seed=seed)):
        raise typer.Exit(1)


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any free one.")] = 8090,
    data: Annotated[Path | None, typer.Option(help="SQLite file that keeps the data.")] = None,
    database: Annotated[
        Database, typer.Option(help="Whose limits and routes: mem9 on TiDB or on PostgreSQL.")
    ] = "tidb",
    server: Annotated[
        Generation, typer.Option(help="Which mem9: of May 2026, a newer one, or that on aws.")
    ] = "new",
    llm: Annotated[bool, typer.Option(help="Without: messages become no facts.")] = True,
    embedder: Annotated[bool, typer.Option(help="Without: recall by keyword alone.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="--no-llm --no-embedder")] = False,
    key: Annotated[str | None, typer.Option(help="API key to accept; made up if absent.")] = None,
    ingest_delay_s: Annotated[
        float, typer.Option(min=0, help="Seconds until a stored memory can be found.")
    ] = 0.0,
    answer_delay_s: Annotated[
        float, typer.Option(min=0, help="Seconds added to every answer.")
    ] = 0.0,
) -> None:
    """Run an embedded mem9 until Ctrl+C. It needs no account and no LLM."""
    try:
        uvloop.run(
            serve_forever(
                host,
                port,
                data,
                key,
                flavour=Flavour(database, llm and not strict, embedder and not strict, server),
                ingest_delay_s=ingest_delay_s,
                answer_delay_s=answer_delay_s,
            )
        )
    except (OSError, ValueError) as exc:
        raise typer.BadParameter(str(exc)) from exc


@app.command()
def doctor(
    *,
    base_url: Annotated[
        str | None, typer.Option(envvar="MEM9_BASE_URL", help="mem9 to ask; default: the hosted.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="MEM9_API_KEY", help="Key to check.", show_envvar=True)
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Data directory to look at instead of the configured one.")
    ] = None,
    provision: Annotated[
        bool, typer.Option("--provision", help="Make a space on a self-hosted mem9; print its key.")
    ] = False,
) -> None:
    """Say what is wrong with this machine, the settings or the key, and how to mend it."""
    console = Console()
    if provision:
        if base_url is None:
            raise typer.BadParameter("--provision needs --base-url", param_hint="--base-url")
        healthy = uvloop.run(examination.provision(console, base_url))
    else:
        target = examination.target(base_url, api_key)
        healthy = uvloop.run(examination.examine(console, target, data_dir=data_dir))
    if not healthy:
        raise typer.Exit(1)


@app.command()
def package(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the package.")] = Path("dist"),
    lock: Annotated[
        bool, typer.Option(help="Put a fresh uv.lock into it (needs uv and a package index).")
    ] = True,
) -> None:
    """Build dist/mem9_async-<version>.difypkg, ready to upload in Dify."""
    console = Console()
    try:
        built = build(ROOT, out, lock=lock)
    except PackageRefused as exc:
        console.print(f"[red]{exc}[/]", soft_wrap=True)
        raise typer.Exit(1) from exc
    for note in built.notes:
        console.print(note, soft_wrap=True, highlight=False)
    size_kib = built.path.stat().st_size / 1024
    console.print(f"{built.path}: {built.files} files, {size_kib:.0f} KiB", soft_wrap=True)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context) -> None:
    """Measure calls a second against a do-nothing and a synchronous plugin (checkout only)."""
    if not (ROOT / "benchmarks").is_dir():
        Console().print("The benchmarks are part of the checkout, not of the package.")
        raise typer.Exit(1)
    command = [sys.executable, "-m", "benchmarks", *context.args]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, check=False).returncode)
