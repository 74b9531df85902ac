"""Charts as SVG, made here: no script is needed to see them."""

from dataclasses import dataclass

from mem9_async.dashboard.view import Line

WIDTH, HEIGHT = 300, 80
_TOP = 6


@dataclass(frozen=True, slots=True)
class Chart:
    """A line as paths in a box of WIDTH by HEIGHT, and the words that say the same."""

    name: str
    paths: tuple[str, ...]
    top: str
    last: str
    told: str


def drawn(line: Line) -> Chart:
    """Return *line* as a chart: its highest value touches the top, 0 is the bottom."""
    known = [value for value in line.values if value is not None]
    top = max(known, default=0.0)
    unit = f" {line.unit}" if line.unit and not line.unit.startswith("/") else line.unit
    last = next((value for value in reversed(line.values) if value is not None), None)
    last_told = "–" if last is None else f"{_number(last)}{unit}"
    return Chart(
        name=line.name,
        paths=tuple(_paths(line.values, top or 1.0)),
        top=f"{_number(top)}{unit}",
        last=last_told,
        told=f"{line.name} over the last hour: now {last_told}, at most {_number(top)}{unit}",
    )


def _paths(values: tuple[float | None, ...], top: float) -> list[str]:
    paths: list[str] = []
    run: list[str] = []
    step = WIDTH / max(1, len(values) - 1)
    for place, value in enumerate(values):
        if value is None:
            run = _closed(paths, run)
            continue
        y = HEIGHT - (HEIGHT - _TOP) * value / top
        run.append(f"{place * step:.1f} {y:.1f}")
    _closed(paths, run)
    return paths


def _closed(paths: list[str], run: list[str]) -> list[str]:
    if run:
        # One point alone would be invisible.
        run = run if len(run) > 1 else [*run, run[0]]
        paths.append("M" + " L".join(run))
    return []


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
