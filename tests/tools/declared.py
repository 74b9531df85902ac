"""What a node's variables have to be, by what the tool declares and by what its JSON says."""

from typing import Any


def missing(declared: dict[str, Any], value: object, at: str = "") -> list[str]:
    """Every declared path that *value* does not have."""
    if "properties" in declared:
        held = value if isinstance(value, dict) else {}
        return [
            found
            for name, inner in declared["properties"].items()
            for found in (
                missing(inner, held[name], f"{at}.{name}") if name in held else [f"{at}.{name}"]
            )
        ]
    if "items" in declared and isinstance(value, list):
        return [path for entry in value for path in missing(declared["items"], entry, f"{at}[]")]
    return []


def holds(variable: object, told: object) -> bool:
    """Whether *variable* has the values that *told* has, as far as both have a name."""
    if isinstance(told, dict) and isinstance(variable, dict):
        return all(holds(variable[name], told[name]) for name in variable.keys() & told.keys())
    if isinstance(told, list) and isinstance(variable, list):
        pairs = zip(variable, told, strict=True)
        return all(holds(mine, theirs) for mine, theirs in pairs)
    return variable == told


def values(variable: object) -> list[object]:
    """What in *variable* is not empty."""
    if isinstance(variable, dict):
        return [found for value in variable.values() for found in values(value)]
    return [variable] if variable else []
