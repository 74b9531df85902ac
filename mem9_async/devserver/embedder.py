"""Vectors of words in place of a model's: how alike a query and a memory are. Pure."""

import math
from collections.abc import Iterable

from mem9_async.devserver.memory import StoredMemory
from mem9_async.devserver.recall import SIMILARITY_MIN
from mem9_async.devserver.words import query_words


def similar(query: str, memories: Iterable[StoredMemory]) -> list[tuple[StoredMemory, float]]:
    """Those of *memories* alike enough for mem9, with their cosine, the likest first."""
    asked = query_words(query)
    rated = [(memory, _cosine(asked, query_words(memory.content))) for memory in memories]
    found = [each for each in rated if each[1] >= SIMILARITY_MIN]
    return sorted(found, key=lambda each: (-each[1], -each[0].updated_at))


def _cosine(one: frozenset[str], other: frozenset[str]) -> float:
    if not one or not other:
        return 0.0
    return round(len(one & other) / math.sqrt(len(one) * len(other)), 6)
