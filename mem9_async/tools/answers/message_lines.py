"""An answer as the lines that Dify's daemon reads: the JSON, then every variable.

The SDK makes each message through four pydantic models and two writes (29 microseconds, see
docs/decisions/0013-few-variables.md); the same bytes made here cost a tenth of that.
"""

from collections.abc import Mapping

from pydantic import JsonValue
from pydantic_core import to_json

from mem9_async.tools.answers.base import Answer

#: The daemon ends the plugin at 5 MiB a line (docs/reference/dify-plugin.md, 3), and the
#: JSON travels on through queues and databases: stay far below.
MAX_LINE_BYTES = 1_000_000
_ENVELOPE_BYTES = 512
_CUTS = (16_384, 4_096, 1_024, 256, 64, 16, 4)
_MAX_DEPTH = 8
_END = ',"meta":null}}}\n\n'
_CUT_MARK = " … [cut]"


def render(session_id: str, answer: Answer) -> str:
    """Return the lines for *answer*, each below MAX_LINE_BYTES, each followed by a blank line."""
    parts, variables = _parts(answer.as_json(), answer.as_variables())
    start = f'{{"event":"session","session_id":{_json(session_id)},"data":{{"type":"stream","data":'
    body = ",".join([f'"{name}":{value}' for name, value in parts.items()])
    lines = [f'{{"type":"json","message":{{"json_object":{{{body}}}}}{_END}']
    lines += [
        f'{{"type":"variable","message":{{"variable_name":"{name}","variable_value":{value}'
        f',"stream":false}}{_END}'
        for name, value in variables.items()
    ]
    return start + start.join(lines)


def _parts(
    payload: Mapping[str, JsonValue], variables: Mapping[str, JsonValue]
) -> tuple[dict[str, str], dict[str, str]]:
    parts = {name: _json(value) for name, value in payload.items()}
    named = {name: _json(value) for name, value in variables.items()}
    if _fits(parts) and _fits(named):
        return parts, named
    for most in _CUTS:
        parts = {name: _json(_cut(value, most, 0)) for name, value in payload.items()}
        parts["truncated"] = "true"
        named = {name: _json(_cut(value, most, 0)) for name, value in variables.items()}
        if _fits(parts) and _fits(named):
            break
    return parts, named


def _fits(parts: Mapping[str, str]) -> bool:
    chars = sum(map(len, parts.values())) + _ENVELOPE_BYTES
    if 4 * chars < MAX_LINE_BYTES:  # UTF-8 takes at most four bytes a character
        return True
    return sum(len(value.encode()) for value in parts.values()) + _ENVELOPE_BYTES < MAX_LINE_BYTES


def _cut(value: JsonValue, most: int, depth: int) -> JsonValue:
    if isinstance(value, str):
        return value if len(value) <= most else value[:most] + _CUT_MARK
    if depth == _MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [_cut(entry, most, depth + 1) for entry in value[:most]]
    if isinstance(value, dict):
        # Past the names of our own answers, keys are someone's data too.
        kept = list(value.items())[: max(most, 32)]
        return {key[:256]: _cut(entry, most, depth + 1) for key, entry in kept}
    return value


def _json(value: object) -> str:
    # Not a number and infinity are no JSON: the daemon would drop the whole line.
    return to_json(value, inf_nan_mode="null").decode()
