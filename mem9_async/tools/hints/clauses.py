"""A query cut into the clauses that ask, those of one language's rules at a time."""

import re

from mem9_async.runtime.stop_words import word_set
from mem9_async.tools.hints.politeness import without_politeness
from mem9_async.tools.hints.text import Word, trimmed, words_of
from mem9_async.tools.hints.words import (
    ABBREVIATIONS,
    AMBIGUOUS_ABBREVIATIONS,
    AUXILIARIES,
    CLOSING_ABBREVIATIONS,
    QUESTION_WORDS,
)

_ENGLISH_STARTS = QUESTION_WORDS | AUXILIARIES
_SENTENCE_END = re.compile(r"(?<=[?!？！。；;\n])\s*|(?<=[^\W\d_]{2}\.)\s+")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_LAST_WORD = re.compile(r"[^\W\d_]+(?=\.\s*$)")
_ENGLISH_CLAUSE_START = re.compile(
    r"(?:,\s*(?:and\s+|but\s+|or\s+)?|\s+(?:and|but|or)\s+)"
    r"(?=(?:what|which|who|whose|when|where|why|how)(?:'s|’s)?\b)"
    r"|,\s*(?=(?:do|does|did|is|are|am|was|have|has|can)\s+(?:i|my|the|you|we)\b)",
    re.IGNORECASE,
)
_TAG = re.compile(
    r",\s*(?:(?:am|is|are|was|were|do|does|did|have|has|had|can|could|will|would|should|must)"
    r"(?:n['’]t)?\s+(?:i|you|he|she|it|we|they|there)(?:\s+not)?"
    r"|right|correct|true|yes|no|or not|ain['’]t it|innit|ok|okay)\s*(?=[?.!]|$)",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"(?<=\w),\s*(?:it['’]?s|it is|this is|that['’]s|because|since|as i|so i|so that)\b[^,?]*$",
    re.IGNORECASE,
)
_ALTERNATIVES = re.compile(
    r"(?<=\w),\s*((?:[\w'’#-]+ ){0,2}[\w'’#-]+),? or ((?:[\w'’#-]+ ){0,2}[\w'’#-]+)\s*\?\s*$"
)
_CHINESE_CLAUSE_START = re.compile(
    r"[，,、]\s*(?:还有|以及|和)?(?=.*(?:什么|哪|谁|几|多少|怎|吗|呢))|(?:还有|以及)(?=我|你)"
)
_CHINESE_PREDICATE = re.compile(
    r"(?:今年)?(?:几岁|多大|多高|多重)|(?:叫|是|姓|属)(?:什么|谁|哪)|(?:住|放)?在哪|什么(?:时候|品种|颜色)"
)
_CHINESE_PROPERTY = re.compile(
    r"(?:电话|手机号?|邮箱|地址|生日|年龄|名字|姓名|住址|工号|编号|价格|密码)(?:是|在)?(?:多少|什么|几|哪)"
)
_CHINESE_SUBJECT = re.compile(r".+?(?=叫|是|在|住|几[岁点号]|多[大高重少]|什么|哪|姓|属|有)")
_REFERS_BACK = word_set("he she it they him her them his its their")


def english_clauses(text: str) -> list[list[Word]]:
    """Cut *text* into the words of each clause that asks, the asking ones first."""
    sentences = _sentences(text)
    asking = _questions(sentences)
    clauses = _clauses_of(asking)
    if clauses and all(map(_only_refers, clauses)):
        # "I work with Emma. When is her birthday?": the sentence before says whom it is about.
        return clauses + _clauses_of([told for told in sentences if told not in asking])
    return [clause for at, clause in enumerate(clauses) if at == 0 or not _only_refers(clause)]


def chinese_clauses(text: str) -> list[str]:
    """Cut *text* into the clauses that ask; one without a subject takes that of the first."""
    clauses = [
        clause
        for sentence in _questions(_sentences(text))
        for clause in _CHINESE_CLAUSE_START.split(sentence)
        if trimmed(clause)
    ]
    subject = _CHINESE_SUBJECT.match(clauses[0]) if clauses else None
    if subject is None:
        return clauses
    return [clauses[0], *(_with_subject(subject[0], clause) for clause in clauses[1:])]


def _with_subject(subject: str, clause: str) -> str:
    if _CHINESE_PREDICATE.match(clause):
        return subject + clause
    if _CHINESE_PROPERTY.match(clause) and not subject.endswith("的"):
        return f"{subject}的{clause}"
    return clause


def _clauses_of(sentences: list[str]) -> list[list[Word]]:
    pieces = [
        piece
        for sentence in sentences
        for clause in _asking_first(_ENGLISH_CLAUSE_START.split(_without_tail(sentence)))
        for piece in _with_alternatives(clause)
    ]
    return [words_of(piece) for piece in pieces if trimmed(piece)]


def _without_tail(sentence: str) -> str:
    """Drop "..., isn't it?" and "..., it's urgent"."""
    return _REASON.sub("", _TAG.sub("", sentence))


def _with_alternatives(clause: str) -> list[str]:
    """Split what is offered ("..., tea or coffee?") from the question that offers it."""
    offered = _ALTERNATIVES.search(clause)
    return [clause[: offered.start()], offered[1], offered[2]] if offered else [clause]


def _sentences(text: str) -> list[str]:
    pieces: list[str] = []
    for piece in _SENTENCE_END.split(text):
        if pieces and not _ends(pieces[-1], piece):
            pieces[-1] = f"{pieces[-1]} {piece}"
        else:
            pieces.append(piece)
    return [piece for piece in pieces if trimmed(piece)]


def _ends(sentence: str, following: str) -> bool:
    """False where the full stop belongs to an abbreviation, or the sentence goes on after it."""
    last, first = _LAST_WORD.search(sentence), _FIRST_WORD.match(following)
    if last is None or first is None:
        return True
    asks = first[0].casefold() in _ENGLISH_STARTS
    low = last[0].casefold()
    if low in CLOSING_ABBREVIATIONS:
        return asks
    if low in ABBREVIATIONS and (last[0][0].isupper() or low not in AMBIGUOUS_ABBREVIATIONS):
        return False
    return asks or not first[0][0].islower()


def _questions(sentences: list[str]) -> list[str]:
    """The sentences that ask; all of them when none does."""
    asking = [sentence for sentence in sentences if sentence.rstrip().endswith(("?", "？"))]
    return asking or sentences


def _asking_first(clauses: list[str]) -> list[str]:
    """Put what leads up to a question ("For my trip to Japan, ...") behind it."""
    first = without_politeness(words_of(clauses[0]))
    if len(clauses) > 1 and first and first[0].low not in _ENGLISH_STARTS:
        return [*clauses[1:], clauses[0]]
    return clauses


def _only_refers(clause: list[Word]) -> bool:
    """True for "when is it due": nothing in it says what it is about."""
    subjects = [word for word in clause if word.name or word.low in {"i", "my", "me"}]
    return not subjects and any(word.low in _REFERS_BACK for word in clause[1:3])
