"""What somebody or something is or was, as a statement: "user was born in"."""

from mem9_async.tools.hints.nouns import is_owned, of_user, readable
from mem9_async.tools.hints.parts import is_participle, low_of, participle_at, subject_of
from mem9_async.tools.hints.statements import Asked
from mem9_async.tools.hints.text import Word, joined
from mem9_async.tools.hints.words import PLACE_PREPOSITIONS, PREPOSITIONS


def thing_being(asked: Asked, verb: str, rest: list[Word]) -> list[str]:
    """Read where, when, of which kind a thing is, where its state stands beside it; else []."""
    participle = participle_at(rest)
    if participle is not None and (asked.nouns or asked.word not in {"who", "what"}):
        subject = subject_of(rest[:participle])
        return [f"{subject} {verb} {readable(rest[participle:], within=True)}", subject]
    if asked.word == "where" and low_of(rest[-1]) == "from" and len(rest) > 1:
        subject = subject_of(rest[:-1])
        return [f"{subject} {verb} from", subject]
    names = next((i for i, word in enumerate(rest) if not word.name), 0)
    if asked.nouns and names and not rest[names - 1].low.endswith("s"):
        # "what languages is Ravi fluent in"
        return [f"{joined(rest[:names])} {verb} {joined(rest[names:])}", joined(rest[:names])]
    return []


def user_being(asked: Asked, copula: str, complement: list[Word]) -> list[str]:
    """Read what the user is or was: born in, allergic to, at which hotel."""
    told, nouns = readable(complement, within=True), list(asked.nouns)
    if not complement:
        return [of_user(nouns), readable(nouns)]
    last = complement[-1].low
    if nouns and is_participle(low_of(complement[0])):
        return [f"user {copula} {told}", told if last in PREPOSITIONS else readable(nouns)]
    if nouns:
        # "(what hotel am I) staying at in Rome": the last preposition opens the place.
        opens = max((i for i, w in enumerate(complement) if w.low in PREPOSITIONS), default=0)
        nouns += complement[opens:] if 0 < opens < len(complement) - 1 else []
        return [of_user(nouns), readable(nouns)]
    if asked.word == "where" and last in PLACE_PREPOSITIONS:
        return [f"user was {told} {PLACE_PREPOSITIONS[last]}", f"user was {told}"]
    return [f"user {copula} {told}", told]


def state(verb: str, rest: list[Word]) -> list[str]:
    """Put "is" back between subject and state where their border is certain; else []."""
    names = next((i for i, word in enumerate(rest) if not word.name), len(rest))
    border = names or (2 if is_owned(rest[0]) and len(rest) == 3 else 0)
    than = next((i for i in range(3, len(rest)) if low_of(rest[i]) == "than"), 0)
    if than and not border:  # "is my salary higher than ..."
        border = than - 2 if low_of(rest[than - 2]) in {"more", "less"} else than - 1
    if not border and participle_at(rest) == len(rest) - 1:
        border = len(rest) - 1  # "is my subscription to X cancelled"
    if not 0 < border < len(rest) or rest[border - 1].text.endswith(("'s", "’s")):
        return []
    subject, state = readable(rest[:border]), readable(rest[border:], within=True)
    copula = "is" if verb == "am" else verb
    return [f"{subject} {copula} {state}", subject]
