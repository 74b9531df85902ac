"""The forms of English verbs that stored facts use: "lives", "moved"."""

import re

from mem9_async.tools.hints.words import ALSO_NOUNS_PAST, IRREGULAR_PAST, PARTICIPLES, VERBS

_IRREGULAR_THIRD = {"have": "has", "do": "does", "go": "goes", "be": "is"}
_BASE_OF_PAST = {past: base for base, past in IRREGULAR_PAST.items()}
_VOWELS = "aeiou"
_DOUBLING = re.compile(r"[^aeiou]*[aeiou][bdfgklmnprtvz]")  # one short syllable: "ban", "chat"


def third_person(base: str) -> str:
    """`live` -> `lives`."""
    if base in _IRREGULAR_THIRD:
        return _IRREGULAR_THIRD[base]
    if base.endswith("y") and base[-2:-1] not in _VOWELS:
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


def past(base: str) -> str:
    """`move` -> `moved`; an unknown word that ends in "ed" is a past already."""
    if base in IRREGULAR_PAST:
        return IRREGULAR_PAST[base]
    if base in ALSO_NOUNS_PAST:
        return ALSO_NOUNS_PAST[base]
    if base.endswith("ed") and base not in VERBS:
        return base
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2:-1] not in _VOWELS:
        return base[:-1] + "ied"
    if _DOUBLING.fullmatch(base):
        base += base[-1]
    return base + "ed"


def base_of(form: str) -> str | None:
    """The base of a known verb's form (`lives`, `went`, `gone`); None for any other word."""
    if form in VERBS:
        return form
    if form in PARTICIPLES:
        return PARTICIPLES[form]
    if form in _BASE_OF_PAST:
        return _BASE_OF_PAST[form]
    return _BASE_OF_REGULAR.get(form)


def is_past(form: str) -> bool:
    """True for a form that stands after "I" as it does after "the user"."""
    return form in _BASE_OF_PAST or form.endswith("ed")


_BASE_OF_REGULAR = {third_person(base): base for base in VERBS} | {
    past(base): base for base in VERBS
}
