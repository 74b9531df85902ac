"""Options that several commands of `queue` share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None, typer.Option(help="The plugin's data directory, if it is not the default one.")
]
Json = Annotated[bool, typer.Option("--json", help="For programs: JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Job ids; or give a filter.")]
States = Annotated[list[str] | None, typer.Option("--state", help="available, dead, ...")]
OfSpace = Annotated[str | None, typer.Option("--space", help="Fingerprint (8 hex) of a space.")]
OfLane = Annotated[str | None, typer.Option("--lane", help="Fingerprint (8 hex) of a lane.")]
OfError = Annotated[str | None, typer.Option("--error-type", help="unavailable, rejected, ...")]
OfReference = Annotated[str | None, typer.Option("--reference", help="As given to memory_store.")]
Older = Annotated[float | None, typer.Option("--older-than", help="Seconds.")]
