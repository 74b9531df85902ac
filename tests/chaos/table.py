"""The table, for a person at a terminal and for a log file."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.row import Row

_COLUMNS = ("runs", "accepted", "delivered", "lost", "duplicates", "inversions")
_PLAIN_WIDTH = 200


def show(rows: Sequence[Row]) -> None:
    """Print one line per row and, below, every broken promise in full."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    table = Table("scenario", "seed", *_COLUMNS, "worst times", "verdict")
    for row in rows:
        numbers = (f"{getattr(row, name):,}" for name in _COLUMNS)
        verdict = "kept" if not row.problems else f"{len(row.problems)} BROKEN"
        table.add_row(row.scenario, str(row.seed), *numbers, row.worst, verdict)
    console.print(table)
    for row in rows:
        for problem in row.problems:
            console.print(f"{row.scenario} (seed {row.seed}): {problem}", markup=False)
