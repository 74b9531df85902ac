"""Every fault of the outcome table, at the first attempt, at a retry and at a probe."""

from pathlib import Path

from tests.chaos.row import Row
from tests.faults.catalogue import FAULTS
from tests.faults.matrix import Cell, Phase, cells, run_matrix


async def fault_matrix(directory: Path, seed: int, *, full: bool) -> list[Row]:
    """One row per phase; every cell that is not as tabled is a problem of its own."""
    phases = tuple(Phase) if full else (Phase.FIRST,)
    rows = []
    for phase in phases:
        folder = directory / phase
        folder.mkdir(parents=True)
        done = await run_matrix(cells(FAULTS, [phase]), folder)
        rows.append(_row(phase, seed, done))
    return rows


def _row(phase: Phase, seed: int, done: list[Cell]) -> Row:
    reports = [cell.oracle.judge(cell.server.records.stores()) for cell in done]
    held = sum(
        report.missing
        for cell, report in zip(done, reports, strict=True)
        if cell.end == cell.fault.end
    )
    return Row(
        scenario=f"faults @ {phase}",
        seed=seed,
        runs=len(done),
        accepted=sum(report.acknowledged for report in reports),
        delivered=sum(report.delivered for report in reports),
        lost=sum(report.missing for report in reports) - held,
        duplicates=sum(report.duplicates for report in reports),
        inversions=sum(report.inversions for report in reports),
        worst=f"{held} held or set aside, as tabled",
        problems=tuple(
            f"{cell.name}: {', '.join(cell.problems)}" for cell in done if cell.problems
        ),
    )
