"""What mem9 adds to facts in a search over several types: the messages they came from. Pure."""

import re
from dataclasses import replace

from mem9_async.devserver.memory import StoredMemory

HEADING = "\n[source-turns]\n"
_SHARED_MIN = 2
_PER_MEMORY_MAX = 2
_TOTAL_MAX = 12
_WORD = re.compile(r"\w+")


def decorated(memories: list[StoredMemory], query: str) -> list[StoredMemory]:
    """*memories* with the messages of facts below their text, as far as those fit the query."""
    left = _TOTAL_MAX
    shown = []
    for memory in memories:
        turns = _turns(memory) if memory.memory_type == "insight" else []
        if not turns:
            shown.append(memory)
            continue
        wanted = _words(query) | _words(memory.content)
        fitting = [turn for turn in turns if len(_words(turn[1]) & wanted) >= _SHARED_MIN]
        chosen = fitting[: min(_PER_MEMORY_MAX, left)]
        left -= len(chosen)
        shown.append(_with(memory, chosen))
    return shown


def _with(memory: StoredMemory, turns: list[tuple[int, str]]) -> StoredMemory:
    if not turns:
        return replace(memory, metadata=None)
    return replace(
        memory,
        content=memory.content + HEADING + "\n".join(content for _, content in turns),
        metadata={
            "source_seqs": [seq for seq, _ in turns],
            "source_turns": [{"seq": seq, "content": content} for seq, content in turns],
        },
    )


def _turns(memory: StoredMemory) -> list[tuple[int, str]]:
    given = memory.metadata.get("source_turns") if isinstance(memory.metadata, dict) else None
    return [
        (seq, content)
        for each in (given if isinstance(given, list) else ())
        if isinstance(each, dict)
        and isinstance(seq := each.get("seq"), int)
        and isinstance(content := each.get("content"), str)
    ]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
