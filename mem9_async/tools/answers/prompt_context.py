"""The best memories as a text that can stand in a prompt and is never stored again."""

import re

from mem9_async.models.memory import Memory

# mem9 and our own store strip this block (docs/reference/mem9-api.md, 3.4), so recalled text
# that a model repeats does not become a new memory.
_OPEN = "<relevant-memories>"
_CLOSE = "</relevant-memories>"
_TAG = re.compile(r"<\s*/?\s*relevant-memories\s*>", re.IGNORECASE)
_LINE_CHARS = 400
_TOTAL_CHARS = 4_000


def prompt_context(memories: tuple[Memory, ...]) -> str:
    """Return one line per memory, best first, inside the tags; empty when there is none.

    Long memories are cut to 400 characters a line, and lines beyond 4,000 are left out.
    """
    lines: list[str] = []
    room = _TOTAL_CHARS
    for memory in memories:
        line = _line(memory)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    return "\n".join((_OPEN, *lines, _CLOSE)) if lines else ""


def _line(memory: Memory) -> str:
    # Cut first: nothing after the cut needs to be searched.
    words = " ".join(_TAG.sub(" ", memory.content[: 4 * _LINE_CHARS]).split())
    if len(words) > _LINE_CHARS:
        words = words[: _LINE_CHARS - 1] + "…"
    return f"- {words} ({memory.relative_age})" if memory.relative_age else f"- {words}"
