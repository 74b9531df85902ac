"""One line of the table: what a scenario did, and whether every promise was kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults import canary
from tests.faults.oracle import LaneName
from tests.faults.plugin import Plugin
from tests.faults.report import Report


@dataclass(frozen=True)
class Row:
    """`runs` counts kills, cells, processes or outages, as the scenario has them.

    `unanswered` are jobs that arrived although a kill kept their answer from the caller.
    `worst` names the scenario's worst times. `problems` is empty when all promises held.
    """

    scenario: str
    seed: int
    runs: int
    accepted: int
    delivered: int
    lost: int
    duplicates: int
    inversions: int
    worst: str
    problems: tuple[str, ...] = ()
    unanswered: int = 0

    @property
    def verdict(self) -> str:
        """`kept`, or what was broken."""
        return "; ".join(self.problems) or "kept"


def row(
    scenario: str,
    report: Report,
    *,
    seed: int,
    runs: int,
    worst: str,
    problems: Sequence[str],
) -> Row:
    """The row of a scenario with one oracle; *problems* include the report's own."""
    return Row(
        scenario=scenario,
        seed=seed,
        runs=runs,
        accepted=report.acknowledged,
        delivered=report.delivered,
        lost=report.missing,
        duplicates=report.duplicates,
        inversions=report.inversions,
        worst=worst,
        problems=tuple(problems),
        unanswered=report.unacknowledged,
    )


def upkeep(
    plugins: Iterable[Plugin], directory: Path, lanes: Iterable[LaneName], run: str
) -> list[str]:
    """What must hold of any plugin process: clean stdout, and no key or content written down."""
    wanted = canary.needles({lane.key for lane in lanes}, [f"run {run}"])
    problems = canary.in_directory(directory, wanted)
    for plugin in plugins:
        problems += canary.in_lines((line.raw for line in plugin.host.logs), wanted, "log")
        problems += canary.in_lines([plugin.host.stderr_tail.encode()], wanted, "stderr")
        if plugin.host.lines_not_json:
            problems.append(f"{len(plugin.host.lines_not_json)} broken lines on stdout")
    return problems


def over(name: str, value: float, limit: float, unit: str = "s", *, full: bool = True) -> list[str]:
    """One problem when *value* is above *limit* in a full run.

    A short run shares its processor with other tests and says nothing about speed.
    """
    return [f"{name} {value:.3g} {unit}, at most {limit:.3g}"] if full and value > limit else []
