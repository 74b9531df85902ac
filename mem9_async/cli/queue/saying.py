"""What the commands of `queue` say, and the codes they end with."""

import json
from typing import NoReturn

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape

FINE, WRONG, USAGE, NOBODY = 0, 1, 2, 3


def usage(why: str) -> NoReturn:
    """End with *why*: the command line was wrong."""
    told(why, stderr=True)
    raise typer.Exit(USAGE)


def json_line(value: JsonValue) -> None:
    """Print *value* as one line of JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def told(text: str, *, stderr: bool = False) -> None:
    """Print a sentence as it is."""
    Console(stderr=stderr, soft_wrap=True, highlight=False).print(escape(text))


def console() -> Console:
    """Where tables go."""
    console = Console(soft_wrap=True, highlight=False)
    # Into a file or a pipe nothing is cut to the width of a terminal that is not there.
    return console if console.is_terminal else Console(soft_wrap=True, highlight=False, width=500)


def number(told: JsonValue, name: str) -> int:
    """A number of an answer; 0 where it is not there."""
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, int) else 0
