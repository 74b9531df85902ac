"""What Dify reads of us: the manifest, the provider, the tools."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import stored
from .scenarios import TOOLS

ROOT = Path(__file__).parents[2]
TOOL_FILES = ROOT / "mem9_async" / "tools"
LANGUAGES = {"en_US", "zh_Hans", "ja_JP", "pt_BR"}
_NAMES_ONLY = re.compile(r"[a-z_., ]+")
RESERVED = {"text", "json", "files"}
LONGEST_LABEL = 1_023
SDK = """
import json, os
import dify_plugin
from dify_plugin.core.entities.plugin.setup import PluginConfiguration
from dify_plugin.core.utils.yaml_loader import load_yaml_file
from dify_plugin.entities.tool import ToolProviderConfiguration

manifest = PluginConfiguration(**load_yaml_file("manifest.yaml"))
provider = ToolProviderConfiguration(**load_yaml_file(manifest.plugins.tools[0]))
print(json.dumps({
    "name": manifest.name,
    "entrypoint": manifest.meta.runner.entrypoint,
    "tools": [tool.identity.name for tool in provider.tools],
    "credentials": [field.name for field in provider.credentials_schema],
}))
"""


def read(path: Path) -> dict[str, Any]:
    """Return a YAML file."""
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


MANIFEST = read(ROOT / "manifest.yaml")
PROVIDER = read(TOOL_FILES / "provider.yaml")
DECLARED = {tool: read(TOOL_FILES / f"{tool}.yaml") for tool in TOOLS}
EACH_TOOL = pytest.mark.parametrize("tool", list(TOOLS))
#: Called by Dify's agent runtime: its contract has objects, and knows no node that fails.
RUNTIMES = ("memory_prepare", "memory_observe")
EACH_OF_A_MODEL = pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool not in RUNTIMES])


def translations(node: object) -> list[dict[str, str]]:
    """Return every translated text below *node*."""
    if isinstance(node, list):
        return [found for entry in node for found in translations(entry)]
    if not isinstance(node, dict):
        return []
    if "en_US" in node:
        return [node]
    return [found for entry in node.values() for found in translations(entry)]


@pytest.mark.parametrize("declared", [MANIFEST, PROVIDER, *DECLARED.values()])
def test_every_text_for_people_is_there_in_four_languages(declared: dict[str, Any]) -> None:
    """None of them empty, none longer than the daemon takes.

    What is made of names only needs no translation and stands once: Dify and the SDK show the
    English text where another is missing.
    """
    texts = translations(declared)

    assert texts
    for text in texts:
        assert set(text) == ({"en_US"} if _NAMES_ONLY.fullmatch(text["en_US"]) else LANGUAGES)
        assert all(0 < len(value) <= LONGEST_LABEL for value in text.values())


def test_the_sdk_takes_every_declaration() -> None:
    """Its models are the first of four to judge them."""
    ran = subprocess.run(
        [sys.executable, "-c", SDK],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )

    assert json.loads(ran.stdout) == {
        "name": "mem9_async",
        "entrypoint": "main",
        "tools": list(TOOLS),
        "credentials": [
            "auth_mode",
            "mem9_base_url",
            "mem9_api_key",
            "mem9_agent_id",
            "isolation",
        ],
    }


def test_icons_stand_at_the_top_of_the_assets() -> None:
    """The marketplace looks nowhere else."""
    for name in (MANIFEST["icon"], MANIFEST["icon_dark"], PROVIDER["identity"]["icon"]):
        assert (ROOT / "_assets" / name).read_text(encoding="utf-8").startswith("<svg")


def test_credentials_have_the_defaults_of_the_original() -> None:
    """So that people can switch."""
    fields = PROVIDER["credentials_for_provider"]

    assert {name: field.get("default") for name, field in fields.items()} == {
        "auth_mode": "single_space",
        "mem9_base_url": "https://api.mem9.ai",
        "mem9_api_key": None,
        "mem9_agent_id": "dify",
        "isolation": "shared",
    }
    assert fields["mem9_api_key"]["type"] == "secret-input"
    assert [name for name, field in fields.items() if field["required"]] == ["auth_mode"]


@EACH_TOOL
def test_a_tools_file_is_the_one_it_names(tool: str) -> None:
    """Paths are relative to the package's root."""
    declared = DECLARED[tool]

    assert declared["identity"]["name"] == tool
    assert (ROOT / declared["extra"]["python"]["source"]).is_file()
    assert f"mem9_async/tools/{tool}.yaml" in PROVIDER["tools"]


@EACH_TOOL
def test_a_tools_schema_declares_what_its_answers_hold(tool: str) -> None:
    """Each variable is bindable, and no name is one that Dify keeps for itself."""
    declared = list(DECLARED[tool]["output_schema"]["properties"])

    assert declared == list(TOOLS[tool][1].variables)
    assert not set(declared) & RESERVED


@EACH_TOOL
def test_an_answer_is_few_messages(tool: str) -> None:
    """Each costs the host, and older agents read every variable aloud."""
    most = {"memory_search": 7, "memory_store": 5}
    assert len(TOOLS[tool][1].variables) <= most.get(tool, 6)


def test_the_declaration_stays_small() -> None:
    """The host writes all of it to its store at every call and takes it out again."""
    assert stored.size_bytes(MANIFEST, PROVIDER, list(DECLARED.values())) <= 45 * 1024


@EACH_TOOL
def test_every_variable_declares_one_type(tool: str) -> None:
    """Dify's editor binds by `type`, and knows no alternatives."""
    properties = DECLARED[tool]["output_schema"]["properties"]

    assert {name for name, declared in properties.items() if "type" not in declared} == set()


@EACH_OF_A_MODEL
def test_the_key_the_session_and_the_error_mode_are_set_on_the_node(tool: str) -> None:
    """A model must never be asked for a key."""
    parameters = {each["name"]: each for each in DECLARED[tool]["parameters"]}

    assert parameters["api_key"]["type"] == "secret-input"
    assert parameters["api_key"]["form"] == "form"
    assert parameters["error_mode"]["form"] == "form"
    assert parameters["error_mode"]["default"] == "soft"
    assert [each["value"] for each in parameters["error_mode"]["options"]] == ["soft", "raise"]
    if "session_id" in parameters:
        assert parameters["session_id"]["form"] == "form"


@EACH_TOOL
def test_a_model_is_told_when_to_call_and_when_not(tool: str) -> None:
    """And what each parameter it fills in means."""
    declared = DECLARED[tool]

    assert any(word in declared["description"]["llm"] for word in ("Do not", "Never", "never"))
    for parameter in declared["parameters"]:
        assert (parameter["form"] == "llm") == ("llm_description" in parameter)


@pytest.mark.parametrize("tool", RUNTIMES)
def test_what_the_runtime_fills_in_are_two_objects(tool: str) -> None:
    """Everything else is set where the agent is made, the key above all."""
    parameters = {each["name"]: each for each in DECLARED[tool]["parameters"]}
    asked = {name: each["type"] for name, each in parameters.items() if each["form"] == "llm"}

    assert asked == {"memory_context": "object", "request": "object"}
    assert parameters["api_key"]["type"] == "secret-input"
    assert "error_mode" not in parameters


@EACH_OF_A_MODEL
def test_what_the_model_fills_in_has_a_type_that_every_model_api_takes(tool: str) -> None:
    """The daemon drops the item schema of arrays and objects, and model APIs refuse those bare."""
    types = {each["type"] for each in DECLARED[tool]["parameters"] if each["form"] == "llm"}

    assert types <= {"string", "number", "boolean", "select"}


@EACH_TOOL
def test_the_sdk_finds_one_tool_class_in_the_file(tool: str) -> None:
    """Two subclasses, imported ones included, end the process at its start."""
    source = (TOOL_FILES / f"{tool}.py").read_text(encoding="utf-8")

    assert source.count("(Tool)") == 1
    assert source.count("\nclass ") == 1
