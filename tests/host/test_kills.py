"""Five kills at random moments: nothing that was acknowledged is ever missing."""

import random
from pathlib import Path

from tests.faults.kill_harness import Plan, run_kills
from tests.host.process import tell


async def test_nothing_acknowledged_is_missing_after_five_kills(tmp_path: Path) -> None:
    """SIGKILL under load on one data directory; the seed told makes a run repeatable."""
    seed = random.SystemRandom().getrandbits(32)
    tell(f"seed {seed}")
    kills = await run_kills(Plan(rounds=5, seed=seed, longest_s=0.8), tmp_path)

    tell(kills.report)
    assert kills.faults() == []
    assert kills.rounds == 5
    assert kills.report is not None
    assert kills.report.acknowledged > 0
    assert kills.with_backlog > 0
