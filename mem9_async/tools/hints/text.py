"""A question cut into words that know whether they may be changed."""

import re
from dataclasses import dataclass

from mem9_async.runtime.stop_words import ENGLISH_STOP_WORDS, word_set

_QUOTED = re.compile(
    r"\"([^\"\n]+)\"|“([^”\n]+)”|「([^」\n]+)」|『([^』\n]+)』|«([^»\n]+)»|`([^`\n]+)`"
    r"|(?<![^\s(])'([^'\n]+)'(?!\w)|(?<![^\s(])‘([^’\n]+)’(?!\w)|(《[^》\n]+》)"
)
# Quoted text is set aside as one character of the private use area while rules run.
_FIRST_SLOT = 0xE000
_LAST_SLOT = 0xF8FF
_SLOTS = re.compile(f"[{chr(_FIRST_SLOT)}-{chr(_LAST_SLOT)}]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_EDGES = " \t\r\n,.;:!?…()[]{}，。！？；：（）、~～-–—"
_CONTRACTIONS = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would"}
_IS_CONTRACTED_AFTER = word_set("what who where when how why which that there here it he she")
_TITLE_SIGNS = word_set("my is are do does did what favourite favorite")


class Quotes:
    """The quoted passages of one question, taken out so that no rule changes them.

    The marks themselves go (facts seldom repeat them), except for 《》, which are part of a title.
    """

    def __init__(self, text: str) -> None:
        self._passages: list[str] = []
        self.text = _QUOTED.sub(self._set_aside, _SLOTS.sub(" ", text))

    def _set_aside(self, found: re.Match[str]) -> str:
        passage = " ".join(next(group for group in found.groups() if group is not None).split())
        if not passage or len(self._passages) > _LAST_SLOT - _FIRST_SLOT:
            return " "
        self._passages.append(passage)
        return chr(_FIRST_SLOT + len(self._passages) - 1)

    def restore(self, phrase: str) -> str:
        """Put the passages back."""
        return _SLOTS.sub(lambda slot: self._passages[ord(slot[0]) - _FIRST_SLOT], phrase)


@dataclass(frozen=True, slots=True)
class Word:
    """One word: as written, as compared, and whether it is a name or quoted (never changed)."""

    text: str
    low: str
    name: bool = False


def words_of(clause: str) -> list[Word]:
    """Split *clause*; contractions are opened ("what's" -> what, is), possessives are not."""
    raw = [piece for piece in clause.split() if piece.strip(_EDGES)]
    # Capitals tell names apart only where not everything is capitalised.
    titled = any(piece.casefold() in _TITLE_SIGNS and piece[0].isupper() for piece in raw[1:])
    capitals_tell = not titled and any(piece[0].islower() for piece in raw)
    words: list[Word] = []
    for position, piece in enumerate(raw):
        text = piece if position < len(raw) - 1 else trimmed(piece)
        text = text.lstrip("([{")
        low = text.replace("’", "'").casefold().strip(",;:()[]{}")
        name = _is_name(text, first=position == 0, capitals_tell=capitals_tell)
        words += _opened(text, low, name)
    if len(words) > 1 and capitals_tell and words[0].text[:1].isupper():
        first, second = words[:2]
        owner = first.low.endswith("'s")  # "Ana's email"
        longer = second.name and second.text[:1].isupper()  # "Ana Lúcia's email"
        if (owner or longer) and first.low not in ENGLISH_STOP_WORDS | {"i"}:
            words[0] = Word(first.text, first.low, name=True)
    return words


def trimmed(phrase: str) -> str:
    """Without blanks and sentence marks at the ends; `.NET`, `C++` and `C#` stay whole."""
    phrase = phrase.rstrip(_EDGES)
    dot = re.match(r"[\s,;:!?()\[\]{}，。！？；：（）、~～–—-]*(\.\w)", phrase)
    return phrase[dot.start(1) :] if dot else phrase.lstrip(_EDGES)


def joined(words: list[Word]) -> str:
    """The words as one phrase."""
    return trimmed(" ".join(word.text for word in words))


def _is_name(text: str, *, first: bool, capitals_tell: bool) -> bool:
    if _SLOTS.search(text) or _HAN.search(text) or any(char.isdigit() for char in text):
        return True
    inner_capital = any(char.isupper() for char in text[1:])
    if inner_capital and capitals_tell:
        return True
    plain = text.replace("’", "'").casefold()
    if plain.strip(",") == "i" or plain.startswith("i'"):
        return False
    return capitals_tell and not first and text[:1].isupper()


def _opened(text: str, low: str, name: bool) -> list[Word]:
    if name:
        return [Word(text, low, name=True)]
    for ending, verb in _CONTRACTIONS.items():
        stem = low.removesuffix(ending)
        if stem != low and stem:
            return [Word(text[: len(stem)], stem), Word(verb, verb)]
    stem = low.removesuffix("'s")
    if stem != low and stem in _IS_CONTRACTED_AFTER:
        return [Word(text[: len(stem)], stem), Word("is", "is")]
    if low in {"whats", "whos", "wheres", "whens", "hows"}:
        return [Word(text[:-1], low[:-1]), Word("is", "is")]
    if low.endswith("n't"):
        verb = {"can't": "can", "won't": "will", "shan't": "shall"}.get(low, low[:-3])
        return [Word(verb, verb), Word("not", "not")]
    return [Word(text, low)]
