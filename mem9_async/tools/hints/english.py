"""English questions as the statements mem9 would keep: subject first, question words gone."""

from collections.abc import Callable

from mem9_async.tools.hints.being import state, thing_being, user_being
from mem9_async.tools.hints.nouns import is_owned, noun_phrases, readable
from mem9_async.tools.hints.parts import (
    is_participle,
    is_plural,
    is_pronoun,
    last_verb_at,
    low_of,
    measured,
    perfect,
    question_word_first,
    stores,
    subject_of,
    until_gap,
    verb_at,
    without_degree,
    without_final_preposition,
)
from mem9_async.tools.hints.politeness import (
    naming_the_user,
    preferring,
    without_amount,
    without_circumstance,
    without_politeness,
    without_relative_time,
)
from mem9_async.tools.hints.statements import USER, Asked, has_name, statement
from mem9_async.tools.hints.text import Word
from mem9_async.tools.hints.verbs import base_of, is_past, past, third_person
from mem9_async.tools.hints.words import (
    ADVERBS,
    AUXILIARIES,
    BE,
    CALLED,
    DO,
    HAVE,
    IMPERATIVES,
    INDEFINITE,
    MEASURES,
    MODALS,
    NEVER,
    OTHER_PRONOUNS,
    PREPOSITIONS,
    QUESTION_WORDS,
    RELATIVE_WORDS,
    SPEAKING,
    STATE_ADVERBS,
    TIME_NOUNS,
)


def english_phrases(words: list[Word]) -> list[str]:
    """Statements for one question, best first, perhaps with repetitions; [] when nothing is left.

    A relative time ("yesterday") comes only in the last: mem9 appends the date to such a query,
    and a keyword search for the whole then finds nothing (mem9-api.md, 4.5).
    """
    words = without_amount(preferring(naming_the_user(without_politeness(words))))
    if [low_of(word) for word in words] in (["i"], ["me"], ["myself"], ["user"]):
        return [USER]  # all that is left of "what do you know about me?"
    timeless, time = without_relative_time(without_circumstance(words))
    phrases = [phrase for phrase in _read(timeless) if phrase != USER]
    if not time:
        return phrases
    if not phrases or base_of(phrases[0].split()[-1]) in {"do", "happen"}:
        return [time]
    return [*phrases[:2], f"{phrases[0]} {time}"]


def _read(words: list[Word]) -> list[str]:
    words = question_word_first(words)
    if not words:
        return []
    head = low_of(words[0])
    if head in QUESTION_WORDS:
        return _wh_question(head, words[1:])
    if head in AUXILIARIES and len(words) > 1:
        return _inverted(Asked(), head, words[1:])
    if head in {"i", "we"} and len(words) > 1:
        return _clause(Asked(), subject_of(words[:1]), words[1:])
    if head in IMPERATIVES and len(words) > 1:
        rest = words[2:] if low_of(words[1]) in {"me", "us"} else words[1:]
        return _read(without_politeness(rest))
    if low_of(words[-1]) in QUESTION_WORDS:  # "my boss is called who"
        words = words[:-1]
        while len(words) > 1 and low_of(words[-1]) in CALLED | BE:
            words = words[:-1]
    while len(words) > 1 and low_of(words[-1]) in BE:
        words = words[:-1]
    return _nouns(words)


def _nouns(words: list[Word], tail: list[Word] | None = None) -> list[str]:
    """Read a noun phrase; what a relative clause says of it comes first, as a statement."""
    at = next((i for i in range(1, len(words)) if low_of(words[i]) in RELATIVE_WORDS), None)
    if at is not None and at + 2 < len(words):
        relative, rest = words[at], words[at + 1 :]
        head = noun_phrases(words[:at])[:1]
        names = noun_phrases(rest)[1:] if any(word.name for word in rest) else []
        if is_pronoun(rest, 0):
            asked = Asked("where" if relative.low == "where" else "")
            return [*_clause(asked, subject_of(rest[:1]), rest[1:])[:1], *head, *names[-1:]]
        verb = verb_at(rest)
        if verb is not None and low_of(rest[0]) not in AUXILIARIES:
            told = f"{subject_of(rest[:verb])} {readable(rest[verb:], within=True)}"
            return [told, *head]
        if low_of(relative) != "that":
            return [*head, *names[-1:]]
    reduced = next((i for i in range(1, len(words)) if low_of(words[i]) in {"i", "we"}), None)
    if reduced is not None and reduced + 1 < len(words):
        head = noun_phrases(words[:reduced])[:2]
        if low_of(words[reduced]) == "we":
            return [*head, *noun_phrases(words)[-1:]]
        if low_of(words[reduced - 1]) in TIME_NOUNS:  # "the last time I saw Ana"
            return _clause(Asked(), USER, words[reduced + 1 :])
        if low_of(words[reduced + 1]) in BE | MODALS:  # "the things I am afraid of"
            return [*_clause(Asked(), USER, words[reduced + 1 :])[:1], *head[:1]]
    return noun_phrases(words, tail)


def _wh_question(word: str, rest: list[Word]) -> list[str]:
    if word == "how" and rest and low_of(rest[0]) in MEASURES:
        return measured(MEASURES[rest[0].low], rest[1:])
    counted = word == "how" and bool(rest) and low_of(rest[0]) in {"many", "much"}
    rest = without_degree(word, rest)
    if [low_of(item) for item in rest[:3]] == ["used", "to", "be"]:
        rest = rest[3:]
    if counted and rest and low_of(rest[0]) not in AUXILIARIES:
        word = "what"
    if not rest:
        return []
    finite = next((i for i, item in enumerate(rest) if low_of(item) in AUXILIARIES), None)
    pronoun = next((i for i, item in enumerate(rest) if is_pronoun(rest, i)), None)
    if pronoun is not None and (finite is None or pronoun < finite):
        # An embedded question keeps its order: "(tell me) where I live".
        end = pronoun + 1
        asked = Asked(word, tuple(rest[:pronoun]))
        return _clause(asked, subject_of(rest[pronoun:end]), rest[end:])
    if finite == len(rest) - 1 and finite > 0:
        return _nouns(rest[:-1])
    embedded = word in {"when", "where", "how", "why"} or is_owned(rest[0])
    if finite is not None and finite > 0 and embedded:
        if low_of(rest[-1]) in CALLED:
            return _nouns(rest[:finite])
        return _nouns(rest[:finite], tail=rest[finite + 1 :])
    if finite is not None and word == "whose":
        told = rest[finite + 1 :]
        if finite and told and low_of(rest[finite]) in BE and low_of(told[0]) not in PREPOSITIONS:
            return _nouns(told)  # "whose idea was the logo"
        return _nouns([*rest[:finite], *rest[finite + 1 :]])
    if finite is not None:
        asked = Asked(word, tuple(rest[:finite]))
        return _inverted(asked, rest[finite].low, rest[finite + 1 :])
    if word in {"when", "where", "why", "how"}:
        return _subject_first(Asked(word), rest, third_person)
    return _verb_first(rest)


def _inverted(asked: Asked, verb: str, rest: list[Word]) -> list[str]:
    """Read what follows a finite verb that stands before its subject."""
    negated = bool(rest) and low_of(rest[0]) == "not"
    rest = rest[1:] if negated else rest
    if not rest:
        return _nouns(list(asked.nouns))
    if verb in BE:
        if negated and asked.word and not is_pronoun(rest, 0) and not asked.nouns:
            return [f"not {readable(rest)}", *_nouns(rest)[1:]]
        return _being(asked, verb, rest)
    if verb in DO | HAVE and low_of(rest[0]) == "you" and stores(rest):
        return _nouns(rest[2:])
    if verb in DO:
        if negated and asked.word and is_pronoun(rest, 0):
            not_done = Word("did not" if verb == "did" else "does not", "not")
            return _clause(asked, subject_of(rest[:1]), [not_done, *rest[1:]])
        return _subject_first(asked, rest, past if verb == "did" else third_person)
    if verb in HAVE and (is_owned(rest[0]) or asked.word == "who") and not _any_verb(rest):
        return _nouns(rest)  # "who has the keys"
    if verb in MODALS and low_of(rest[0]) == "you":
        return _nouns(rest[2:])  # asks the assistant to do something
    if verb in HAVE:
        return _subject_first(asked, rest, lambda base: perfect(base, rest))
    return _subject_first(asked, rest, lambda base: f"{verb} {base}")


def _being(asked: Asked, verb: str, rest: list[Word]) -> list[str]:
    if low_of(rest[0]) == "there":
        return _nouns(rest[1:])
    copula = "was" if verb in {"was", "were"} else "is"
    rest = [word for word in rest if low_of(word) not in STATE_ADVERBS]
    if not rest:
        return []
    if is_pronoun(rest, 0):
        if low_of(rest[0]) in OTHER_PRONOUNS:
            return _of_nobody(rest[1:])
        if rest[1:] or (asked.nouns and low_of(rest[0]) != "you"):
            return user_being(asked, copula, rest[1:])
        if low_of(rest[0]) == "you":
            return []  # about the assistant itself
        return ["user's name", "name"] if asked.word == "who" else [USER]
    told = thing_being(asked, verb, rest) if asked.word else state(verb, rest)
    if told:
        return told
    tail = without_final_preposition(rest) if asked.word else rest
    if asked.nouns:
        return [*_nouns(tail)[:1], f"{readable(tail)} {readable(list(asked.nouns))}"]
    comparison = len(rest) == 1 and rest[0].low.endswith(("er", "est"))
    if asked.word in {"who", "which"} and comparison:
        return []  # "who is taller"
    return _nouns(tail)


def _of_nobody(complement: list[Word]) -> list[str]:
    """Read what "it" is or "they" are: no fact would name them by a pronoun."""
    if len(complement) > 1 and low_of(complement[0]) == "that":  # "what is it that I hate"
        return _read(complement[1:])
    doing = bool(complement) and low_of(complement[0]).endswith("ing")
    if doing and len(complement) > 2 and low_of(complement[1]) in PREPOSITIONS:
        return _nouns(complement[2:])
    return _nouns(complement)


def _subject_first(asked: Asked, rest: list[Word], inflect: Callable[[str], str]) -> list[str]:
    """Read subject, verb, rest; the verb is found by its place or in the table of verbs."""
    at = 1 if is_pronoun(rest, 0) else verb_at(rest)
    if at is None and asked.word:
        at = last_verb_at(rest)
    if at is None or at >= len(rest):
        return _nouns([*asked.nouns, *rest])
    if rest[at].low in {"use", "used"} and len(rest) > at + 2 and low_of(rest[at + 1]) == "to":
        rest, inflect = [*rest[:at], *rest[at + 2 :]], past  # "what did I use to drink"
    if low_of(rest[0]) in INDEFINITE:  # "does anyone in my family have"
        return [readable(rest[at + 1 :]), *([readable(rest[2:at])] if at > 2 else [])]
    border = at
    while border > 1 and rest[border - 1].low in ADVERBS | NEVER:
        border -= 1
    while at < len(rest) - 1 and rest[at].low in ADVERBS | NEVER:
        at += 1
    never = any(word.low in NEVER for word in rest[border:at])
    subject = subject_of(rest[:border])
    if inflect is third_person and is_plural(rest[:border]):
        inflect = str
    base = "have" if rest[at].low == "got" else base_of(rest[at].low) or rest[at].low
    form = inflect(base)
    if never:
        helper, _, verb = form.rpartition(" ")
        form = f"{helper} never {verb}".strip()
    return _told(asked, subject, base, form, rest[at + 1 :])


def _clause(asked: Asked, subject: str, rest: list[Word]) -> list[str]:
    """Read verb and rest in their own order: after "I", or in an embedded question."""
    while len(rest) > 1 and rest[0].low in ADVERBS:
        rest = rest[1:]
    if not rest:
        return _nouns(list(asked.nouns))
    never = rest[0].low in NEVER and len(rest) > 1
    rest = rest[1:] if never else rest
    verb = rest[0].low
    if verb in BE:
        return _being(asked, verb, [Word("I", "i"), *rest[1:]]) if subject else []
    if verb in MODALS or rest[0].text in {"does not", "did not"}:
        return _told(asked, subject, verb, rest[0].text, rest[1:])
    if verb in HAVE and len(rest) > 1 and is_participle(rest[1].low):
        base = "have" if rest[1].low == "got" else base_of(rest[1].low) or rest[1].low
        return _told(asked, subject, base, perfect(base, rest), rest[2:])
    base = base_of(verb) or verb
    past_form = is_past(verb) and verb != base_of(verb)
    form = rest[0].text if past_form else third_person(base)
    return _told(asked, subject, base, f"never {form}" if never else form, rest[1:])


def _told(asked: Asked, subject: str, base: str, form: str, rest: list[Word]) -> list[str]:
    about = bool(rest) and low_of(rest[0]) == "about"
    if (
        base in SPEAKING
        and (about or base not in {"know", "think", "speak", "write", "share"})
        and form.split()[0] not in MODALS
    ):
        if subject and len(rest) > 0 and all(word.name for word in rest):
            # "what did I promise Sam": to whom it was said, not about what.
            return [f"{subject} {form} {readable(rest)}", readable(rest)]
        topic = _topic(rest)
        if topic:
            named = has_name(subject) and USER not in subject.split()
            return [f"{subject} {topic[0]}", *topic] if named else topic
        if (
            not asked.nouns
            and (rest or subject in {USER, ""})
            and all(low_of(word) in {"you", "me", "us", "about"} for word in rest)
        ):
            return []  # "what did I tell you?" names nothing to look for
    if asked.word:
        rest = until_gap(rest)
    return statement(asked, subject, base, form, rest)


def _topic(rest: list[Word]) -> list[str]:
    while rest and low_of(rest[0]) in {"you", "me", "us", "to", "that", "him", "her", "them"}:
        rest = rest[1:]
    if rest and low_of(rest[0]) in {"about", "on", "regarding", "of"}:
        return _nouns(rest[1:])
    return _read(rest)


def _verb_first(rest: list[Word]) -> list[str]:
    """Read a question for the subject itself: "who wrote the report"."""
    at = next((i for i, word in enumerate(rest) if base_of(low_of(word))), None)
    if at is None or at == len(rest) - 1:
        return _nouns(rest)
    subject = readable(rest[:at])
    return _told(Asked(), subject, "", rest[at].text, rest[at + 1 :])


def _any_verb(rest: list[Word]) -> bool:
    return verb_at(rest) is not None
