"""How sure a hit is, and which hits are sure enough. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from mem9_async.devserver.memory import StoredMemory

_DAY_S = 86_400
_RRF_K = 60
SIMILARITY_MIN = 0.30  #: less alike is not found
_PINNED_FLOOR, _MIXED_FLOOR, _ENUMERATION_FLOOR = 70, 65, 55
_GAP_MAX = 18
_ENUMERATION_BUDGET_MAX = 20
_SHORT_ANSWER_LENGTH = 160
_QUOTED = re.compile(r"[\"“「『《][^\"”」』》]+[\"”」』》]")
_ACRONYM = re.compile(r"\b[A-Z][A-Z0-9_]+\b")


class Shape(Enum):
    """What kind of answer a query wants, by how it begins."""

    TIME = auto()
    LOCATION = auto()
    COUNT = auto()
    ENUMERATION = auto()
    ENTITY = auto()
    EXACT = auto()
    GENERAL = auto()


_SHAPES = (
    (re.compile(r"when\b|(?:.*(?:什么时候|何时|几点|哪天|哪年))"), Shape.TIME),
    (re.compile(r"where\b|(?:.*(?:哪里|哪儿|在哪|什么地方))"), Shape.LOCATION),
    (re.compile(r"how (?:many|much)\b|(?:.*(?:多少|几个|几次))"), Shape.COUNT),
    (
        re.compile(
            r"(?:what|which) (?:types?|kinds?) of\b"
            r"|(?:what|which) (?!is\b|was\b|does\b|has\b|this\b|its\b|\w*ss\b)\w+s\b|(?:.*哪些)"
        ),
        Shape.ENUMERATION,
    ),
    (re.compile(r"(?:who|whom|whose|which)\b|(?:.*(?:谁|哪个|哪位))"), Shape.ENTITY),
    (re.compile(r"what\b|(?:.*什么)"), Shape.EXACT),
)


@dataclass(frozen=True, slots=True)
class Leg:
    """What one memory got from the legs of a search.

    `rank_score` is its reciprocal rank, summed over the legs; `similarity` the cosine of its
    vector, None where the vector leg did not find it.
    """

    memory: StoredMemory
    rank_score: float
    in_keyword: bool
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory a recall returns. `confidence` 0-100; `score` only where the legs give one."""

    memory: StoredMemory
    confidence: int
    score: float | None


def shape_of(query: str) -> Shape:
    """The first shape whose opening (English) or question word (Chinese) the query has."""
    lowered = query.strip().lower()
    return next((shape for opening, shape in _SHAPES if opening.match(lowered)), Shape.GENERAL)


def budget(shape: Shape, limit: int) -> int:
    """How many memories may return: twice the limit, at most 20, when a list is asked for."""
    return min(2 * limit, _ENUMERATION_BUDGET_MAX) if shape is Shape.ENUMERATION else limit


def merged(
    keyword: Iterable[StoredMemory], vector: Iterable[tuple[StoredMemory, float]]
) -> list[Leg]:
    """Both legs, each best first, as one list by reciprocal rank."""
    scores: dict[str, float] = {}
    found: dict[str, StoredMemory] = {}
    similarities: dict[str, float] = {}
    named: set[str] = set()
    for rank, memory in enumerate(keyword, start=1):
        scores[memory.id] = 1 / (_RRF_K + rank)
        found[memory.id] = memory
        named.add(memory.id)
    for rank, (memory, similarity) in enumerate(vector, start=1):
        scores[memory.id] = scores.get(memory.id, 0.0) + 1 / (_RRF_K + rank)
        found.setdefault(memory.id, memory)
        similarities[memory.id] = similarity
    legs = [
        Leg(memory, scores[key], key in named, similarities.get(key))
        for key, memory in found.items()
    ]
    return sorted(legs, key=lambda leg: -leg.rank_score)


def rated(legs: list[Leg], shape: Shape, now_s: float) -> list[Hit]:
    """How sure mem9 is of each; a score only where the vector leg alone found it."""
    hits = []
    for leg in legs:
        memory, similarity = leg.memory, leg.similarity
        sure = 0.55 * leg.rank_score * (_RRF_K + 1) / 2
        sure += _recency(memory, now_s) + _evidence(memory, shape)
        if similarity is not None:
            sure += 0.20 * min(1.0, max(0.0, (similarity - SIMILARITY_MIN) / (1 - SIMILARITY_MIN)))
            sure += 0.10 if leg.in_keyword else 0.0
        if memory.memory_type == "insight" and shape is Shape.GENERAL:
            sure += 0.10
        if memory.memory_type == "session" and shape is Shape.EXACT:
            sure += 0.15
        score = None if leg.in_keyword else similarity
        hits.append(Hit(memory, int(100 * min(1.0, max(0.0, sure)) + 0.5), score))
    return hits


def by_rank(legs: list[Leg]) -> list[Leg]:
    """Best first over several types: a pinned memory counts half as much again."""
    return sorted(legs, key=lambda leg: -leg.rank_score * (1.5 if _is_pinned(leg) else 1.0))


def shown_score(leg: Leg, *, keyword_only: bool) -> float | None:
    """What mem9 writes beside a row of several types, on two scales that do not compare.

    A cosine for what the vector leg alone found, else the reciprocal rank; nothing where there
    is no vector leg.
    """
    if keyword_only:
        return None
    if not leg.in_keyword:
        return leg.similarity
    return leg.rank_score * (1.5 if _is_pinned(leg) else 1.0)


def ordered(hits: list[Hit]) -> list[Hit]:
    """The most confident first, then the newest; of equal texts only the first stays."""
    ranked = sorted(hits, key=lambda hit: (-hit.confidence, -hit.memory.updated_at))
    best = {hit.memory.content: hit for hit in reversed(ranked)}
    return [hit for hit in ranked if best[hit.memory.content] is hit]


def select(hits: list[Hit], shape: Shape, count: int, *, pinned: bool) -> list[Hit]:
    """At most *count* of the ordered hits that reach the floor.

    Stops where confidence falls by more than 18 (never for pinned or lists).
    """
    floor = _PINNED_FLOOR if pinned else _MIXED_FLOOR
    if shape is Shape.ENUMERATION and not pinned:
        floor = _ENUMERATION_FLOOR
    stops_at_gap = not pinned and shape is not Shape.ENUMERATION
    chosen: list[Hit] = []
    for hit in ordered(hits):
        fell = chosen[-1].confidence - hit.confidence if chosen else 0
        if len(chosen) == count or hit.confidence < floor or (stops_at_gap and fell > _GAP_MAX):
            break
        chosen.append(hit)
    return chosen


def pinned_places(shape: Shape) -> int:
    """How many pinned memories may lead a recall of every type."""
    return 1 if shape is Shape.ENUMERATION else 2


def _is_pinned(leg: Leg) -> bool:
    return leg.memory.memory_type == "pinned"


def _recency(memory: StoredMemory, now_s: float) -> float:
    age_s = now_s - memory.updated_at
    return 0.05 if age_s <= 7 * _DAY_S else 0.02 if age_s <= 30 * _DAY_S else 0.0


def _evidence(memory: StoredMemory, shape: Shape) -> float:
    bonus = 0.05 if len(memory.content) <= _SHORT_ANSWER_LENGTH else 0.0
    if shape is Shape.EXACT:
        bonus += 0.24 if _QUOTED.search(memory.content) else 0.0
        bonus += 0.08 if _ACRONYM.search(memory.content) else 0.0
    return bonus
