"""What stands around a question and is not part of it."""

from mem9_async.tools.hints.text import Word
from mem9_async.tools.hints.words import PREFIXES, RELATIVE_TIMES, SUFFIXES


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
