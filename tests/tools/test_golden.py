"""Every answer and error of every tool, against its golden file and its output_schema."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from .declared import holds, missing, values
from .fakes import KEY
from .scenarios import SCENARIOS, TOOLS, Scenario, golden_file

TOOL_FILES = Path(__file__).parents[2] / "mem9_async" / "tools"
BY_NAME = pytest.mark.parametrize(
    "scenario", SCENARIOS, ids=[f"{each.tool}-{each.name}".replace(" ", "_") for each in SCENARIOS]
)


@cache
def schema(tool: str) -> dict[str, Any]:
    """Return what *tool* declares to answer."""
    declared = yaml.safe_load((TOOL_FILES / f"{tool}.yaml").read_text(encoding="utf-8"))
    wanted: dict[str, Any] = declared["output_schema"]
    return wanted


@cache
def golden(tool: str) -> dict[str, Any]:
    """Return what *tool* is known to answer."""
    answers: dict[str, Any] = json.loads(golden_file(tool).read_text(encoding="utf-8"))
    return answers


@BY_NAME
def test_an_answer_is_the_golden_one(scenario: Scenario) -> None:
    """A change of an answer is seen, and decided on."""
    assert scenario.run().answer == golden(scenario.tool)[scenario.name]


@BY_NAME
def test_every_declared_path_is_emitted_with_its_type(scenario: Scenario) -> None:
    """On every path, nested ones too: a condition on a path that is missing ends a whole run."""
    tool = scenario.run()

    assert list(tool.variables) == list(schema(scenario.tool)["properties"])
    assert missing(schema(scenario.tool), tool.variables) == []
    jsonschema.validate(tool.variables, schema(scenario.tool))


@BY_NAME
def test_a_variable_says_what_the_json_says(scenario: Scenario) -> None:
    """Where the JSON has a value; where it has none the variable is empty."""
    tool = scenario.run()
    for name, value in tool.variables.items():
        if tool.answer.get(name) is not None:
            assert holds(value, tool.answer[name]), name
        elif name not in TOOLS[scenario.tool][1].variables_only:
            assert not values(value), name


@BY_NAME
def test_no_answer_shows_a_key_or_a_fault_of_ours(scenario: Scenario) -> None:
    """Answers end up in prompts, logs and screens."""
    sent = "".join(scenario.run().session.writer.written)

    assert KEY not in sent
    assert "never shown" not in sent


@pytest.mark.parametrize("tool", list(TOOLS))
def test_the_golden_file_holds_nothing_that_no_scenario_makes(tool: str) -> None:
    """A dropped scenario takes its answer with it."""
    assert set(golden(tool)) == {each.name for each in SCENARIOS if each.tool == tool}
