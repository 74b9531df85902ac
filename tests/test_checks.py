"""What runs on a push, and before a commit, is what a person runs: targets of the Makefile."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
ACTIONS = {"actions/checkout", "actions/setup-python"}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every step of every job of the workflow at *path*."""
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield from job["steps"]


def is_target(command: str) -> bool:
    """Whether *command* makes one target, and the Makefile has it."""
    make, _, target = command.partition(" ")
    return make == "make" and target in TARGETS


def test_lint_tests_coverage_and_package_are_checked() -> None:
    """Nothing that a contributor is asked for goes unchecked."""
    commands = {step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step}

    assert commands == {"make lint", "make test", "make coverage", "make package"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_makes_targets_and_uses_no_other_partys_action(path: Path) -> None:
    """So everything can be run at home, and nobody else's code sees the repository."""
    for step in steps(path):
        if "run" in step:
            assert is_target(step["run"])
        else:
            assert step["uses"].partition("@")[0] in ACTIONS


def test_the_hooks_are_local_and_make_targets() -> None:
    """Nothing is downloaded for a commit."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    assert repository["repo"] == "local"
    assert all(is_target(hook["entry"]) for hook in repository["hooks"])
