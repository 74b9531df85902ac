"""Noun phrases as stored facts have them: "my dog's name" -> "user's dog"."""

import re

from mem9_async.runtime.stop_words import word_set
from mem9_async.tools.hints.text import Word, joined, trimmed
from mem9_async.tools.hints.words import (
    ARTICLES,
    DROPPED_OWNERS,
    LEAD_ADJECTIVES,
    PREPOSITIONS,
    USER_PRONOUNS,
)

_NAMING = frozenset({"name", "names"})
_FREQUENCY = word_set("day week month year hour night time")
# Capitalised, and still not what a question is about.
_CALENDAR = word_set("""
    monday tuesday wednesday thursday friday saturday sunday christmas easter
    january february march april may june july august september october november december
    """)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)?")
_LINKS = frozenset({"and", "or", "but", "so", "about", "that", "because", "if", "whether"})


def is_owned(word: Word) -> bool:
    """True for "my": the one owner whom every fact of a space shares."""
    return not word.name and word.low in {"my", "user's", "users'"}


def possessive(name: str) -> str:
    """`Ana` -> `Ana's`; `user's parents` -> `user's parents'`."""
    plural = name[:1].islower() and name.endswith("s") and not name.endswith("ss")
    return f"{name}'" if plural else f"{name}'s"


def of_user(words: list[Word]) -> str:
    """The user's own such thing."""
    return f"user's {readable(words)}"


def readable(words: list[Word], *, within: bool = False) -> str:
    """The phrase without articles and owners that no fact repeats; "my" becomes "user's".

    *within* keeps the preposition at the start: the phrase goes on from a verb ("lives in ...").
    An article after a preposition stays, as facts have it there too ("to the gym").
    """
    kept: list[Word] = []
    while not within and len(words) > 1 and _opens_nothing(words[0]):
        words = words[1:]
    for at, word in enumerate(words):
        low = "" if word.name else word.low
        before = words[at - 1] if at else None
        follows_preposition = (
            before is not None and not before.name and before.low in PREPOSITIONS | {"and", "than"}
        )
        after = words[at + 1].low if at + 1 < len(words) else ""
        if low in {"my", "mine"}:
            kept.append(Word("user's", "user's"))
        elif low in {"i", "me", "myself"}:
            kept.append(Word("user", "user"))
        elif low in DROPPED_OWNERS or (
            low in ARTICLES
            and not (follows_preposition and low in {"the", "a", "an"})
            and not (low in {"a", "an"} and after in _FREQUENCY)
        ):
            continue
        elif low in {"user", "user's"}:
            kept.append(Word(low, low))
        else:
            kept.append(word)
    while kept and not kept[-1].name and kept[-1].low in _LINKS:
        kept.pop()
    return joined(kept)


def _opens_nothing(word: Word) -> bool:
    return not word.name and word.low in PREPOSITIONS | _LINKS | ARTICLES


def noun_phrases(words: list[Word], tail: list[Word] | None = None) -> list[str]:
    """The phrase, then shorter ones that a fact may hold where it lacks the whole."""
    words = _named_thing(list(words))
    whole = readable(words)
    phrases = [whole] if whole else []
    if phrases and not words[0].name and words[0].low == "your":
        # The assistant's if the user asks, the user's if the model does: the bare noun finds both.
        phrases.append(f"user's {whole}")
    lows = ["" if word.name else word.low for word in words]
    if "i" in lows[1:]:  # "the last book I read"
        return [whole, readable(words[: lows.index("i", 1)])]
    if tail:
        phrases.append(f"{whole} {readable(tail, within=True)}")
    phrases += without_lead(whole)
    if "for" in lows[2:]:
        head = readable(words[: lows.index("for", 2)]).removeprefix("user's ")
        phrases += [head] if " " in head else []
    if "of" in lows:
        owner = words[lows.index("of") + 1 :]
        phrases.append(readable(owner))
    phrases += _names_in(words)
    return [phrase for phrase in phrases if phrase and phrase not in USER_PRONOUNS - {"user"}]


def without_lead(phrase: str) -> list[str]:
    """Shorter forms: without "user's", then without "favourite" and the like."""
    shorter = []
    bare = phrase.removeprefix("user's ")
    if bare.startswith("user ") and bare.count(" ") > 1:
        bare = bare.removeprefix("user ")
    if bare != phrase:
        shorter.append(bare)
    head, _, tail = bare.partition(" ")
    if head.casefold() in LEAD_ADJECTIVES and tail:
        shorter.append(trimmed(tail))
    return shorter


def _named_thing(words: list[Word]) -> list[Word]:
    """Who is asked by name is kept by what they are: "the name of my dog" -> "my dog"."""
    lows = ["" if word.name else word.low for word in words]
    while lows and lows[-1] in {"called", "named"} and len(lows) > 1:
        words, lows = words[:-1], lows[:-1]
    start = 1 if lows[:1] == ["the"] else 0
    if lows[start : start + 1] and lows[start] in _NAMING and lows[start + 1 : start + 2] == ["of"]:
        return words[start + 2 :]
    if len(lows) > 2 and lows[-1] in _NAMING and lows[-2].endswith("'s") and lows[-2] != "user's":
        owner = words[-2]
        return [*words[:-2], Word(owner.text[:-2], owner.low[:-2])]
    return words


def _names_in(words: list[Word]) -> list[str]:
    """The names and quoted passages, each run of them together."""
    runs: list[list[Word]] = [[]]
    for word in words:
        if word.name:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    found = []
    for run in filter(None, runs):
        text = joined(run)
        if text.casefold() in _CALENDAR:
            continue
        for ending in ("'s", "’s"):
            text = text.removesuffix(ending)
        if _ORDINAL.fullmatch(text):
            continue
        short_form = text.isupper() and text.isalpha() and text.isascii() and len(text) <= 4
        if not short_form and (len(text) > 2 or not text.isascii()):
            found.append(text)
    return found
