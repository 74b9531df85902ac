"""What people call what a job belongs to: a workflow's run, a trace, anything."""

_PARTS = [2, 32, 16, 2]
_HEX = frozenset("0123456789abcdef")


def trace_id(reference: str | None) -> str | None:
    """The trace id of a W3C traceparent (`00-<32 hex>-<16 hex>-<2 hex>`); None for another text.

    Source: W3C Trace Context, 3.2.
    """
    parts = (reference or "").split("-")
    if [len(part) for part in parts] != _PARTS or parts[0] == "ff":
        return None
    if set("".join(parts)) - _HEX or not parts[1].strip("0"):
        return None
    return parts[1]
