"""How everything stands: the processes that run, and the journals that nobody has open."""

import time
from dataclasses import dataclass

from pydantic import JsonValue
from pydantic_core import to_json, to_jsonable_python

from mem9_async.cli.queue.targets import Replies, Targets
from mem9_async.models.inspection import StatusAsk
from mem9_async.models.job import JobState
from mem9_async.models.status_snapshot import StatusSnapshot, from_json


@dataclass(frozen=True)
class AtRest:
    """A journal that nobody has open."""

    journal_file: str
    depth: int
    counts: dict[str, int]
    parked: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """Everything there is in one data directory."""

    processes: tuple[StatusSnapshot, ...]
    journals: tuple[AtRest, ...]
    replies: Replies

    @property
    def depth(self) -> int:
        """Jobs that are still on their way."""
        return sum(each.depth for each in self.processes) + sum(
            each.depth for each in self.journals
        )

    @property
    def counts(self) -> dict[str, int]:
        """Jobs by state."""
        counts = {str(state): 0 for state in JobState if state is not JobState.CANCELLED}
        for told in (
            *(to_jsonable_python(each.counts) for each in self.processes),
            *(each.counts for each in self.journals),
        ):
            for state, amount in told.items():
                if state in counts:
                    counts[state] += amount
        return counts

    @property
    def wrong(self) -> bool:
        """Whether somebody should look: ill health, a parked space, dead letters, no answer."""
        now = time.time()
        return bool(
            self.replies.problems
            or self.counts[JobState.DEAD]
            or any(each.health != "ok" or each.parked_spaces for each in self.processes)
            or any(each.stale(now) for each in self.processes)
            or any(each.parked for each in self.journals)
        )

    def as_json(self) -> JsonValue:
        """One object with `depth`, `counts`, `processes` and `journals`."""
        told: JsonValue = to_jsonable_python(
            {
                "depth": self.depth,
                "counts": self.counts,
                "processes": self.processes,
                "journals": self.journals,
                "problems": [
                    {"name": reply.name, "running": reply.running, "problem": reply.problem}
                    for reply in self.replies.problems
                ],
            }
        )
        return told


async def standing(targets: Targets) -> Standing:
    """Ask everybody."""
    replies = await targets.ask(StatusAsk())
    processes, journals = [], []
    for reply in replies.results:
        if reply.running:
            processes.append(from_json(to_json(reply.result)))
        elif isinstance(reply.result, dict):
            journals.append(_at_rest(reply.result))
    return Standing(tuple(processes), tuple(journals), replies)


def _at_rest(told: dict[str, JsonValue]) -> AtRest:
    counts = told.get("counts")
    parked = told.get("parked_spaces")
    return AtRest(
        journal_file=str(told.get("journal_file")),
        depth=_number(told.get("depth")),
        counts={name: _number(value) for name, value in counts.items()}
        if isinstance(counts, dict)
        else {},
        parked=tuple(str(each.get("space")) for each in parked if isinstance(each, dict))
        if isinstance(parked, list)
        else (),
    )


def _number(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
