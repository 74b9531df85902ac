"""Run the scenarios one after the other, print the table, and fail when a promise was broken."""

import argparse
import asyncio
import logging
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from tests.chaos import (
    capacity,
    damage,
    kills,
    matrix,
    outages,
    parking,
    powercut,
    sharing,
    soak,
    table,
)
from tests.chaos.row import Row

Scenario = Callable[..., Awaitable[Row | list[Row]]]

SCENARIOS: dict[str, Scenario] = {
    "kills": kills.random_kills,
    "failpoints": kills.failpoint_kills,
    "recovery": kills.recovery_kills,
    "power-cuts": powercut.power_cuts,
    "matrix": matrix.fault_matrix,
    "two-processes": sharing.two_processes,
    "stuck-tenant": sharing.stuck_tenant,
    "flapping": outages.flapping,
    "slow": outages.slow_server,
    "quota": parking.quota,
    "keys": parking.refused_keys,
    "rotation": parking.rotated_key,
    "damage": damage.damaged_journals,
    "full": capacity.queue_full,
    "big-start": capacity.big_start,
    "soak": soak.soak,
}
_LONGEST_S = 3_600.0  # for one scenario; the longest takes a third of it on two cores


def main() -> int:
    """Return 0 when every promise was kept, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes instead of an hour")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--only", nargs="*", choices=sorted(SCENARIOS), default=None)
    chosen = parser.parse_args()
    # Some scenarios open journals in this process: what they log is not for the table's reader.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows = asyncio.run(_run(chosen.only or list(SCENARIOS), chosen.seed, full=not chosen.quick))
    table.show(rows)
    return int(any(row.problems for row in rows))


async def _run(names: list[str], seed: int, *, full: bool) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        began = time.monotonic()
        done = await _one(name, seed, full=full)
        rows += done
        broken = sum(len(row.problems) for row in done)
        verdict = f"{broken} broken" if broken else "kept"
        _say(f"{name}: seed {seed}, {time.monotonic() - began:.0f} s, {verdict}")
    return rows


async def _one(name: str, seed: int, *, full: bool) -> list[Row]:
    """The rows of one scenario; a scenario that breaks down is a broken promise too."""
    with tempfile.TemporaryDirectory(prefix="mem9-chaos-") as folder:
        try:
            async with asyncio.timeout(_LONGEST_S):
                done = await SCENARIOS[name](Path(folder) / name, seed, full=full)
        except Exception as exc:
            return [Row(name, seed, 0, 0, 0, 0, 0, 0, "", (f"broke down: {exc!r}",))]
    return done if isinstance(done, list) else [done]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
