"""How sure a hit is, and which hits are sure enough. Pure."""

import re
from dataclasses import dataclass, replace
from enum import Enum, auto

from mem9_async.devserver.memories import Candidate
from mem9_async.devserver.memory import StoredMemory

_DAY_S = 86_400
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
class Hit:
    """A memory a recall returns. `confidence` 0-100; `score` only where the leg gives one."""

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


def keyword_hits(candidates: list[Candidate], word_count: int, now_s: float) -> list[Hit]:
    """Rate by the share of the query's words found (the score); one word passes every floor.

    Ties within a share go to what is fresher and to facts over raw messages; a question that
    was stored as a fact yields to the raw message that asked it.
    """
    hits = []
    for candidate in candidates:
        share = candidate.found / word_count
        memory = candidate.memory
        kind = 0
        if memory.memory_type == "insight":
            kind = -1 if is_question(memory.content) else 1
        confidence = 70 + 27 * share + max(0, round(40 * _recency(memory, now_s)) + kind)
        hits.append(Hit(memory, min(100, int(confidence + 0.5)), round(share, 4)))
    return hits


def substring_hits(candidates: list[Candidate], shape: Shape, now_s: float) -> list[Hit]:
    """Rate as mem9 does with its keyword leg alone: rarely enough. Best first goes in."""
    hits = []
    for rank, candidate in enumerate(candidates, start=1):
        memory = candidate.memory
        raw = 0.55 * 0.5 * 61 / (60 + rank) + _recency(memory, now_s) + _evidence(memory, shape)
        if memory.memory_type == "insight" and shape is Shape.GENERAL:
            raw += 0.10
        if memory.memory_type == "session" and shape is Shape.EXACT:
            raw += 0.15
        hits.append(Hit(memory, int(100 * min(1.0, max(0.0, raw)) + 0.5), None))
    return hits


def ordered(hits: list[Hit]) -> list[Hit]:
    """The most confident first, then the newest; of equal texts only the first stays."""
    ranked = sorted(hits, key=lambda hit: (-hit.confidence, -hit.memory.updated_at))
    best = {hit.memory.content: hit for hit in reversed(ranked)}
    return [hit for hit in ranked if best[hit.memory.content] is hit]


def select(hits: list[Hit], shape: Shape, count: int, *, pinned: bool, gap: bool) -> list[Hit]:
    """At most *count* of the ordered hits that reach the floor.

    With *gap*, stops where confidence falls by more than 18 (never for pinned or lists).
    """
    floor = _PINNED_FLOOR if pinned else _MIXED_FLOOR
    if shape is Shape.ENUMERATION and not pinned:
        floor = _ENUMERATION_FLOOR
    stops_at_gap = gap and not pinned and shape is not Shape.ENUMERATION
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


def is_question(text: str) -> bool:
    """True for text that asks: mem9's extraction drops such messages."""
    return text.rstrip().endswith(("?", "？"))


def weighted(hit: Hit) -> Hit:
    """The hit with its score weighted for the search over several types: pinned count more."""
    if hit.memory.memory_type != "pinned" or hit.score is None:
        return hit
    return replace(hit, score=round(1.5 * hit.score, 4))


def _recency(memory: StoredMemory, now_s: float) -> float:
    age_s = now_s - memory.updated_at
    return 0.05 if age_s <= 7 * _DAY_S else 0.02 if age_s <= 30 * _DAY_S else 0.0


def _evidence(memory: StoredMemory, shape: Shape) -> float:
    bonus = 0.05 if len(memory.content) <= _SHORT_ANSWER_LENGTH else 0.0
    if shape is Shape.EXACT:
        bonus += 0.24 if _QUOTED.search(memory.content) else 0.0
        bonus += 0.08 if _ACRONYM.search(memory.content) else 0.0
    return bonus
