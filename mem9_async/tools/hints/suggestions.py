"""What to search for next: a question in the words in which a fact would stand."""

import re
from collections.abc import Iterable
from itertools import chain, zip_longest

from mem9_async.runtime.stop_words import SELF_WORDS, STOP_WORDS, word_set
from mem9_async.tools.hints.chinese import chinese_phrases
from mem9_async.tools.hints.clauses import chinese_clauses, english_clauses
from mem9_async.tools.hints.english import english_phrases
from mem9_async.tools.hints.text import Quotes, trimmed, words_of
from mem9_async.tools.hints.words import AUXILIARIES, QUESTION_WORDS

_MOST = 3
# Longer texts are pasted documents, not questions; no rule would improve them.
_LONGEST_CHARS = 400
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
# Kana, Hangul, and the function words of traditional Chinese: no rules for these.
_WITHOUT_RULES = re.compile(r"[\u3041-\u30ff\uac00-\ud7a3麼麽嗎請誰幾裡裏]")
_CHINESE_FUNCTION = re.compile(r"[的是吗呢什么哪谁几多少我你您有怎请喜欢在]")
_ENGLISH_SIGNS = (
    QUESTION_WORDS
    | AUXILIARIES
    | word_set(
        "i my me the user user's tell remind show find know remember of about please hi hello"
    )
)
# A rule that left one of these did not understand the question.
_STILL_ASKS = re.compile(
    r"(?<![\w'’])(?:what|which|who|whom|whose|when|where|why|how)(?![\w-])"
    r"|什么|啥|哪(?!吒)|谁|怎么|怎样|如何|多少|几[个位月号点岁]|还是|是不是|有没有|是否|(?<![毛花])[吗呢]$"
)


def suggest_queries(query: str) -> tuple[str, ...]:
    """Rephrase *query* as short statements, as mem9 keeps facts: 0 to 3, best first.

    mem9's keyword search looks for the whole query inside a fact, so a phrase that a fact
    may hold word for word is found where a question is not (mem9-api.md, 4.4). Names and
    quoted text are kept; the query itself is never suggested, nor anything that still asks.
    Never raises; a query in a language without rules gives no suggestion.
    """
    if len(query) > _LONGEST_CHARS:
        return ()
    quotes = Quotes(query)
    asked = _folded(query)
    suggestions: dict[str, str] = {}
    for phrase in _phrases(quotes.text):
        if not _is_statement(phrase):
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
        return _in_turn([chinese_phrases(clause) for clause in chinese_clauses(text)])
    if not any(word.low in _ENGLISH_SIGNS for word in words_of(text)) and len(text.split()) > 4:
        return ()
    return _in_turn([english_phrases(clause) for clause in english_clauses(text)])


def _in_turn(phrases: list[list[str]]) -> Iterable[str]:
    """The best phrase of each clause first, so that no question of several is left out."""
    return filter(None, chain.from_iterable(zip_longest(*phrases, fillvalue="")))


def _is_statement(phrase: str) -> bool:
    if _STILL_ASKS.search(phrase) or phrase.split().count("user") > 1:
        return False  # no rule understood the question
    return _says_something(_folded(phrase))


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
