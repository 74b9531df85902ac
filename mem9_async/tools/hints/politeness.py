"""What stands around a question and is not part of it."""

from mem9_async.runtime.stop_words import word_set
from mem9_async.tools.hints.text import Word
from mem9_async.tools.hints.verbs import base_of
from mem9_async.tools.hints.words import (
    BE,
    NUMBERS,
    PREFIXES,
    RELATIVE_TIMES,
    SPEAKING,
    SUFFIXES,
    TIME_NOUNS,
)

_CIRCUMSTANCES = word_set("when whenever while if because")
_COMPARED = word_set("better best more most")
_SUBJECTS = word_set("i you we he she it they my the")


def naming_the_user(words: list[Word]) -> list[Word]:
    """Read "the user" as "I": both speak of whom the memories belong to."""
    read: list[Word] = []
    for word in words:
        if read and read[-1].low == "the" and word.low in {"user", "user's"}:
            owner = word.low == "user's"
            read[-1] = Word("my", "my") if owner else Word("I", "i")
        else:
            read.append(word)
    return read


def preferring(words: list[Word]) -> list[Word]:
    """Read "like better" as "prefer", the word of stored facts."""
    for at, word in enumerate(words[:-1]):
        if word.low in {"like", "love"} and words[at + 1].low.strip(",") in _COMPARED:
            return [*words[:at], Word("prefer", "prefer"), *words[at + 2 :]]
    return words


def without_amount(words: list[Word]) -> list[Word]:
    """Drop "more than two", "at least 5": the fact says how many there are."""
    for at in range(len(words) - 3):
        first, second, number = (word.low for word in words[at : at + 3])
        compares = (first in {"more", "less", "fewer"} and second == "than") or (
            first == "at" and second in {"least", "most"}
        )
        if compares and (number in NUMBERS or number.isdigit()):
            return words[:at] + words[at + 3 :]
    return words


def without_circumstance(words: list[Word]) -> list[Word]:
    """Drop the clause that says when or if ("what do I drink when I am sick")."""
    for at in range(3, len(words) - 1):
        low, before = words[at].low, words[at - 1]
        opens = low in _CIRCUMSTANCES and not words[at].name and words[at + 1].low in _SUBJECTS
        noun = before.low in TIME_NOUNS  # "the day when I met Lena"
        if opens and not noun and base_of(before.low) not in SPEAKING and before.low not in BE:
            return words[:at]
    return words


def without_politeness(words: list[Word]) -> list[Word]:
    """Drop what surrounds the question: greetings, "could you tell me", "please"."""
    changed = True
    while changed:
        changed = False
        lows = tuple("" if word.name else word.low.strip(",.!?") for word in words)
        for prefix in PREFIXES:
            if lows[: len(prefix)] == prefix:
                words, changed = words[len(prefix) :], True
                break
        else:
            for suffix in SUFFIXES:
                if len(lows) > len(suffix) and lows[-len(suffix) :] == suffix:
                    words, changed = words[: -len(suffix)], True
                    break
    return words


def without_relative_time(words: list[Word]) -> tuple[list[Word], str]:
    """Take the first relative time ("last week") out; return it beside the rest, "" for none."""
    lows = [word.low.strip(",") for word in words]
    for phrase in RELATIVE_TIMES:
        for start in range(len(lows) - len(phrase) + 1):
            end = start + len(phrase)
            if tuple(lows[start:end]) == phrase:
                return words[:start] + words[end:], " ".join(phrase)
    return words, ""
