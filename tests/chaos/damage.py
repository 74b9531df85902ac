"""Journals damaged in every way a disk, a person or a copy can: the start, and what it kept."""

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.chaos.row import Row, over
from tests.faults.damage import Damaged, damage_once

_FULL, _SHORT = 1_000, 30
_START_S = 5.0


async def damaged_journals(directory: Path, seed: int, *, full: bool) -> Row:
    """Damage a journal a thousand times, each time another way, and start on it."""
    runs = _FULL if full else _SHORT
    by_kind: defaultdict[str, list[Damaged]] = defaultdict(list)
    problems: list[str] = []
    for number in range(seed, seed + runs):
        done = await asyncio.to_thread(_once, directory, number)
        by_kind[done.how].append(done)
        problems += [f"{done.how} (seed {number}): {problem}" for problem in done.problems]
    every = [done for each in by_kind.values() for done in each]
    start_s = max(done.start_s for done in every)
    if len(by_kind) < (11 if full else 5):  # otherwise the run proves little
        problems.append(f"only {len(by_kind)} kinds of damage")
    kept = ", ".join(f"{how} {_kept(each):.1%}" for how, each in sorted(by_kind.items()))
    return Row(
        scenario="damaged journals",
        seed=seed,
        runs=runs,
        accepted=sum(done.accepted for done in every),
        delivered=sum(done.kept for done in every),
        lost=sum(done.accepted - done.kept for done in every),
        duplicates=0,
        inversions=0,
        worst=f"start {start_s:.2f} s; kept: {kept}",
        problems=(*problems, *over("start", start_s, _START_S, full=full)),
    )


def _once(directory: Path, seed: int) -> Damaged:
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        return damage_once(Path(folder), seed)


def _kept(damaged: list[Damaged]) -> float:
    return sum(each.kept for each in damaged) / sum(each.accepted for each in damaged)
