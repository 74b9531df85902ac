"""docs/architecture.md names files and functions that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text()
FILES = sorted(set(re.findall(r"`(mem9_async/[\w/]+\.py)`", PAGE)))
# A file, and behind a colon the function or method that matters there.
NAMED = sorted(set(re.findall(r"`(mem9_async/[\w/]+\.py)`: `([\w.]+)`", PAGE)))
ROOMS = sorted(set(re.findall(r"^\| `([\w/]+)/` \|", PAGE, re.MULTILINE)))


def _names(path: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
            names |= {
                f"{node.name}.{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_the_page_names_is_there(path: str) -> None:
    """Moved without the page, it would be looked for in vain."""
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_is_named_is_in_the_file(path: str, name: str) -> None:
    """Renamed without the page, too."""
    assert name in _names(path)


def test_the_page_names_every_room_and_no_other() -> None:
    """A package of the plugin's own stands in the table."""
    packages = {
        path.parent.relative_to(ROOT / "mem9_async").as_posix()
        for path in (ROOT / "mem9_async").rglob("__init__.py")
    }
    # A part of a room is named by its last name alone, in the room's row.
    parts = {room for room in packages if f"`{room.rpartition('/')[2]}/`" in PAGE}
    assert set(ROOMS) <= packages
    assert packages - set(ROOMS) - parts - {".", "cli/demo"} == set()


def test_both_ways_are_told() -> None:
    """With the functions that a reader would look for."""
    assert {"Journal.append", "Deliverer.run", "Recall.search"} <= {name for _, name in NAMED}
