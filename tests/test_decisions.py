"""Each page of docs/decisions says what it must, and the list has them all."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs/decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Consequence", "Measurement"]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts(path: Path) -> None:
    """In this order, none empty, and on one short page."""
    text = path.read_text()

    assert re.findall(r"^\*\*(\w+)\.\*\* \S", text, re.MULTILINE) == PARTS
    assert text.startswith(f"# {int(path.stem[:4])}. ")
    assert len(text) < 2_500


def test_the_list_has_every_decision_by_its_title() -> None:
    """In the order of their numbers."""
    page = (FOLDER / "README.md").read_text()
    listed = re.findall(r"^\d+\. \[(.+)\]\((.+)\)$", page, re.MULTILINE)
    titles = [path.read_text().partition("\n")[0].partition(". ")[2] for path in DECISIONS]

    assert listed == [(title, path.name) for title, path in zip(titles, DECISIONS, strict=True)]
    assert len(listed) >= 10
