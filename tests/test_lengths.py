"""Files and functions of the package stay short enough to be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "mem9_async").rglob("*.py"))
MOST_LINES_OF_A_FILE = 350
MOST_LINES_OF_A_FUNCTION = 50
#: What is still to be cut; it may only get shorter.


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Each function in *source*, however deep inside, with how many lines it has."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_a_long_function_is_found_wherever_it_stands() -> None:
    """Also inside another one, with its docstring counted and its decorators not."""
    source = (
        'def outer():\n    @wrapped\n    async def inner():\n        """One."""\n        return 1\n'
    )

    assert dict(functions(source)) == {"outer": 5, "inner": 3}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short(path: Path) -> None:
    """One responsibility each; what grows beyond that has got a second."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_A_FILE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_is_short(path: Path) -> None:
    """One that grows beyond that does more than one thing."""
    long = {
        name: lines
        for name, lines in functions(path.read_text(encoding="utf-8"))
        if lines > MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}
