"""The README names what there is: settings with their defaults, tools, commands."""

import re
from pathlib import Path

import pytest

from mem9_async.cli.app import app
from mem9_async.cli.queue import commands as queue
from mem9_async.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SETTINGS = README.partition("| `MEM9_ASYNC_...`")[2].partition("\n\n")[0]
# Shown in words or another unit.
TOLD_OTHERWISE = {"attempt_timeout_ms", "data_dir", "journal_key", "log_file", "metrics_file"}


def seconds(shown: str) -> float:
    """The seconds of a duration as the table writes it."""
    number, unit = re.fullmatch(r"(\d+)(s|min|h|d)", shown).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "min": 60, "h": 3600, "d": 86_400}[unit]


def test_the_table_holds_every_setting_and_no_other() -> None:
    """A setting that nobody can find might as well not be there."""
    named = {name for row in SETTINGS.splitlines() for name in re.findall(r"`([A-Z_]{4,})`", row)}

    assert named == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - TOLD_OTHERWISE))
def test_the_defaults_in_the_table_are_the_real_ones(name: str) -> None:
    """Numbers, durations and words alike."""
    row = next(row for row in SETTINGS.splitlines() if f"`{name.upper()}`" in row)
    names, defaults = (cell.strip() for cell in row.split("|")[1:3])
    position = re.findall(r"`([A-Z_]+)`", names).index(name.upper())
    shown = defaults.split(", ")[position].strip("`")
    default = Settings.model_fields[name].default

    if isinstance(default, bool):
        assert shown == str(default).lower()
    elif re.fullmatch(r"\d+(s|min|h|d)", shown):
        assert seconds(shown) == default
    elif isinstance(default, int | float):
        assert float(shown) == default
    else:
        assert shown == default


def test_every_tool_and_command_is_named() -> None:
    """As they are called in Dify and on the command line."""
    tools = {path.stem for path in (ROOT / "mem9_async/tools").glob("memory_*.yaml")}
    commands = {each.name or each.callback.__name__ for each in app.registered_commands}  # type: ignore[union-attr]

    queue_commands = {each.name or each.callback.__name__ for each in queue.app.registered_commands}  # type: ignore[union-attr]
    assert len(tools) == 9
    for tool in tools:
        assert f"| `{tool}` |" in README
    for command in queue_commands:
        assert f"mem9_async queue {command}" in README or f"`{command}`" in README, command
    for command in commands:
        assert re.search(rf"make {command}|mem9_async {command}", README), command


def test_the_readme_holds_no_chinese_japanese_or_korean() -> None:
    """The marketplace refuses it there; translations live in readme/."""
    assert not re.search(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", README)
