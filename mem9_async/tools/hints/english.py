"""English questions as the statements mem9 would keep: subject first, question words gone."""

from collections.abc import Callable

from mem9_async.tools.hints.nouns import (
    is_owned,
    noun_phrases,
    of_user,
    possessive,
    readable,
)
from mem9_async.tools.hints.politeness import (
    naming_the_user,
    without_politeness,
    without_relative_time,
)
from mem9_async.tools.hints.statements import USER, Asked, has_name, statement
from mem9_async.tools.hints.text import Word
from mem9_async.tools.hints.verbs import base_of, is_past, past, third_person
from mem9_async.tools.hints.words import (
    ADVERBS,
    ARTICLES,
    AUXILIARIES,
    BE,
    DEGREES,
    DO,
    HAVE,
    IMPERATIVES,
    MEASURES,
    MODALS,
    OTHER_PRONOUNS,
    PLACE_PREPOSITIONS,
    PREPOSITIONS,
    QUESTION_WORDS,
    SPEAKING,
    TIME_NOUNS,
    USER_PRONOUNS,
)


def english_phrases(words: list[Word]) -> list[str]:
    """Statements for one question, best first, perhaps with repetitions; [] when nothing is left.

    A relative time ("yesterday") comes only in the last: mem9 appends the date to such a query,
    and a keyword search for the whole then finds nothing (mem9-api.md, 4.5).
    """
    words = naming_the_user(without_politeness(words))
    timeless, time = without_relative_time(words)
    phrases = _read(timeless)
    if not time:
        return phrases
    if not phrases or base_of(phrases[0].split()[-1]) in {"do", "happen"}:
        return [time]
    return [*phrases[:2], f"{phrases[0]} {time}"]


def _read(words: list[Word]) -> list[str]:
    if len(words) > 1 and words[0].low in PREPOSITIONS and _low(words[1]) in QUESTION_WORDS:
        words = [
            *words[1:],
            Word(words[0].low, words[0].low),
        ]  # "in which city do I live" -> "... live in"
    if not words:
        return []
    head = _low(words[0])
    if head in QUESTION_WORDS:
        return _wh_question(head, words[1:])
    if head in AUXILIARIES and len(words) > 1:
        return _inverted(Asked(), head, words[1:])
    if head in {"i", "we"} and len(words) > 1:
        return _clause(Asked(), _subject(words[:1]), words[1:])
    if head in IMPERATIVES and len(words) > 1:
        rest = words[2:] if _low(words[1]) in {"me", "us"} else words[1:]
        return _read(without_politeness(rest))
    while len(words) > 1 and _low(words[-1]) in BE:
        words = words[:-1]
    return noun_phrases(words)


def _wh_question(word: str, rest: list[Word]) -> list[str]:
    if word == "how" and rest and _low(rest[0]) in MEASURES:
        return _measured(MEASURES[rest[0].low], rest[1:])
    counted = word == "how" and bool(rest) and _low(rest[0]) in {"many", "much"}
    rest = _without_degree(word, rest)
    if counted and rest and _low(rest[0]) not in AUXILIARIES:
        word = "what"
    if not rest:
        return []
    finite = next((i for i, item in enumerate(rest) if _low(item) in AUXILIARIES), None)
    pronoun = next((i for i, item in enumerate(rest) if _is_pronoun(rest, i)), None)
    if pronoun is not None and (finite is None or pronoun < finite):
        # An embedded question keeps its order: "(tell me) where I live".
        end = pronoun + 1
        asked = Asked(word, tuple(rest[:pronoun]))
        return _clause(asked, _subject(rest[pronoun:end]), rest[end:])
    if finite == len(rest) - 1 and finite > 0:
        return noun_phrases(rest[:-1])
    embedded = word in {"when", "where", "how", "why"} or is_owned(rest[0])
    if finite is not None and finite > 0 and embedded:
        if _low(rest[-1]) in {"called", "named"}:
            return noun_phrases(rest[:finite])
        return noun_phrases(rest[:finite], tail=rest[finite + 1 :])
    if finite is not None and word == "whose":
        return noun_phrases([*rest[:finite], *rest[finite + 1 :]])
    if finite is not None:
        asked = Asked(word, tuple(rest[:finite]))
        return _inverted(asked, rest[finite].low, rest[finite + 1 :])
    if word in {"when", "where", "why", "how"}:
        return _subject_first(Asked(word), rest, third_person)
    return _verb_first(rest)


def _without_degree(word: str, rest: list[Word]) -> list[Word]:
    lows = [_low(item) for item in rest]
    if word == "how" and lows[:1] and lows[0] in DEGREES:
        rest = rest[1:]
        if rest and _low(rest[0]) == "times":
            rest = rest[1:]
    elif lows[1:2] == ["of"] and lows[0] in {"kind", "kinds", "type", "types", "sort", "sorts"}:
        rest = rest[2:]
    elif lows[:1] and (lows[0] in {"else", "exactly"} or _is_time_noun(lows)):
        rest = rest[1:]
    if rest and _low(rest[0]) == "of":
        rest = rest[1:]
    return rest


def _is_time_noun(lows: list[str]) -> bool:
    return lows[0] in TIME_NOUNS and len(lows) > 1 and lows[1] in AUXILIARIES | {"i", "my", "the"}


def _measured(noun: str, rest: list[Word]) -> list[str]:
    whom = [word for word in rest if _low(word) not in BE]
    if [_low(word) for word in whom] in (["i"], ["user"], ["the", "user"]):
        return [f"user's {noun}", noun]
    name = readable(whom)
    return [f"{possessive(name)} {noun}", name] if name else []


def _inverted(asked: Asked, verb: str, rest: list[Word]) -> list[str]:
    """Read what follows a finite verb that stands before its subject."""
    negated = bool(rest) and _low(rest[0]) == "not"
    rest = rest[1:] if negated else rest
    if not rest:
        return noun_phrases(list(asked.nouns))
    if verb in BE:
        return _being(asked, verb, rest)
    if verb in DO:
        if negated and asked.word and _is_pronoun(rest, 0):
            not_done = Word("did not" if verb == "did" else "does not", "not")
            return _clause(asked, _subject(rest[:1]), [not_done, *rest[1:]])
        return _subject_first(asked, rest, past if verb == "did" else third_person)
    if verb in HAVE and (is_owned(rest[0]) or asked.word == "who") and not _any_verb(rest):
        return noun_phrases(rest)  # "who has the keys"
    if verb in MODALS and _low(rest[0]) == "you":
        return noun_phrases(rest[2:])  # asks the assistant to do something
    if verb in HAVE:
        return _subject_first(asked, rest, lambda base: _perfect(base, rest))
    return _subject_first(asked, rest, lambda base: f"{verb} {base}")


def _perfect(base: str, rest: list[Word]) -> str:
    # "been" needs its auxiliary; other participles read as the past, as facts are written.
    return "has been" if base == "be" and any(word.low == "been" for word in rest) else past(base)


def _being(asked: Asked, verb: str, rest: list[Word]) -> list[str]:
    if _low(rest[0]) == "there":
        return noun_phrases(rest[1:])
    if _is_pronoun(rest, 0):
        complement = rest[1:]
        if _low(rest[0]) in OTHER_PRONOUNS:
            return noun_phrases(complement)
        if asked.nouns:
            # "(what hotel am I) staying at in Rome": the last preposition opens the place.
            last = max((i for i, w in enumerate(complement) if w.low in PREPOSITIONS), default=0)
            place = complement[last:] if 0 < last < len(complement) - 1 else []
            nouns = [*asked.nouns, *place]
            return [of_user(nouns), readable(nouns)]
        if not complement and _low(rest[0]) == "you":
            return []  # about the assistant itself
        if not complement:
            return ["user's name", "name"] if asked.word == "who" else [USER]
        text = readable(complement, within=True)
        if asked.word == "where" and complement[-1].low in PLACE_PREPOSITIONS:
            return [f"user was {text} {PLACE_PREPOSITIONS[complement[-1].low]}", f"user was {text}"]
        state = "was" if verb in {"was", "were"} else "is"
        return [f"user {state} {text}", text]
    if asked.nouns:
        tail = _without_final_preposition(rest)
        return [*noun_phrases(tail)[:1], f"{readable(tail)} {readable(list(asked.nouns))}"]
    if not asked.word:
        return _state(verb, rest)
    return noun_phrases(_without_final_preposition(rest))


def _state(verb: str, rest: list[Word]) -> list[str]:
    """Put "is" back between subject and state where their border is certain."""
    names = next((i for i, word in enumerate(rest) if not word.name), len(rest))
    border = names or (2 if is_owned(rest[0]) and len(rest) == 3 else 0)
    if not 0 < border < len(rest) or rest[border - 1].text.endswith(("'s", "’s")):
        return noun_phrases(rest)
    subject, state = readable(rest[:border]), readable(rest[border:], within=True)
    copula = "is" if verb == "am" else verb
    return [f"{subject} {copula} {state}", subject]


def _without_final_preposition(words: list[Word]) -> list[Word]:
    if len(words) > 1 and words[-1].low in PREPOSITIONS:
        before = words[-2].low
        if not before.endswith(("ed", "en")):
            return words[:-1]
    return words


def _subject_first(asked: Asked, rest: list[Word], inflect: Callable[[str], str]) -> list[str]:
    """Read subject, verb, rest; the verb is found by its place or in the table of verbs."""
    at = 1 if _is_pronoun(rest, 0) else _verb_at(rest)
    if at is None or at >= len(rest):
        return noun_phrases([*asked.nouns, *rest])
    border = at
    while rest[border - 1].low in ADVERBS and border > 1:
        border -= 1
    while at < len(rest) - 1 and rest[at].low in ADVERBS:
        at += 1
    subject = _subject(rest[:border])
    if inflect is third_person and _is_plural(rest[:border]):
        inflect = str
    base = "have" if rest[at].low == "got" else base_of(rest[at].low) or rest[at].low
    return _told(asked, subject, base, inflect(base), rest[at + 1 :])


def _clause(asked: Asked, subject: str, rest: list[Word]) -> list[str]:
    """Read verb and rest in their own order: after "I", or in an embedded question."""
    while len(rest) > 1 and rest[0].low in ADVERBS:
        rest = rest[1:]
    if not rest:
        return noun_phrases(list(asked.nouns))
    verb = rest[0].low
    if verb in BE:
        return _being(asked, verb, [Word("I", "i"), *rest[1:]]) if subject else []
    if verb in MODALS or rest[0].text in {"does not", "did not"}:
        return _told(asked, subject, verb, rest[0].text, rest[1:])
    if verb in HAVE and len(rest) > 1 and _is_participle(rest[1].low):
        base = "have" if rest[1].low == "got" else base_of(rest[1].low) or rest[1].low
        return _told(asked, subject, base, _perfect(base, rest), rest[2:])
    base = base_of(verb) or verb
    form = rest[0].text if is_past(verb) and verb != base else third_person(base)
    return _told(asked, subject, base, form, rest[1:])


def _is_participle(low: str) -> bool:
    base = base_of(low)
    return low.endswith("ed") or (base is not None and base != low)


def _told(asked: Asked, subject: str, base: str, form: str, rest: list[Word]) -> list[str]:
    about = bool(rest) and _low(rest[0]) == "about"
    if (
        base in SPEAKING
        and (about or base not in {"know", "think", "speak", "write", "share"})
        and form.split()[0] not in MODALS
    ):
        topic = _topic(rest)
        if topic:
            return [f"{subject} {topic[0]}", *topic] if has_name(subject) else topic
        if not asked.nouns and all(_low(word) in {"you", "me", "us", "about"} for word in rest):
            return []  # "what did I tell you?" names nothing to look for
    return statement(asked, subject, base, form, rest)


def _topic(rest: list[Word]) -> list[str]:
    while rest and _low(rest[0]) in {"you", "me", "us", "to", "that", "him", "her", "them"}:
        rest = rest[1:]
    if rest and _low(rest[0]) in {"about", "on", "regarding", "of"}:
        return noun_phrases(rest[1:])
    return _read(rest)


def _verb_first(rest: list[Word]) -> list[str]:
    """Read a question for the subject itself: "who wrote the report"."""
    at = next((i for i, word in enumerate(rest) if base_of(_low(word))), None)
    if at is None or at == len(rest) - 1:
        return noun_phrases(rest)
    subject = readable(rest[:at])
    return _told(Asked(), subject, "", rest[at].text, rest[at + 1 :])


def _is_plural(subject: list[Word]) -> bool:
    low = _low(subject[-1])
    return (
        low in {"children", "people"}
        or (low.endswith("s") and low[-2:] not in {"ss", "us"})
        or any(_low(word) == "and" for word in subject)
    )


def _verb_at(rest: list[Word]) -> int | None:
    first = 2 if is_owned(rest[0]) or _low(rest[0]) in ARTICLES else 1
    known = next((i for i in range(first, len(rest)) if base_of(_low(rest[i]))), None)
    if known is None and rest[0].name and not rest[0].low.endswith(("'s", "’s")):
        # After a name alone even an unknown word can only be the verb.
        return next((i for i, word in enumerate(rest) if not word.name), None)
    return known


def _any_verb(rest: list[Word]) -> bool:
    return _verb_at(rest) is not None


def _subject(words: list[Word]) -> str:
    low = _low(words[0])
    if len(words) == 1 and low in USER_PRONOUNS:
        return USER
    if len(words) == 1 and low in OTHER_PRONOUNS:
        return ""
    return readable(words)


def _is_pronoun(words: list[Word], at: int) -> bool:
    low = _low(words[at])
    if low == "user" or low in {"me", "him", "her", "us", "them", "it", "one"}:
        return at == 0 and low != "her"
    return low in USER_PRONOUNS | OTHER_PRONOUNS


def _low(word: Word) -> str:
    return "" if word.name else word.low
