"""The demonstration on a terminal (a live table) or without one (plain lines)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from mem9_async.cli.demo.progress import Progress

LANES_SHOWN = 8
_PLAIN_EVERY_S = 1.0


class Screen(Protocol):
    """Shows how far things are."""

    def show(self, progress: Progress) -> None:
        """Show *progress* as it is now."""


@contextmanager
def screen(console: Console) -> Iterator[Screen]:
    """A live table where *console* is a terminal, a line a second where it is not."""
    if not console.is_terminal:
        yield _Plain(console)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield _Table(live)


class _Table:
    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, progress: Progress) -> None:
        self._live.update(_picture(progress), refresh=True)


class _Plain:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0

    def show(self, progress: Progress) -> None:
        if progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + _PLAIN_EVERY_S
            told = ", ".join(f"{name} {value}" for name, value in progress.facts())
            self._console.print(
                f"{progress.elapsed_s:5.1f} s  {told}", highlight=False, soft_wrap=True
            )


def _picture(progress: Progress) -> RenderableType:
    numbers = Table.grid(padding=(0, 2))
    numbers.add_column(style="dim")
    numbers.add_column(justify="right", min_width=9)
    for name, value in progress.facts():
        numbers.add_row(name, value)
    lanes = Table("conversation", "waiting", "oldest", box=None, header_style="dim", min_width=44)
    deepest = sorted(progress.queue.lanes, key=lambda lane: lane.depth, reverse=True)
    for lane in deepest[:LANES_SHOWN]:
        age = "" if lane.oldest_age_s is None else f"{lane.oldest_age_s:.1f} s"
        lanes.add_row(lane.session_id or lane.lane, "█" * min(lane.depth, 20), age)
    doing = "twenty conversations are storing facts" if progress.storing else "draining"
    return Panel(
        Group(
            Columns([numbers, lanes], padding=(0, 4)),
            "",
            *(f"[dim]{event}[/]" for event in progress.events),
        ),
        title=f"mem9_async: {doing}",
        subtitle=f"{progress.elapsed_s:.1f} s",
        height=LANES_SHOWN + 10,
    )
