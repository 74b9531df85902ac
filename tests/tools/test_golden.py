"""Every answer and error of every tool, against its golden file and its output_schema."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

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
    return declared["output_schema"]


@cache
def golden(tool: str) -> dict[str, Any]:
    """Return what *tool* is known to answer."""
    return json.loads(golden_file(tool).read_text(encoding="utf-8"))


def typed(scenario: Scenario, answer: dict[str, Any]) -> dict[str, Any]:
    """Return *answer* without what may be null in it: the schema declares the variable's type."""
    nullable = TOOLS[scenario.tool][1].nullable
    return {name: value for name, value in answer.items() if name not in nullable or value}


@BY_NAME
def test_an_answer_is_the_golden_one(scenario: Scenario) -> None:
    """A change of an answer is seen, and decided on."""
    assert scenario.run().answer == golden(scenario.tool)[scenario.name]


@BY_NAME
def test_an_answer_keeps_what_its_schema_declares(scenario: Scenario) -> None:
    """The JSON names nothing undeclared, and has the types declared."""
    answer = scenario.run().answer

    jsonschema.validate(typed(scenario, answer), schema(scenario.tool))
    assert set(answer) <= set(schema(scenario.tool)["properties"])


@BY_NAME
def test_every_declared_variable_is_emitted_with_its_type(scenario: Scenario) -> None:
    """Otherwise a node behind it sees nothing, or something else than it was promised."""
    tool = scenario.run()

    assert set(tool.variables) == set(schema(scenario.tool)["properties"])
    jsonschema.validate(tool.variables, schema(scenario.tool))
    answer = typed(scenario, tool.answer)
    assert {name: tool.variables[name] for name in answer} == answer


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
