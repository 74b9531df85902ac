"""`queue top`: how the queue stands, redrawn in place until q is pressed."""

import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mem9_async.cli.queue.standing import Standing
from mem9_async.cli.queue.tables import standing_lines


def watch(console: Console, look: Callable[[], Standing], every_s: float) -> Standing:
    """Draw until q or Ctrl+C; the last look. Where there is no terminal, once."""
    found = look()
    if not console.is_terminal or not sys.stdin.isatty():
        console.print(_drawn(found))
        return found
    with _keys(), Live(_drawn(found), console=console, screen=True) as live:
        try:
            while not _quit_within(every_s):
                found = look()
                live.update(_drawn(found))
        except KeyboardInterrupt:
            pass
    return found


def _drawn(found: Standing) -> Text:
    lines = [time.strftime("%H:%M:%S   q ends it"), *standing_lines(found)]
    return Text.from_markup("\n".join(lines))


@contextmanager
def _keys() -> Iterator[None]:
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _quit_within(seconds: float) -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and sys.stdin.read(1) in "qQ"
