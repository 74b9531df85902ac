"""Listing and recalling over one space or a chain of spaces."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace

from mem9_async.devserver import recall
from mem9_async.devserver.access import Access, Node
from mem9_async.devserver.answers import Refusal
from mem9_async.devserver.embedder import similar
from mem9_async.devserver.flavour import Flavour
from mem9_async.devserver.memories import Memories
from mem9_async.devserver.memory import StoredMemory
from mem9_async.devserver.recall import Hit, Leg, Shape
from mem9_async.devserver.requests import ListRequest
from mem9_async.devserver.sessions import Sessions
from mem9_async.devserver.source_turns import decorated
from mem9_async.devserver.words import query_words

_POOLS = ("pinned", "insight", "session")
CHAIN_STOP_SCORE = 0.5
KEYWORD_ROWS_MAX = 3_000


@dataclass(frozen=True, slots=True)
class Found:
    """A memory with what the search adds to it. `rated`: confidence is shown, age is not."""

    node: Node
    memory: StoredMemory
    confidence: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Answers lists and recalls."""

    memories: Memories
    sessions: Sessions
    flavour: Flavour
    now_s: Callable[[], float]

    def page(self, access: Access, asked: ListRequest) -> tuple[list[Found], int]:
        """One page, newest first, and the count of the whole list."""
        raw = self.flavour.is_newer and asked.types == ("session",)
        table = self.sessions if raw else self.memories
        if access.chain_id is None:
            (node,) = access.nodes
            rows, total = table.page(
                node.tenant.number, asked, limit=asked.limit, offset=asked.offset
            )
            return [Found(node, row) for row in rows], total
        total, parts = 0, []
        for node in access.nodes:
            rows, count = table.page(
                node.tenant.number, asked, limit=asked.offset + asked.limit, offset=0
            )
            total += count
            parts.append([Found(node, row) for row in rows])
        merged = list(heapq.merge(*parts, key=lambda found: -found.memory.updated_at))
        return merged[asked.offset : asked.offset + asked.limit], total

    def keyword(self, access: Access, asked: ListRequest) -> tuple[list[Found], int]:
        """What contains the query word for word: no vectors, no confidence, no unit.

        Raises Refusal when memories and raw turns together are too many to be merged.
        """
        found: list[Found] = []
        for node in access.nodes:
            tenant = node.tenant.number
            if asked.types != ("session",):
                rows = self.memories.matching(tenant, asked, KEYWORD_ROWS_MAX + 1)
                found += [Found(node, row) for row in rows]
            if asked.types in ((), ("session",)) and not self.flavour.on_postgres:
                rows = self.sessions.matching(tenant, asked, KEYWORD_ROWS_MAX + 1)
                found += [Found(node, row) for row in rows]
        if not asked.types and len(found) > KEYWORD_ROWS_MAX:
            raise Refusal(
                422, "all-types memory list budget exceeded", "memory_list_budget_exceeded"
            )
        found.sort(key=lambda each: _sort_key(each.memory, asked), reverse=not asked.ascending)
        return found[asked.offset : asked.offset + asked.limit], len(found)

    def recall(self, access: Access, asked: ListRequest) -> tuple[list[Found], int]:
        """What mem9 finds for the query, pinned first; over a chain, by score and then age.

        Also the count that mem9 gives as `total`: of several types all candidates, else what is
        returned.
        """
        if access.chain_id is None:
            (node,) = access.nodes
            if _is_one_pool(asked):
                found = self._recall_node(node, asked)
                return found, len(found)
            everything = self._search_types(node, asked)
            page = everything[asked.offset : asked.offset + asked.limit]
            return _with_turns(page, asked.query), len(everything)
        merged: list[Found] = []
        for node in access.nodes:
            one_pool, first = _is_one_pool(asked), replace(asked, offset=0)
            if one_pool:
                found = self._recall_node(node, first)
            else:
                found = _with_turns(self._search_types(node, first), asked.query)
            merged.extend(found)
            top = max((item.score or 0.0 for item in found), default=0.0)
            if top >= CHAIN_STOP_SCORE and not asked.scan_all:
                break
        merged.sort(key=lambda item: (-(item.score or 0.0), -item.memory.updated_at))
        count = recall.budget(recall.shape_of(asked.query), asked.limit)
        page = merged[asked.offset : asked.offset + count]
        return page, len(page)

    def _recall_node(self, node: Node, asked: ListRequest) -> list[Found]:
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
        mixed += self._hits(node, asked, "session", shape)
        rest = [hit for hit in mixed if hit.memory.content not in seen]
        return chosen + self._select(rest, shape, places - len(chosen), pinned=False)

    def _select(self, hits: list[Hit], shape: Shape, places: int, *, pinned: bool) -> list[Hit]:
        return recall.select(hits, shape, places, pinned=pinned)

    def _search_types(self, node: Node, asked: ListRequest) -> list[Found]:
        """Several types at once: no confidence and no cut-off."""
        legs = recall.by_rank(self._legs(node, asked, self.memories))
        keyword_only = not self.flavour.embedder
        return [
            Found(node, leg.memory, None, recall.shown_score(leg, keyword_only=keyword_only))
            for leg in legs
        ]

    def _hits(self, node: Node, asked: ListRequest, pool: str, shape: Shape) -> list[Hit]:
        """The rated hits of one pool."""
        table = self.sessions if pool == "session" else self.memories
        legs = self._legs(node, replace(asked, types=(pool,)), table)
        return recall.rated(legs, shape, self.now_s())

    def _legs(self, node: Node, asked: ListRequest, table: Memories | Sessions) -> list[Leg]:
        """The whole query as a part of the text, newest first, and what its vector is like."""
        tenant = node.tenant.number
        keyword = table.containing(tenant, asked.query, asked)
        vector: list[tuple[StoredMemory, float]] = []
        if self.flavour.embedder:
            near = table.sharing_words(tenant, query_words(asked.query), asked)
            vector = similar(asked.query, near)[: 3 * asked.limit]
        return recall.merged(keyword, vector)


def _sort_key(memory: StoredMemory, asked: ListRequest) -> tuple[str, float]:
    texts = {"content": memory.content, "memory_type": memory.memory_type}
    return texts.get(asked.sort_by, ""), memory.updated_at


def _with_turns(page: list[Found], query: str) -> list[Found]:
    shown = decorated([found.memory for found in page], query)
    return [replace(found, memory=memory) for found, memory in zip(page, shown, strict=True)]


def _is_one_pool(asked: ListRequest) -> bool:
    return not asked.types or (len(asked.types) == 1 and asked.types[0] in _POOLS)
