"""Statements put together from what a question was made of."""

from dataclasses import dataclass

from mem9_async.tools.hints.nouns import is_owned, possessive, readable, without_lead
from mem9_async.tools.hints.text import Word, joined
from mem9_async.tools.hints.words import (
    ARTICLES,
    EMPTY_OBJECTS,
    GIVING,
    OWNING,
    PLACE_PREPOSITIONS,
    PREPOSITIONS,
)

USER = "user"


@dataclass(frozen=True)
class Asked:
    """What is asked for: the question word and the noun that goes with it."""

    word: str = ""
    nouns: tuple[Word, ...] = ()


def statement(asked: Asked, subject: str, base: str, form: str, rest: list[Word]) -> list[str]:
    """Put a statement together: variants, best first.

    *form* is the verb *base* as the fact has it. An owned or definite object comes first: it is
    most likely to stand in the fact word for word, and mem9's keyword search takes the whole query.
    """
    nouns = readable(list(asked.nouns))
    owned = possessive(subject) if subject else ""
    if base == "have" and (nouns or rest) and (not rest or rest[0].low != "to"):
        things = " ".join(filter(None, (nouns, readable(rest))))
        if things.startswith("user's "):
            return [things, *without_lead(things)]
        return [f"{owned} {things}".strip(), things]
    choice = bool(asked.nouns) and _is_choice(asked.nouns[0])  # "which of the two ..."
    if nouns and base in OWNING and subject and not rest and not choice:
        return [f"{owned} {nouns}", nouns, f"{subject} {form}"]
    if nouns and base == "prefer" and subject and not choice:
        return [f"{owned} preferred {nouns}", f"preferred {nouns}", f"{subject} {form}"]
    if base == "do" and subject and asked.word == "what" and _is_occupation(rest, form):
        return [f"{owned} job", *([f"{subject} works as"] if form == "does" else [])]
    told = f"{subject} {form}".strip()
    if not (subject or nouns or rest):
        return []
    if nouns:
        if rest and rest[0].low in PREPOSITIONS and len(rest) == 1:
            shorter = f"{form} {rest[0].text}" if subject == USER else subject
            return [f"{told} {rest[0].text}", shorter]
        if rest and subject and _opens_object(rest):
            # "what colour did Jonas paint the kitchen": the noun asked for stands elsewhere.
            return [f"{told} {readable(rest, within=True)}", told]
        others = [word for word in rest if not (subject == USER and is_owned(word))]
        thing = f"{nouns} {readable(others, within=True)}".strip()
        if not subject:
            return [thing, f"{told} {thing}"]
        return [f"{told} {thing}", *([thing] if rest else []), told]
    place = PLACE_PREPOSITIONS.get(" ".join([base, *(word.low for word in rest)]), "")
    if asked.word == "where" and place:
        told = " ".join(filter(None, (told, joined(rest), place)))
        return [told, told.removeprefix(f"{subject} ") if subject == USER else subject]
    if not rest and "not" in form:
        return [told]
    if not rest:
        return [told, *([subject] if subject not in {USER, ""} else [])]
    # "User takes coffee" rather than "user takes user's coffee".
    plain = [word for word in rest if not (subject == USER and is_owned(word))]
    whole = " ".join(filter(None, (told, readable(plain, within=True))))
    object_words = rest if any(map(is_owned, rest[:2])) else plain
    if len(rest) > 1 and not rest[-1].name and rest[-1].low in PREPOSITIONS:
        object_words = object_words[:-1]  # "who did I lend my drill to"
    if object_words and not object_words[0].name and object_words[0].low == "me":
        object_words = object_words[1:]  # "who introduced me to Lena"
    thing = readable(object_words)
    if any(map(is_owned, rest[:2])) and not has_name(subject):
        return [thing, whole, *without_lead(thing)]
    if not rest[0].name and rest[0].low in ARTICLES and " " in thing and not has_name(subject):
        return [thing, whole]
    if "not" in form:
        return [whole]
    if rest[0].low in PREPOSITIONS and len(rest) == 1:
        return [whole, f"{form} {thing}" if subject == USER else subject]
    if base in GIVING and rest[0].name:
        thing = joined([word for word in rest if word.name])
    of_subject = subject.startswith("user's ") or base == "be" or thing in EMPTY_OBJECTS
    of_subject = of_subject or (base == "get" and thing.endswith("ed"))
    return [whole, subject if of_subject and subject != USER else thing]


def _is_choice(word: Word) -> bool:
    return word.low.isdigit() or (not word.name and word.low in ARTICLES)


def _opens_object(rest: list[Word]) -> bool:
    """True where an object of its own follows the verb."""
    first = rest[0]
    return is_owned(first) or first.name or first.low == "the"


def _is_occupation(rest: list[Word], form: str) -> bool:
    lows = [word.low for word in rest]
    if form == "did":
        return False
    return not lows or lows in (["for", "work"], ["for", "a", "living"], ["professionally"])


def has_name(subject: str) -> bool:
    """True when a suggestion without *subject* would lose a name or a quoted passage."""
    return any(char.isupper() or not char.isascii() for char in subject)
