"""docs/events.md and the code name the same events, levels and fields."""

import re

import pytest

from tests.docs.events import LEVELS, ROOT, Event, events

PAGE = (ROOT / "docs/events.md").read_text()
README = (ROOT / "README.md").read_text()
# On every line, or added by the limits; told above the table.
_EVERYWHERE = {"event", "timestamp", "level", "boot_id", "version", "sampled", "truncated"}
_MADE_BY_HAND = {"log.suppressed": {"suppressed"}}


def _rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def _ticked(cell: str) -> set[str]:
    return set(re.findall(r"`(\w[\w.]*)`", cell))


TOLD = {
    row[0].strip("`"): Event(set(row[1].split(", ")), _ticked(row[2]))
    for row in _rows("All of them")
}
CODE = events()


def test_the_page_names_every_event_and_no_other() -> None:
    """A new one needs its row in docs/events.md, and one that went has to leave it."""
    assert sorted(TOLD) == sorted(CODE)
    assert len(TOLD) == len(_rows("All of them"))


@pytest.mark.parametrize("name", sorted(CODE))
def test_levels_and_fields_are_those_of_the_code(name: str) -> None:
    """All of them, from each place that writes the event."""
    told = TOLD[name]

    assert sorted(told.levels) == sorted(CODE[name].levels)
    assert sorted(told.fields) == sorted(CODE[name].fields | _MADE_BY_HAND.get(name, set()))


def test_every_field_is_explained() -> None:
    """In the second table, which explains no other."""
    explained = {field for row in _rows("Fields") for field in _ticked(row[0])}
    used = {field for event in TOLD.values() for field in event.fields}

    assert explained == used
    assert not used & _EVERYWHERE


def test_names_are_a_noun_and_a_verb() -> None:
    """And levels are those that there are."""
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in CODE)
    assert all(event.levels <= set(LEVELS) for event in CODE.values())


def test_events_that_the_readme_names_are_there() -> None:
    """What an operator looks for first."""
    named = set(re.findall(r"`((?:job|batch|space|journal|worker|circuit)\.[a-z_]+)`", README))

    assert len(named) > 10
    assert named <= set(CODE)
