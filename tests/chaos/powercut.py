"""The power goes, at thousands of steps of a journal's work (row 3 of the promises)."""

import asyncio
from pathlib import Path

from tests.chaos.row import Row
from tests.queue.journal.powercut import Proof, positions, prove, recorded

_VERBS = 600
_CUTS_PER_WORK = 200
_TOLD = 5  # of the broken promises of one kind of work


async def power_cuts(directory: Path, seed: int, *, full: bool) -> Row:
    """Cut the power under `power` and `process`, each as often; what `process` lost is measured.

    The row's jobs are those promised under `power`, anew with each cut: `delivered` counts those
    that were found again.
    """
    cuts = 2_000 if full else 50
    # Not on the loop: it is all computing.
    power = await asyncio.to_thread(_proofs, directory / "power", "power", seed, cuts)
    process = await asyncio.to_thread(_proofs, directory / "process", "process", seed, cuts)
    problems = [*_problems("power", power), *_problems("process", process)]
    if full and not any(proof.cuts_with_loss for proof in process):
        problems.append("nothing was ever lost under process: the cuts prove nothing")
    promised, lost = (sum(getattr(proof, name) for proof in power) for name in ("promised", "lost"))
    return Row(
        scenario="power cuts",
        seed=seed,
        runs=sum(proof.cuts for proof in (*power, *process)),
        accepted=promised,
        delivered=promised - lost,
        lost=lost,
        duplicates=sum(proof.again for proof in power),
        inversions=0,
        worst=f"process: {_window(process)}",
        problems=tuple(problems),
    )


def _proofs(directory: Path, durability: str, seed: int, cuts: int) -> list[Proof]:
    """Several works, because one is the same from its beginning to each cut."""
    proofs = []
    for number, done in enumerate(range(0, cuts, _CUTS_PER_WORK)):
        name = f"{seed} {number}"
        work = recorded(
            directory / name, durability=durability, seed=name, verbs=_VERBS, large=True
        )
        at = positions(work, cuts=min(_CUTS_PER_WORK, cuts - done), seed=name)
        proofs.append(prove(work, directory / "cut", at, seed=name))
    return proofs


def _problems(durability: str, proofs: list[Proof]) -> list[str]:
    found = [f"{durability}, {problem}" for proof in proofs for problem in proof.problems]
    more = [f"{durability}: {len(found) - _TOLD} more"] if len(found) > _TOLD else []
    return found[:_TOLD] + more


def _window(proofs: list[Proof]) -> str:
    losses = sum(proof.cuts_with_loss for proof in proofs)
    commits, jobs, again = (
        max(getattr(proof, name) for proof in proofs)
        for name in ("worst_commits", "worst_jobs", "worst_again")
    )
    log_bytes = max(proof.log_bytes for proof in proofs)
    return (
        f"{losses} cuts lost the newest, at most {commits} commits, {jobs} jobs"
        f" ({again} delivered ones came back), {log_bytes / 1e6:.1f} MB of log"
    )
