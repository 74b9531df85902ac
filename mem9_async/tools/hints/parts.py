"""The parts of an English clause: which of its words are the subject, which the verb."""

from mem9_async.tools.hints.nouns import is_owned, possessive, readable
from mem9_async.tools.hints.statements import USER
from mem9_async.tools.hints.text import Word
from mem9_async.tools.hints.verbs import base_of, past
from mem9_async.tools.hints.words import (
    ARTICLES,
    AUXILIARIES,
    BE,
    CALLED,
    DEGREES,
    OTHER_PRONOUNS,
    PREPOSITIONS,
    QUESTION_WORDS,
    STATES,
    STORING,
    TIME_NOUNS,
    USER_PRONOUNS,
)


def low_of(word: Word) -> str:
    """The word as compared; "" for a name, which is no word of the grammar."""
    return "" if word.name else word.low


def is_pronoun(words: list[Word], at: int) -> bool:
    """True where a pronoun stands that can be a subject."""
    low = low_of(words[at])
    if low == "user" or low in {"me", "him", "her", "us", "them", "it", "one"}:
        return at == 0 and low != "her"
    return low in USER_PRONOUNS | OTHER_PRONOUNS


def subject_of(words: list[Word]) -> str:
    """The subject as facts have it: "user" for the user, "" for whom no fact would name."""
    low = low_of(words[0])
    if len(words) == 1 and low in USER_PRONOUNS:
        return USER
    if len(words) == 1 and low in OTHER_PRONOUNS:
        return ""
    subject = readable(words)
    # Inside a clause only an abbreviation ends in a full stop ("Acme Corp. ends").
    return f"{subject}." if words[-1].text.endswith(".") else subject


def is_plural(subject: list[Word]) -> bool:
    """True where the verb has no "s"."""
    low = low_of(subject[-1])
    return (
        low in {"children", "people"}
        or (low.endswith("s") and low[-2:] not in {"ss", "us"})
        or any(low_of(word) == "and" for word in subject)
    )


def verb_at(rest: list[Word]) -> int | None:
    """Where the verb stands that follows the subject; None where that is not certain."""
    first = 2 if is_owned(rest[0]) or low_of(rest[0]) in ARTICLES else 1
    known = next((i for i in range(first, len(rest)) if _may_be_verb(rest, i)), None)
    if known is None:
        # A word between a noun and an article can only be one ("did my landlord raise the rent").
        known = next((i for i in range(first, len(rest) - 1) if _opens_object(rest, i)), None)
    if known is None and rest[0].name and not rest[0].low.endswith(("'s", "’s")):
        # After a name alone even an unknown word can only be the verb.
        return next((i for i, word in enumerate(rest) if not word.name), None)
    return known


def last_verb_at(rest: list[Word]) -> int | None:
    """Where an unknown verb ends the question ("what does the warranty cover")."""
    at = len(rest) - 1
    if at > 1 and low_of(rest[at]) in PREPOSITIONS:
        at -= 1
    if at < 1 or rest[at].name or not rest[at].low.isalpha() or not _follows_noun(rest, at):
        return None
    return at


def participle_at(words: list[Word]) -> int | None:
    """Where a participle ends the clause or opens its last part ("my son (was) born at")."""
    for at in range(1, len(words)):
        low, after = low_of(words[at]), words[at + 1 :]
        goes_on = not after or low_of(after[0]) in PREPOSITIONS
        ends = (is_participle(low) and low not in CALLED) or low in STATES
        if ends and goes_on and _follows_noun(words, at):
            return at
    return None


def is_participle(low: str) -> bool:
    """True for "born", "taken", "signed", also where the verb is unknown."""
    if low == "born" or (low.endswith("ed") and not low.endswith("eed")):
        return True
    base = base_of(low)
    return base is not None and base != low and not low.endswith("s")


def perfect(base: str, rest: list[Word]) -> str:
    """What "has" makes of a verb: the past, as facts are written; an unknown participle stays."""
    if base == "be" and any(word.low == "been" for word in rest):
        return "has been"
    return past(base) if base_of(base) else base


def without_final_preposition(words: list[Word]) -> list[Word]:
    """Drop the preposition left behind by what is asked for ("the hotel I stay at")."""
    if len(words) > 1 and words[-1].low in PREPOSITIONS:
        before = words[-2].low
        if not before.endswith(("ed", "en")):
            return words[:-1]
    return words


def question_word_first(words: list[Word]) -> list[Word]:
    """Read "in which city do I live" and "I live where" as their plainer forms."""
    if len(words) > 2 and low_of(words[-1]) in QUESTION_WORDS and low_of(words[0]) in {"i", "we"}:
        return [words[-1], *words[:-1]]
    if len(words) < 2 or words[0].low not in PREPOSITIONS or low_of(words[1]) not in QUESTION_WORDS:
        return words
    timed = low_of(words[1]) in {"when", "how"} or (
        len(words) > 2 and low_of(words[2]) in TIME_NOUNS
    )
    # "On which day does ..." leaves no "on" behind.
    return words[1:] if timed else [*words[1:], Word(words[0].low, words[0].low)]


def without_degree(word: str, rest: list[Word]) -> list[Word]:
    """Drop what is asked for beside the noun: how "often", which "kind of", what "time"."""
    lows = [low_of(item) for item in rest]
    if word == "how" and lows[:1] and lows[0] in DEGREES:
        rest = rest[1:]
        if rest and low_of(rest[0]) == "times":
            often = len(rest) > 2 and low_of(rest[1]) in {"a", "per", "each"}
            rest = rest[3:] if often else rest[1:]  # "how many times a week"
    elif lows[1:2] == ["of"] and lows[0] in {"kind", "kinds", "type", "types", "sort", "sorts"}:
        rest = rest[2:]
    elif lows[:1] and (lows[0] in {"else", "exactly"} or _is_time_noun(lows)):
        rest = rest[1:]
    if rest and low_of(rest[0]) == "of":
        rest = rest[1:]
    return rest


def _is_time_noun(lows: list[str]) -> bool:
    return lows[0] in TIME_NOUNS and len(lows) > 1 and lows[1] in AUXILIARIES | {"i", "my", "the"}


def measured(noun: str, rest: list[Word]) -> list[str]:
    """Whose *noun* it is: "how old is Ana" asks for "Ana's age"."""
    whom = [word for word in rest if low_of(word) not in BE]
    if [low_of(word) for word in whom] in (["i"], ["user"], ["the", "user"]):
        return [f"user's {noun}", noun]
    name = readable(whom)
    return [f"{possessive(name)} {noun}", name] if name else []


def stores(rest: list[Word]) -> bool:
    """True for "(do you) have saved": what the assistant keeps, not what the user did."""
    return len(rest) > 2 and base_of(low_of(rest[1])) in STORING


def until_gap(rest: list[Word]) -> list[Word]:
    """Cut where the answer stands, between two prepositions: "stand for (...) in our wiki"."""
    for at in range(len(rest) - 1):
        if low_of(rest[at]) in PREPOSITIONS and low_of(rest[at + 1]) in PREPOSITIONS:
            return rest[: at + 1]
    return rest


def _may_be_verb(rest: list[Word], at: int) -> bool:
    return base_of(low_of(rest[at])) is not None and _follows_noun(rest, at)


def _opens_object(rest: list[Word], at: int) -> bool:
    low, after = low_of(rest[at]), low_of(rest[at + 1])
    plain = low.isalpha() and low not in PREPOSITIONS | BE and low not in {"and", "or", "than"}
    return plain and after in {"the", "a", "an", "my", "our", "their"} and _follows_noun(rest, at)


def _follows_noun(words: list[Word], at: int) -> bool:
    before = low_of(words[at - 1])
    return before not in PREPOSITIONS | ARTICLES and before not in {"my", "your", "our"}
