"""Values in the full form that an output schema declares: every path there, each of its type.

In Dify's engine a condition on a path that is not there ends the whole run.
"""

import types
from collections.abc import Callable
from typing import Union, get_args, get_origin

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from mem9_async.tools.answers.part import Part

Completer = Callable[[object], JsonValue]

_PLAIN = frozenset({str, int, float, bool})


def completer(annotation: object) -> Completer:
    """What makes JSON of a value of *annotation*, with an empty value of its type for none.

    Make it once: to look at a type costs more than to answer a call.
    """
    kind = _first_kind(annotation)
    if isinstance(kind, type) and issubclass(kind, Part):
        return _part(kind)
    if get_origin(kind) is tuple:
        return _list(completer(get_args(kind)[0]))
    if get_origin(kind) is dict:
        key, entry = get_args(kind)
        return _table(tuple(key), completer(entry))
    return _leaf(_empty(kind))


def _first_kind(annotation: object) -> object:
    # JsonValue is a union as well, of the types that a workflow cannot rely on: an object.
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    kinds = [arg for arg in get_args(annotation) if arg is not type(None)]
    return kinds[0] if kinds else annotation


def _empty(kind: object) -> JsonValue:
    if kind is bool:
        return False
    return 0 if kind in (int, float) else ""


def _part(kind: type[Part]) -> Completer:
    fields = kind.model_fields
    names = tuple(
        (name, completer(fields[name].annotation)) for name in kind.declared or tuple(fields)
    )

    def complete(value: object) -> JsonValue:
        return {name: inner(getattr(value, name, None)) for name, inner in names}

    return complete


def _list(entry: Completer) -> Completer:
    def complete(value: object) -> JsonValue:
        return [entry(each) for each in value] if isinstance(value, tuple) else []

    return complete


def _table(names: tuple[object, ...], entry: Completer) -> Completer:
    def complete(value: object) -> JsonValue:
        held = value if isinstance(value, dict) else {}
        return {str(name): entry(held.get(name)) for name in names}

    return complete


def _leaf(empty: JsonValue) -> Completer:
    def complete(value: object) -> JsonValue:
        if value is None:
            return empty
        if isinstance(value, str | int | float) and type(value) in _PLAIN:
            return value
        plain: JsonValue = to_jsonable_python(value)
        return plain

    return complete
