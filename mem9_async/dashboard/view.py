"""What the page shows, put into words and numbers; nothing of it is markup."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mem9_async.models.inspection import JobRow
from mem9_async.models.status_snapshot import Point, StatusSnapshot


@dataclass(frozen=True, slots=True)
class Figure:
    """One number at a glance."""

    name: str
    value: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Parked:
    """A space that waits. `held` when a person holds it."""

    space: str
    reason: str
    since: str
    ends: str
    jobs: int
    held: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One chart: its name, its unit and its values, the oldest first; None is a gap."""

    name: str
    unit: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class View:
    """All that one page shows."""

    state: str
    sentences: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    processes: tuple[tuple[str, ...], ...] = ()
    parked: tuple[Parked, ...] = ()
    dead: tuple[tuple[str, int], ...] = ()
    charts: tuple[Line, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    more: str | None = None
    all_held: bool = False
    can_hold_all: bool = True
    problems: tuple[str, ...] = field(default_factory=tuple)


def age(seconds: float | None) -> str:
    """A time as people say it."""
    if seconds is None:
        return "–"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def short(seconds: float | None) -> str:
    """A latency as people say it."""
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.2g} ms" if seconds < 1 else f"{seconds:.3g} s"


def lines(snapshots: Sequence[StatusSnapshot]) -> tuple[Line, ...]:
    """The charts of the last hour: of the process with the longest one, as they cannot be added."""
    histories = [each.history for each in snapshots if each.history.points]
    if not histories:
        return ()
    history = max(histories, key=lambda each: len(each.points))
    points = history.points
    step_s = history.step_s or 1.0

    def of(name: str, unit: str, *values: float | None) -> Line:
        return Line(name, unit, values)

    return (
        of("Jobs on their way", "", *(float(point.depth) for point in points)),
        of("Stores taken", "/s", *(point.accepted / step_s for point in points)),
        of("Jobs delivered", "/s", *(point.delivered / step_s for point in points)),
        of("A store waits (p99)", "ms", *(_ms(point) for point in points)),
        of("Accepted to delivered (p99)", "s", *(point.delivery_p99_s for point in points)),
        of("Jobs in a batch", "", *(point.batch_jobs for point in points)),
    )


def _ms(point: Point) -> float | None:
    return None if point.accept_p99_s is None else point.accept_p99_s * 1000
