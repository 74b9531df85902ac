"""What to search for next, and the sentence that tells the model so. No model is asked."""

import re
from collections.abc import Iterable
from itertools import chain, zip_longest

from mem9_async.runtime.stop_words import SELF_WORDS, STOP_WORDS, word_set
from mem9_async.tools.hint_politeness import without_politeness
from mem9_async.tools.hint_text import Quotes, trimmed, words_of
from mem9_async.tools.hint_words import AUXILIARIES, QUESTION_WORDS
from mem9_async.tools.hints_chinese import chinese_phrases
from mem9_async.tools.hints_english import english_phrases

_MOST = 3
# Longer texts are pasted documents, not questions; no rule would improve them.
_LONGEST_CHARS = 400
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
# Kana, Hangul, and the function words of traditional Chinese: no rules for these.
_WITHOUT_RULES = re.compile(r"[\u3041-\u30ff\uac00-\ud7a3麼麽嗎請誰幾裡裏]")
_CHINESE_FUNCTION = re.compile(r"[的是吗呢什么哪谁几多少我你您有怎请喜欢在]")
_SENTENCE_END = re.compile(r"(?<=[?!？！。；;\n])\s*|(?<=[a-z]{3}\.)\s+")
_CLAUSE_START = re.compile(
    r"(?:,\s*(?:and\s+|but\s+|or\s+)?|\s+(?:and|but|or)\s+)"
    r"(?=(?:what|which|who|whose|when|where|why|how)(?:'s|’s)?\b)"
    r"|,\s*(?=(?:do|does|did|is|are|am|was|have|has|can)\s+(?:i|my|the|you|we)\b)",
    re.IGNORECASE,
)
_CHINESE_CLAUSE_START = re.compile(
    r"[，,、]\s*(?:还有|以及|和)?(?=.*(?:什么|哪|谁|几|多少|怎|吗|呢))|(?:还有|以及)(?=我|你)"
)
_ENGLISH_STARTS = QUESTION_WORDS | AUXILIARIES
_ENGLISH_SIGNS = _ENGLISH_STARTS | word_set(
    "i my me the user user's tell remind show find know remember of about please hi hello"
)


def suggest_queries(query: str) -> tuple[str, ...]:
    """Rephrase *query* as short statements, as mem9 keeps facts: 0 to 3, best first.

    mem9's keyword search looks for the whole query inside a fact, so a phrase that a fact
    may hold word for word is found where a question is not (mem9-api.md, 4.4). Names and
    quoted text are kept; the query itself is never suggested. Never raises; a query in a
    language without rules gives no suggestion.
    """
    if len(query) > _LONGEST_CHARS:
        return ()
    quotes = Quotes(query)
    asked = _folded(query)
    suggestions: dict[str, str] = {}
    for phrase in _phrases(quotes.text):
        if not _says_something(_folded(phrase)):
            continue
        suggestion = trimmed(" ".join(quotes.restore(phrase).split()))
        key = _folded(suggestion)
        if key and key != asked and key not in suggestions:
            suggestions[key] = suggestion
    if len(suggestions) > 1:
        # Alone it answers "what do you know about me?"; beside others it says nothing.
        suggestions.pop("user", None)
        suggestions.pop("用户", None)
    return tuple(suggestions.values())[:_MOST]


def _phrases(text: str) -> Iterable[str]:
    if _WITHOUT_RULES.search(text):
        return ()
    if _HAN.search(text) and _CHINESE_FUNCTION.search(text):
        sentences = [part for part in _SENTENCE_END.split(text) if trimmed(part)]
        clauses = [
            clause
            for sentence in _questions(sentences)
            for clause in _CHINESE_CLAUSE_START.split(sentence)
            if trimmed(clause)
        ]
        return _in_turn([chinese_phrases(clause) for clause in clauses])
    sentences = [part for part in _SENTENCE_END.split(text) if trimmed(part)]
    clauses = [
        clause
        for sentence in _questions(sentences)
        for clause in _asking_first(_CLAUSE_START.split(sentence))
        if trimmed(clause)
    ]
    if not any(word.low in _ENGLISH_SIGNS for word in words_of(text)) and len(text.split()) > 4:
        return ()
    return _in_turn([english_phrases(words_of(clause)) for clause in clauses])


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


def _in_turn(phrases: list[list[str]]) -> Iterable[str]:
    """The best phrase of each clause first, so that no question of several is left out."""
    return filter(None, chain.from_iterable(zip_longest(*phrases, fillvalue="")))


def _says_something(phrase: str) -> bool:
    if phrase in {"user", "用户"}:  # what is left of "what do you know about me?"
        return True
    words = phrase.split()
    # Of the user even small words say something ("user is from").
    return (len(words) > 2 and words[0] == "user") or any(
        word not in STOP_WORDS and word.removesuffix("'s") not in SELF_WORDS for word in words
    )


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def retry_sentence(reason: str, suggestions: tuple[str, ...], after_s: float | None) -> str:
    """Tell the model in one short sentence what to do after a search that brought too little.

    *reason* is a `retry.reason`; *after_s* is in seconds and None where unknown.
    """
    instead = _instead(suggestions)
    if reason == "no_match":
        if not suggestions:
            return "Nothing matched; try once more with a short noun phrase or another keyword."
        return f"Nothing matched; search once more for {instead}."
    if reason == "low_confidence":
        if not suggestions:
            return "The matches are weak; check them, or search again with more specific words."
        return f"The matches are weak; check them, or search again for {instead}."
    wait = _duration(after_s)
    if reason == "pending_writes":
        return (
            "Matching memories are still on their way; use the ones under `pending`"
            f" and search again {f'in {wait}' if wait else 'in a later turn'}."
        )
    if reason == "rate_limited":
        return f"mem9 is rate limiting; search again {f'in {wait}' if wait else 'a little later'}."
    if reason == "quota_denied":
        return (
            "mem9 denied the search for quota; do not search again"
            f"{f' for {wait}' if wait else ''}, and tell the user what `user_message` says."
        )
    if reason == "unavailable":
        return (
            "Memory could not be searched, which does not mean that it is empty; "
            f"{f'try again in {wait}' if wait else 'try again later'}, or go on without it."
        )
    if reason == "timeout":
        return (
            "mem9 did not answer in time, which does not mean that memory is empty; "
            f"try again {f'in {wait}' if wait else 'once'}, or go on without it."
        )
    if reason == "unauthorized":
        return "mem9 refused the API key; do not search again until someone has corrected it."
    return "The search was refused as it stands; correct its parameters before searching again."


def _instead(suggestions: tuple[str, ...]) -> str:
    return " or ".join(f'"{suggestion}"' for suggestion in suggestions[:2])


def _duration(after_s: float | None) -> str:
    if after_s is None or not after_s > 0:
        return ""
    seconds = max(1, round(min(after_s, 10 * 86_400)))
    if seconds < 120:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{-(-minutes // 60)} h"
