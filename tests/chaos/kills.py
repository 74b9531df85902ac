"""SIGKILL at random moments, at every named point, and in the middle of recovery."""

import random
from pathlib import Path

from mem9_async.queue import failpoints
from tests.chaos.row import Row, row
from tests.faults.kill_harness import Kills, Plan, run_kills
from tests.faults.oracle import quantile

_QUICK_POINTS = ("append.committed", "freeze.committed", "send.after", "settle.written")


async def random_kills(directory: Path, seed: int, *, full: bool) -> Row:
    """Kill under load again and again on one data directory."""
    rounds = 200 if full else 2
    plan = Plan(rounds=rounds, seed=seed, longest_s=3.0 if full else 1.0, drain_s=120.0)
    kills = await run_kills(plan, directory)
    problems = kills.faults()
    if full:  # otherwise the run proves little
        problems += [f"never {name.replace('_', ' ')}" for name in _never(kills)]
        if kills.with_backlog < rounds / 2:
            problems.append(f"only {kills.with_backlog} kills met a backlog")
    return _row("kills", kills, problems)


async def recovery_kills(directory: Path, seed: int, *, full: bool) -> list[Row]:
    """Kill twice in a row while the start makes ready what a kill has left."""
    points = ("recover.written", "recover.committed") if full else ("recover.written",)
    rows = []
    for point in points:
        plan = Plan(rounds=3, seed=seed, longest_s=1.0, failpoint=f"{point}:1", plain_rounds=1)
        kills = await run_kills(plan, directory / point)
        problems = kills.faults()
        if kills.by_failpoint < 2:
            problems.append("recovery was not hit twice in a row")
        rows.append(_row(f"twice at {point}", kills, problems))
    return rows


async def failpoint_kills(directory: Path, seed: int, *, full: bool) -> list[Row]:
    """Kill at every named point, at a random one of its first passages."""
    names = failpoints.NAMES if full else _QUICK_POINTS
    rounds = 20 if full else 1
    return [await failpoint(directory / name, seed, name, rounds=rounds) for name in names]


async def failpoint(directory: Path, seed: int, name: str, *, rounds: int) -> Row:
    """Kill *rounds* starts at the point *name*; those that do not come by there at random."""
    rare = not name.startswith(("append", "answer", "freeze", "send", "settle"))
    count = 1 if rare else random.Random(f"{seed} {name}").randint(1, 8)
    adopts = name.startswith("adopt")
    # The first start finds nothing to recover, to adopt or to set aside.
    leaves = int(name.startswith(("recover", "adopt", "quarantine", "migrate")))
    plan = Plan(
        rounds=rounds + leaves,
        plain_rounds=leaves,
        seed=seed,
        longest_s=1.5 if not rare else 3.0,
        failpoint=f"{name}:{count}",
        companion=adopts,
        spoil=name.startswith("quarantine"),
        outdated=name.startswith("migrate"),
    )
    kills = await run_kills(plan, directory)
    problems = kills.faults()
    if kills.report is not None and not kills.report.delivered:
        problems.append("nothing was stored")
    if not kills.by_failpoint:
        problems.append("the point was never reached")
    return _row(f"{name}:{count}", kills, problems)


def _never(kills: Kills) -> list[str]:
    return [
        name for name in ("while_starting", "with_request_open", "told") if not getattr(kills, name)
    ]


def _row(name: str, kills: Kills, problems: list[str]) -> Row:
    if kills.report is None:
        raise AssertionError("a finished run has a report")
    start_s = max(kills.starts_s, default=0.0)
    answer_s = quantile(sorted(kills.answers_s), 0.99)
    return row(
        name,
        kills.report,
        seed=kills.seed,
        runs=kills.rounds,
        worst=f"start {start_s:.1f} s, p99 answer {answer_s * 1000:.0f} ms, "
        f"drain {kills.drain_s:.1f} s; told {kills.told}/{kills.bound}",
        problems=problems,
    )
