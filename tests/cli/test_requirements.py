"""Dify installs from pyproject.toml or from requirements.txt: both must give the same plugin."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned(name: str) -> dict[str, Requirement]:
    """The requirements of a file, by normalised name."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [re.sub(r"\s--hash=\S+", "", line).strip() for line in text.splitlines() if line]
    return {normal(each.name): each for each in map(Requirement, lines)}


def normal(name: str) -> str:
    """The form in which names compare equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(wanted: list[str]) -> set[str]:
    """What *wanted* pulls in, as the installed packages tell it, for this machine."""
    found: set[str] = set()
    queue = [(Requirement(each), frozenset({""})) for each in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        requirement, extras_of_parent = queue.pop()
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras_of_parent
        ):
            continue
        key = (normal(requirement.name), frozenset(requirement.extras | {""}))
        if key in seen:
            continue
        seen.add(key)
        found.add(key[0])
        queue += [(Requirement(each), key[1]) for each in metadata.requires(key[0]) or ()]
    return found


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("requirements-dev.txt", PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_the_pinned_set_is_what_the_project_asks_for(name: str, wanted: list[str]) -> None:
    """Everything the project needs is pinned within its limits, and nothing else is."""
    pins = pinned(name)

    for each in map(Requirement, wanted):
        (pin,) = pins[normal(each.name)].specifier
        assert each.specifier.contains(pin.version), each
    here = {key for key, pin in pins.items() if pin.marker is None or pin.marker.evaluate()}
    assert here == needed(wanted)


def test_every_pin_is_exact_and_has_a_hash() -> None:
    """One version of each package, and only bytes that somebody has seen before."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        for pin in pinned(name).values():
            assert [each.operator for each in pin.specifier] == ["=="], pin
        text = (ROOT / name).read_text().replace("\\\n", " ")
        assert all("--hash=sha256:" in line for line in text.splitlines())


def test_the_two_files_agree() -> None:
    """They are installed together."""
    plugin, tools = pinned("requirements.txt"), pinned("requirements-dev.txt")

    shared = plugin.keys() & tools.keys()
    assert shared
    assert {name: plugin[name].specifier for name in shared} == {
        name: tools[name].specifier for name in shared
    }


def test_no_index_is_named() -> None:
    """Where packages come from is the installing machine's business."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert not re.search(r"://|^\s*(-i|--index|--extra-index)", (ROOT / name).read_text(), re.M)
