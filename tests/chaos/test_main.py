"""The command says in its exit code whether every promise was kept."""

from pathlib import Path

import pytest

from tests.chaos import __main__ as chaos
from tests.chaos.row import Row


def _scenario(*problems: str, accepted: int = 5) -> chaos.Scenario:
    async def run(directory: Path, seed: int, *, full: bool) -> Row:
        return Row("fake", seed, 1, accepted, accepted, 0, 0, 0, f"full={full}", problems)

    return run


async def _breaks_down(directory: Path, seed: int, *, full: bool) -> Row:
    raise RuntimeError("no plugin")


@pytest.mark.parametrize(
    ("scenario", "code", "says"),
    [
        (_scenario(), 0, "kept"),
        (_scenario("3 missing"), 1, "fake (seed 7): 3 missing"),
        (_breaks_down, 1, "broke down: RuntimeError('no plugin')"),
    ],
)
def test_the_exit_code_is_not_0_when_a_promise_was_broken(
    scenario: chaos.Scenario,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A scenario that breaks down counts as broken, and the table names the reason."""
    monkeypatch.setattr(chaos, "SCENARIOS", {"fake": scenario})
    monkeypatch.setattr("sys.argv", ["chaos", "--quick", "--seed", "7"])

    assert chaos.main() == code
    assert says in capsys.readouterr().out
