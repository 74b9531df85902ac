"""Every memory of a space as JSON lines, the oldest first: none twice, and none left out.

mem9 lists by the time of the last change, so a memory that is changed between two pages moves.
Pages overlap, an id counts once, and the list is read again until two readings agree.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mem9_async.models.memory import ListQuery, Memory, MemoryPage

_PAGE, _OVERLAP = 160, 40
_READINGS_MOST = 4
#: What mem9 shows of a memory only for this one answer.
_PASSING = {"confidence", "score", "relative_age", "chain_source"}

ReadPage = Callable[[ListQuery], Awaitable[MemoryPage]]


@dataclass(frozen=True)
class Exported:
    """What was written. `sure` when the last two readings found the same memories."""

    memories: int
    sure: bool


async def read_all(read: ReadPage, query: ListQuery) -> tuple[list[Memory], bool]:
    """All memories that *query* matches, oldest first; and whether that is certain.

    Raises RequestFailed.
    """
    before: dict[str, int] | None = None
    found: dict[str, Memory] = {}
    for _ in range(_READINGS_MOST):
        found, total = await _once(read, query)
        versions = {each: memory.version or 0 for each, memory in found.items()}
        if versions == before or (before is None and len(found) == total <= _PAGE):
            return _sorted(found), len(found) == total
        before = versions
    return _sorted(found), False


async def _once(read: ReadPage, query: ListQuery) -> tuple[dict[str, Memory], int]:
    found: dict[str, Memory] = {}
    offset = 0
    while True:
        page = await read(query.model_copy(update={"offset": offset, "limit": _PAGE}))
        for memory in page.memories:
            known = found.get(memory.id or "")
            if memory.id and (known is None or (memory.version or 0) >= (known.version or 0)):
                found[memory.id] = memory
        if len(page.memories) < _PAGE:
            return found, page.total
        offset += _PAGE - _OVERLAP


def _sorted(found: dict[str, Memory]) -> list[Memory]:
    return sorted(found.values(), key=lambda memory: (memory.created_at or "", memory.id or ""))


def write(memories: list[Memory], out: Path | None, stdout: TextIO) -> None:
    """Write one JSON object a line, to *out* whole or not at all. Raises OSError."""
    if out is None:
        _lines(memories, stdout)
        return
    draft = out.with_name(f".{out.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            draft.chmod(0o600)
            _lines(memories, file)
        draft.replace(out)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _lines(memories: list[Memory], file: TextIO) -> None:
    for memory in memories:
        told = memory.model_dump(mode="json", exclude=_PASSING, exclude_none=True)
        file.write(json.dumps(told, ensure_ascii=False) + "\n")
