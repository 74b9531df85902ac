"""Listing and recalling over one space or a chain of spaces."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace

from mem9_async.devserver import recall
from mem9_async.devserver.access import Access, Node
from mem9_async.devserver.memories import Memories
from mem9_async.devserver.memory import StoredMemory
from mem9_async.devserver.recall import Hit, Shape
from mem9_async.devserver.requests import ListRequest
from mem9_async.devserver.sessions import Sessions
from mem9_async.devserver.words import query_words

_POOLS = ("pinned", "insight", "session")
CHAIN_STOP_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """A memory with what the search adds to it. `rated`: confidence is shown, age is not."""

    node: Node
    memory: StoredMemory
    confidence: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Answers lists and recalls. `strict` rates hits as a mem9 without an embedder would."""

    memories: Memories
    sessions: Sessions
    strict: bool
    now_s: Callable[[], float]

    def page(self, access: Access, asked: ListRequest) -> tuple[list[Found], int]:
        """One page, newest first, and the count of the whole list."""
        if access.chain_id is None:
            (node,) = access.nodes
            rows, total = self.memories.page(
                node.tenant.number, asked, limit=asked.limit, offset=asked.offset
            )
            return [Found(node, row) for row in rows], total
        total, parts = 0, []
        for node in access.nodes:
            rows, count = self.memories.page(
                node.tenant.number, asked, limit=asked.offset + asked.limit, offset=0
            )
            total += count
            parts.append([Found(node, row) for row in rows])
        merged = list(heapq.merge(*parts, key=lambda found: -found.memory.updated_at))
        return merged[asked.offset : asked.offset + asked.limit], total

    def recall(self, access: Access, asked: ListRequest) -> list[Found]:
        """What mem9 finds for the query, pinned first; over a chain, by score and then age."""
        if access.chain_id is None:
            (node,) = access.nodes
            return self._recall_node(node, asked)
        merged: list[Found] = []
        for node in access.nodes:
            found = self._recall_node(node, replace(asked, offset=0))
            merged.extend(found)
            top = max((item.score or 0.0 for item in found), default=0.0)
            if top >= CHAIN_STOP_SCORE and not asked.scan_all:
                break
        merged.sort(key=lambda item: (-(item.score or 0.0), -item.memory.updated_at))
        count = recall.budget(recall.shape_of(asked.query), asked.limit)
        return merged[asked.offset : asked.offset + count]

    def _recall_node(self, node: Node, asked: ListRequest) -> list[Found]:
        if len(asked.types) > 1 or (asked.types and asked.types[0] not in _POOLS):
            return self._search_types(node, asked)
        shape = recall.shape_of(asked.query)
        places = recall.budget(shape, asked.limit)
        if asked.types:
            hits = self._hits(node, asked, asked.types[0], shape)
            chosen = self._select(hits, shape, places, pinned=asked.types[0] == "pinned")
        else:
            chosen = self._recall_all(node, asked, shape, places)
        return [Found(node, hit.memory, hit.confidence, hit.score) for hit in chosen]

    def _recall_all(self, node: Node, asked: ListRequest, shape: Shape, places: int) -> list[Hit]:
        pinned_places = min(recall.pinned_places(shape), places)
        chosen = self._select(
            self._hits(node, asked, "pinned", shape), shape, pinned_places, pinned=True
        )
        seen = {hit.memory.content for hit in chosen}
        mixed = self._hits(node, asked, "insight", shape)
        mixed += self._hits(node, asked, "session", shape, covered=False)
        rest = [hit for hit in mixed if hit.memory.content not in seen]
        return chosen + self._select(rest, shape, places - len(chosen), pinned=False)

    def _select(self, hits: list[Hit], shape: Shape, places: int, *, pinned: bool) -> list[Hit]:
        return recall.select(hits, shape, places, pinned=pinned, gap=self.strict)

    def _search_types(self, node: Node, asked: ListRequest) -> list[Found]:
        """Several types at once: no confidence, no cut-off, and the offset counts."""
        if self.strict:
            candidates = self.memories.containing(node.tenant.number, asked.query, asked)
            hits = recall.substring_hits(candidates, Shape.GENERAL, self.now_s())
        else:
            words = query_words(asked.query)
            candidates = self.memories.sharing_words(node.tenant.number, words, asked)
            rated = recall.keyword_hits(candidates, len(words), self.now_s())
            hits = [recall.weighted(hit) for hit in recall.ordered(rated)]
            hits.sort(key=lambda hit: -(hit.score or 0.0))
        cut = hits[: 3 * asked.limit][asked.offset : asked.offset + asked.limit]
        return [Found(node, hit.memory, None, hit.score) for hit in cut]

    def _hits(
        self, node: Node, asked: ListRequest, pool: str, shape: Shape, *, covered: bool = True
    ) -> list[Hit]:
        """The rated hits of one pool; raw messages that became facts only if *covered*."""
        tenant, asked = node.tenant.number, replace(asked, types=(pool,))
        if self.strict:
            table = self.sessions if pool == "session" else self.memories
            candidates = table.containing(tenant, asked.query, asked)
            return recall.substring_hits(candidates, shape, self.now_s())
        words = query_words(asked.query)
        if pool == "session":
            candidates = self.sessions.sharing_words(tenant, words, asked, covered=covered)
        else:
            candidates = self.memories.sharing_words(tenant, words, asked)
        return recall.keyword_hits(candidates, len(words), self.now_s())
