"""The measured stretches as tables, and beside the targets."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from benchmarks.load import Sample

_LEAST = 1e-9  # keeps a ratio to nothing finite
FLOOR, SYNCHRONOUS, OURS = "floor", "synchronous", "mem9_async"


@dataclass(frozen=True)
class Case:
    """What was measured: the tool, how many callers, how long the server takes to answer."""

    tool: str
    callers: int
    delay_ms: int


def _rate(sample: Sample) -> float:
    return sample.rate


@dataclass
class Results:
    """Samples by case and plugin, one per round; the floor has no server and no tool."""

    samples: dict[tuple[Case, str], list[Sample]] = field(default_factory=dict)

    def add(self, case: Case, plugin: str, sample: Sample) -> None:
        """Keep one more round."""
        self.samples.setdefault((case, plugin), []).append(sample)

    def median(self, case: Case, plugin: str, of: Callable[[Sample], float]) -> float:
        """Return the median over the rounds."""
        return statistics.median(of(each) for each in self.samples[case, plugin])

    def ratio(
        self,
        case: Case,
        plugin: str,
        against: str,
        of: Callable[[Sample], float] = lambda s: s.rate,
    ) -> float:
        """Return the median over the rounds of what *plugin* had relative to *against*."""
        pairs = zip(self.samples[case, plugin], self.samples[case, against], strict=True)
        return statistics.median(of(mine) / max(of(theirs), _LEAST) for mine, theirs in pairs)

    @property
    def cases(self) -> list[Case]:
        """Every case, in the order of measuring."""
        return list(dict.fromkeys(case for case, _ in self.samples))


def table(results: Results) -> Table:
    """Return one line per case and plugin."""
    shown = Table(
        "tool", "callers", "server", "plugin", "calls/s", "p50", "p99", "of floor", "of synchronous"
    )
    for case in results.cases:
        for plugin in (FLOOR, SYNCHRONOUS, OURS):
            shown.add_row(
                case.tool,
                str(case.callers),
                f"{case.delay_ms} ms",
                plugin,
                f"{results.median(case, plugin, _rate):,.0f}",
                f"{results.median(case, plugin, lambda s: s.p50_s) * 1000:.2f} ms",
                f"{results.median(case, plugin, lambda s: s.p99_s) * 1000:.2f} ms",
                f"{results.ratio(case, plugin, FLOOR):.2f}",
                f"{results.ratio(case, plugin, SYNCHRONOUS):.2f}",
            )
        shown.add_section()
    return shown


def print_targets(console: Console, results: Results) -> None:
    """Print each target with what was measured. A busy machine may miss one: nothing fails here."""
    console.print("\nTargets (median over the rounds):")
    for case in results.cases:
        for what, value, limit, at_most in _targets(results, case):
            met = value <= limit if at_most else value >= limit
            sign = "<=" if at_most else ">="
            word = "[green]met[/]" if met else "[red]missed[/]"
            place = f"{case.tool}, {case.callers} caller(s), server {case.delay_ms} ms"
            console.print(
                f"  {place}: {what} {value:.2f} (target {sign} {limit:g}) {word}", soft_wrap=True
            )


def _targets(results: Results, case: Case) -> list[tuple[str, float, float, bool]]:
    against_synchronous = results.ratio(case, OURS, SYNCHRONOUS)
    if case.tool == "memory_search":
        # One at a time, a search takes what the server and the network take, in any plugin.
        if case.callers == 1:
            return []
        return [("rate to the synchronous plugin's", against_synchronous, 1.5, False)]
    if case.callers == 1:
        slower = results.ratio(case, OURS, FLOOR, lambda s: s.p50_s)
        return [("p50 to the floor's", slower, 2.0, True)]
    return [
        ("rate to the floor's", results.ratio(case, OURS, FLOOR), 0.35, False),
        ("rate to the synchronous plugin's", against_synchronous, 2.5, False),
    ]
