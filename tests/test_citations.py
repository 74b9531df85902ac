"""Whatever a comment, a docstring or a page points to is there, section by section."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("mem9_async", "tests", "benchmarks")
SOURCES = sorted(
    path
    for folder in FOLDERS
    for ending in ("py", "yaml", "sql")
    for path in (ROOT / folder).rglob(f"*.{ending}")
    if "__pycache__" not in path.parts
)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob(".github/**/*.md")])
MODULES = frozenset(path.name for path in SOURCES) | {"main.py"}

# A page by its path from the root, with sections behind a comma: `, 3.4`, `, 1, 3 and 7`.
_SECTION = r"\d+(?:\.\d+)*"
_CITED = re.compile(
    rf"(?P<page>[\w./-]*[\w-]\.md)\b(?:, (?P<sections>{_SECTION}(?:(?:, | and | to ){_SECTION})*))?"
)
# What nobody can follow: a page that is not named, a section of none.
_VAGUE = re.compile(
    r"field notes|shared \w* ?references?|(?:plugin|reliability) reference\b"
    r"|\bsections? \d|§",
    re.IGNORECASE,
)
_MODULE = re.compile(r"(?<![\w/.-])([a-z_]\w*\.py)\b")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_NUMBERED = re.compile(rf"({_SECTION})\.? ")
_LINK = re.compile(r"\[[^\]]*\]\((?P<to>[^)\s]+)\)(?:, section (?P<section>\d+(?:\.\d+)*))?")
_OWN_SECTION = re.compile(rf"(?<!, )\bsections? ({_SECTION})")
_PATH = re.compile(r"`((?:mem9_async|tests|benchmarks|docs|queue|runtime|client|tools)/[\w./-]+)`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@cache
def comments(source: str) -> tuple[str, ...]:
    """Return each docstring and each run of comment lines of *source*; read once in a process."""
    return tuple(_comments(source))


def _comments(source: str) -> Iterator[str]:
    """Yield each docstring and each run of comment lines of *source*, on one line."""
    for node in ast.walk(ast.parse(source)):
        holds_one = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, holds_one) and (text := ast.get_docstring(node)):
            yield " ".join(text.split())
    run: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if run and token.start[0] != last + 1:
            yield " ".join(run)
            run = []
        run.append(token.string.lstrip("#:").strip())
        last = token.start[0]
    if run:
        yield " ".join(run)


def headings(page: str) -> tuple[str, ...]:
    """Return the headings of the text *page*, code left out."""
    return tuple(_HEADING.findall(_FENCE.sub("", page)))


def sections(page: str) -> frozenset[str]:
    """Return the numbers that headings of *page* begin with."""
    return frozenset(found[1] for each in headings(page) if (found := _NUMBERED.match(each)))


def anchors(page: str) -> frozenset[str]:
    """Return what a link can name in *page*: its headings as GitHub writes them."""
    plain = (re.sub(r"[^\w\- ]", "", each.lower()) for each in headings(page))
    return frozenset(each.replace(" ", "-") for each in plain)


def unresolved(text: str) -> list[str]:
    """Return what *text*, a comment, points to and what is not there."""
    wrong = [found[0] for found in _VAGUE.finditer(text)]
    wrong += [name for name in _MODULE.findall(text) if name not in MODULES]
    for found in _CITED.finditer(text):
        page = ROOT / found["page"]
        if not page.is_file():
            wrong.append(found["page"])
        elif found["sections"]:
            named = re.findall(_SECTION, found["sections"])
            wrong += [f"{page.name}, {each}" for each in named if each not in _sections_of(page)]
    return wrong


def broken(page: Path, text: str) -> list[str]:
    """Return the links, sections and paths of *text*, a part of *page*, that lead nowhere."""
    wrong: list[str] = []
    text = _FENCE.sub("", text)
    for found in _LINK.finditer(text):
        to, _, anchor = found["to"].partition("#")
        target = (page.parent / to).resolve() if to else page
        if "://" in found["to"] or found["to"].startswith("mailto:"):
            continue
        if not target.exists():
            wrong.append(found["to"])
        elif (anchor and anchor not in anchors(target.read_text())) or (
            found["section"] and found["section"] not in _sections_of(target)
        ):
            wrong.append(found[0])
    own = sections(text)
    wrong += [f"section {each}" for each in _OWN_SECTION.findall(text) if each not in own]
    for path in _PATH.findall(text):
        if not any((base / path).exists() for base in (ROOT, ROOT / "mem9_async")):
            wrong.append(path)
    return wrong


def _sections_of(page: Path) -> frozenset[str]:
    return sections(page.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_comments_cite_is_there(path: Path) -> None:
    """A page, its sections, a module: a clone has all of them."""
    source = path.read_text()
    texts = comments(source) if path.suffix == ".py" else [" ".join(source.split())]

    assert [each for text in texts for each in unresolved(text)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_pages_point_to_is_there(path: Path) -> None:
    """Links with their anchors, sections of their own and of others, files."""
    assert broken(path, path.read_text()) == []


def test_citations_are_found_at_all() -> None:
    """A rule that matches nothing would pass for ever."""
    modules = [path.read_text() for path in SOURCES if path.suffix == ".py"]
    texts = [text for source in modules for text in comments(source)]
    cited = [found for text in texts for found in _CITED.finditer(text)]

    assert sum(bool(found["sections"]) for found in cited) >= 15
    assert len({found["page"] for found in cited}) >= 4
    assert sum(len(_LINK.findall(path.read_text())) for path in PAGES) >= 30


@pytest.mark.parametrize(
    "text",
    [
        "So it is (docs/reference/no" + "where.md).",
        "So it is (docs/reference/mem9-api.md, 3.4 and 99.1).",
        "So it is (mem9-api.md, 3.4).",
        "As the field" + " notes say.",
        "As section" + " 3 says.",
        "The table is no_such_module.py.",
    ],
)
def test_a_citation_that_leads_nowhere_is_told(text: str) -> None:
    """Each kind of it."""
    assert len(unresolved(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "See [it](no" + "where.md).",
        "See [it](mem9-api.md#no-such-heading).",
        "See [it](mem9-api.md), section 99.",
        "See section 99.",
        "It is in `mem9_async/no_such_room/`.",
    ],
)
def test_a_link_that_leads_nowhere_is_told(text: str) -> None:
    """Each kind of it."""
    assert len(broken(ROOT / "docs/reference/real-mem9.md", text)) == 1
