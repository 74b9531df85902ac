"""The log events of the code, found by reading it: names, levels and fields."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEVELS = ("debug", "info", "warning", "error")
# What stands beside the plugin writes no events.
_OUTSIDE = {"cli", "devserver"}


@dataclass
class Event:
    """All that the code says under one name."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


class Unreadable(Exception):
    """A call whose event or fields cannot be read from the code."""


def events() -> dict[str, Event]:
    """Every event that the plugin writes."""
    trees = {
        path: ast.parse(path.read_text())
        for path in sorted((ROOT / "mem9_async").rglob("*.py"))
        if path.relative_to(ROOT / "mem9_async").parts[0] not in _OUTSIDE
    }
    functions = {name: keys for tree in trees.values() for name, keys in _functions(tree)}
    found: dict[str, Event] = defaultdict(Event)
    for path, tree in trees.items():
        _read(tree, path, found, {**functions, **dict(_functions(tree)), **dict(_variables(tree))})
    return dict(found)


def _read(
    tree: ast.Module, path: Path, found: dict[str, Event], dicts: dict[str, set[str]]
) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (level := _level(node)):
            try:
                for name in _names(node.args[0]):
                    found[name].levels.add(level)
                    found[name].fields |= _fields(node, dicts)
            except (Unreadable, IndexError) as exc:
                raise Unreadable(f"{path}:{node.lineno}: {exc}") from exc
        # The relay's own record is made by hand: it tells of what the log could not take.
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "_first_keys":
            event, at = node.args
            if isinstance(event, ast.Constant) and isinstance(at, ast.Constant):
                found[str(event.value)].levels.add(str(at.value))


def _level(call: ast.Call) -> str | None:
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in LEVELS:
        return None
    return function.attr if getattr(function.value, "id", "") in ("log", "_log") else None


def _names(given: ast.expr) -> Iterator[str]:
    if isinstance(given, ast.IfExp):
        yield from _names(given.body)
        yield from _names(given.orelse)
    elif isinstance(given, ast.Constant) and isinstance(given.value, str):
        yield given.value
    else:
        raise Unreadable("the event is no constant")


def _fields(call: ast.Call, dicts: dict[str, set[str]]) -> set[str]:
    fields: set[str] = set()
    for keyword in call.keywords:
        if keyword.arg is not None:
            fields.add(keyword.arg)
            continue
        value = keyword.value
        named = value.func if isinstance(value, ast.Call) else value
        if getattr(named, "id", None) not in dicts:
            raise Unreadable("its fields come from elsewhere")
        fields |= dicts[named.id]  # type: ignore[attr-defined]
    return fields


def _variables(tree: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Variables that hold a dict with constant keys."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, _keys(node.value)


def _functions(tree: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Functions of the module that return such a dict; others may import them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for each in node.body:
                if isinstance(each, ast.Return) and isinstance(each.value, ast.Dict):
                    yield node.name, _keys(each.value)


def _keys(made: ast.Dict) -> set[str]:
    return {str(key.value) for key in made.keys if isinstance(key, ast.Constant)}
