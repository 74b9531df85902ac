"""Statements put together from what a question was made of."""

from dataclasses import dataclass

from mem9_async.tools.hints.nouns import is_owned, possessive, readable, without_lead
from mem9_async.tools.hints.text import Word, joined
from mem9_async.tools.hints.words import ARTICLES, OWNING, PLACE_PREPOSITIONS, PREPOSITIONS

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
    if nouns and base in OWNING and subject and not rest:
        return [f"{owned} {nouns}", nouns, f"{subject} {form}"]
    if nouns and base == "prefer" and subject:
        return [f"{owned} preferred {nouns}", f"preferred {nouns}", f"{subject} {form}"]
    if base == "do" and subject and asked.word == "what" and _is_occupation(rest, form):
        return [f"{owned} job", *([f"{subject} works as"] if form == "does" else [])]
    told = f"{subject} {form}".strip()
    if not (subject or nouns or rest):
        return []
    if nouns:
        if rest and rest[0].low in PREPOSITIONS and len(rest) == 1:
            return [f"{told} {rest[0].text}", f"{told} {rest[0].text} {nouns}"]
        thing = f"{nouns} {readable(rest, within=True)}".strip()
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
    thing = readable(rest if any(map(is_owned, rest[:2])) else plain)
    if any(map(is_owned, rest[:2])) and not has_name(subject):
        return [thing, whole, *without_lead(thing)]
    if not rest[0].name and rest[0].low in ARTICLES and " " in thing and not has_name(subject):
        return [thing, whole]
    if "not" in form:
        return [whole]
    if rest[0].low in PREPOSITIONS and len(rest) == 1:
        return [whole, f"{form} {thing}" if subject == USER else subject]
    return [whole, subject if subject.startswith("user's ") else thing]


def _is_occupation(rest: list[Word], form: str) -> bool:
    lows = [word.low for word in rest]
    if form == "did":
        return False
    return not lows or lows in (["for", "work"], ["for", "a", "living"], ["professionally"])


def has_name(subject: str) -> bool:
    """True when a suggestion without *subject* would lose a name or a quoted passage."""
    return any(char.isupper() or not char.isascii() for char in subject)
