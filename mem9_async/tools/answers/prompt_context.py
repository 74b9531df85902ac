"""The best memories as a text that can stand in a prompt and is never stored again."""

import re
from collections.abc import Iterable, Iterator

from mem9_async.models.job import PendingWrite
from mem9_async.models.memory import Memory

# mem9 and our own store strip this block (docs/reference/mem9-api.md, 3.4), so recalled text
# that a model repeats does not become a new memory.
_OPEN = "<relevant-memories>"
_CLOSE = "</relevant-memories>"
_FRAME_BYTES = len(_OPEN) + len(_CLOSE) + 1
_TAG = re.compile(r"<\s*/?\s*relevant-memories\s*>", re.IGNORECASE)
_LINE_CHARS = 400
_SHORTEST_BYTES = 100  # less of a line than this says nothing
_TOTAL_CHARS = 4_000


def prompt_context(
    memories: tuple[Memory, ...],
    pending: tuple[PendingWrite, ...] = (),
    *,
    max_bytes: int | None = None,
) -> str:
    """Return one line per memory, best first, then per write, inside the tags; empty when none.

    Long ones are cut to 400 characters a line. Lines beyond 4,000 characters are left out; with
    *max_bytes* (UTF-8, of all that is returned) those that do not fit, and a line is at most as
    long as what does.
    """
    lines: list[str] = []
    if max_bytes is None:
        lines.extend(_up_to(_TOTAL_CHARS, _lines(memories, pending)))
    else:
        lines.extend(_within(max_bytes - _FRAME_BYTES, _lines(memories, pending)))
    return "\n".join((_OPEN, *lines, _CLOSE)) if lines else ""


def _up_to(room: int, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line


def _within(room: int, lines: Iterable[str]) -> Iterator[str]:
    whole = room - 1
    for line in lines:
        kept = _cut(line, whole)
        size = len(kept.encode()) + 1
        if kept and size <= room:
            room -= size
            yield kept


def _cut(line: str, most: int) -> str:
    """The line in *most* bytes: what is longer than all the room there is could never be told."""
    data = line.encode()
    if len(data) <= most:
        return line
    return f"{data[: most - 3].decode(errors='ignore')}…" if most >= _SHORTEST_BYTES else ""


def _lines(memories: Iterable[Memory], pending: Iterable[PendingWrite]) -> Iterator[str]:
    for memory in memories:
        yield _line(memory.content, memory.relative_age)
    for write in pending:
        yield _line(write.content, f"told {_age(write.age_s)} ago")


def _line(content: str, age: str | None) -> str:
    # Cut first: nothing after the cut needs to be searched.
    words = " ".join(_TAG.sub(" ", content[: 4 * _LINE_CHARS]).split())
    if len(words) > _LINE_CHARS:
        words = words[: _LINE_CHARS - 1] + "…"
    return f"- {words} ({age})" if age else f"- {words}"


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 7_200 else f"{round(seconds / 3600)} h"
