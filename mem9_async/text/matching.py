"""Which writes that are still on their way match a query: whole words, in any script.

Text is compared after compatibility decomposition, case folding and loss of accents.
Words of scripts with spaces match whole, give or take a plural or possessive ending (a Korean
particle); runs of Chinese and Japanese, which have no spaces, match by their character pairs.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from mem9_async.text.stop_words import (
    CHINESE_KEPT_WORDS,
    CHINESE_STOP_WORDS,
    JAPANESE_STOP_WORDS,
    SELF_WORDS,
    STOP_WORDS,
    WEAK_WORDS,
)

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f々〆"
_HIRAGANA = "\u3041-\u309f"
_KATAKANA = "\u30a0-\u30ff"
_HANGUL = "\uac00-\ud7a3"
_EMOJI = "\u2600-\u27bf\U0001f1e6-\U0001f3fa\U0001f400-\U0001faff"
# A letter or digit of a script that separates its words; the underscore separates too.
_LETTER = rf"[^\W_{_HAN}{_HIRAGANA}{_KATAKANA}]"

_ACCENTS = re.compile("[\u0300-\u036f]+")
# What lower() folds as well as the long way does: ASCII, Han, kana, Hangul, some marks.
_PLAIN = (
    r"\x00-\x7f\u3001-\u3029\u3041-\u3096\u30a1-\u30fe\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "—–“”«»"
)
# What is folded character by character: Latin letters, apostrophes, hyphens, full-width marks.
_SINGLE = "À-ɏ’‘‐‑\u3000，！？；：（）"
_NEEDS_FOLDING = re.compile(f"[^{_PLAIN}{_SINGLE}]")
_SINGLES = re.compile(f"[{_SINGLE}]")
_TOKEN = re.compile(
    rf"(?P<unspaced>[{_HAN}{_HIRAGANA}{_KATAKANA}]+)"
    rf"|(?P<emoji>[{_EMOJI}])"
    rf"|(?P<word>{_LETTER}+(?:['.\-]{_LETTER}+)*(?:\+\+|#)?)"
)
_SCRIPT_RUN = re.compile(rf"[{_HAN}]+|[{_KATAKANA}]+|[{_HIRAGANA}]+")
_KANA = re.compile(f"[{_HIRAGANA}{_KATAKANA}]")
_HANGUL_WORD = re.compile(f"[{_HANGUL}]+")
_PARTICLES = (
    *("에서", "에게", "으로", "이랑", "까지", "부터", "은", "는", "이", "가", "을", "를"),
    *("의", "에", "도", "로", "와", "과", "만", "랑"),
)
_PARTICLE_ENDING = re.compile(f"(?:{'|'.join(_PARTICLES)})$")
_UNSPACED = re.compile(f"[{_HAN}{_HIRAGANA}{_KATAKANA}]")
# The next query holds many of the same words; one that is a whole page long it does not.
_WORDS_KEPT, _KEPT_CHARS = 4096, 40
_SIBILANT = ("s", "x", "z", "ch", "sh")


def _longest_first(words: frozenset[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_CHINESE_SELF = frozenset(word for word in SELF_WORDS if re.match(f"[{_HAN}]", word))
_CHINESE_PIECE = re.compile(
    f"(?P<kept>{_longest_first(CHINESE_KEPT_WORDS)})"
    f"|(?P<stop>{_longest_first(CHINESE_STOP_WORDS | _CHINESE_SELF)})"
)


def normalise(text: str) -> str:
    """Fold *text* so that spellings of one word compare equal.

    Full-width forms, case, accents and typographic apostrophes disappear; Korean syllables and
    voiced kana stay whole.
    """
    if text.isascii():
        return text.lower()
    if _NEEDS_FOLDING.search(text):
        return _fold(text)
    # The long way costs up to 50 microseconds per 200 characters; most texts can do without.
    for char in set(_SINGLES.findall(text)):
        text = text.replace(char, _FOLDED[char])
    return text.lower()


def _fold(text: str) -> str:
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text).casefold())
    plain = unicodedata.normalize("NFC", plain)
    return plain.replace("’", "'").replace("‘", "'").replace("‑", "-").replace("‐", "-")


_FOLDED = {
    char: _fold(char)
    for char in map(chr, [*range(0xC0, 0x250), *map(ord, "’‘‐‑\u3000，！？；：（）")])
}


@dataclass(frozen=True, slots=True)
class _Word:
    """A significant word of a script with spaces, in each of its `forms`; all open with `stem`."""

    stem: str
    forms: tuple[str, ...]

    def may_occur_in(self, text: str) -> bool:
        return self.stem in text

    # Plain string work: a pattern a word would have to be compiled for every new query, which
    # costs a thousand times what it saves.
    def occurs_in(self, text: str) -> bool:
        at = text.find(self.stem)
        while at >= 0:
            if at == 0 or not _is_letter(text[at - 1]):
                for form in self.forms:
                    if text.startswith(form, at) and _ends_word(text, at + len(form)):
                        return True
            at = text.find(self.stem, at + 1)
        return False


def _is_letter(char: str) -> bool:
    return char.isalnum() and not _UNSPACED.match(char)


def _ends_word(text: str, at: int) -> bool:
    # `c` is not `c++` or `c#`.
    if at >= len(text):
        return True
    if text[at] == "#":
        return at + 1 < len(text) and _is_letter(text[at + 1])
    return not _is_letter(text[at]) and not text.startswith("++", at)


@dataclass(frozen=True, slots=True)
class _Run:
    """A significant part of a text without spaces: `needed` of its `pairs` must occur."""

    pairs: tuple[str, ...]
    needed: int

    def may_occur_in(self, text: str) -> bool:
        return self.occurs_in(text)

    def occurs_in(self, text: str) -> bool:
        return sum(pair in text for pair in self.pairs) >= self.needed


class Matcher:
    """A query made ready to be held against many contents; immutable.

    A content matches when it holds at least one significant word of a query that has one or two,
    and at least half of them otherwise: a single shared word is telling in a short query, and
    accidental in a long one. Words of preference ("favourite") count only where nothing else
    does. A query that names the user and nothing more ("what do you know about me?") matches
    every content, since every memory is about the user; one without any word matches none.
    """

    __slots__ = ("_everything", "_needed", "_terms")

    def __init__(self, query: str) -> None:
        text = normalise(query)
        words = dict.fromkeys(_significant(text))
        telling = [word for word in words if word not in WEAK_WORDS and not _is_emoji(word)]
        self._terms = tuple(map(_term, telling or words))
        count = len(self._terms)
        self._needed = 1 if count <= 2 else (count + 1) // 2
        self._everything = not self._terms and _names_the_user(text)

    def matches(self, content: str) -> bool:
        """Say whether *content* shares enough significant words with the query."""
        return self.matches_normal(normalise(content)) if self._terms else self._everything

    def may_match(self, texts: str) -> bool:
        """Say whether one of many normalised contents, joined to *texts*, could match at all."""
        if not self._terms:
            return self._everything
        return sum(term.may_occur_in(texts) for term in self._terms) >= self._needed

    def matches_normal(self, text: str) -> bool:
        """Say the same of a content that is normalised already."""
        if not self._terms:
            return self._everything
        found = 0
        for term in self._terms:
            if term.occurs_in(text):
                found += 1
                if found == self._needed:
                    return True
        return False


def matches(query: str, content: str) -> bool:
    """Say whether *content* matches *query*; see `Matcher`, which is for more than one content."""
    return Matcher(query).matches(content)


def _significant(text: str) -> Iterator[str]:
    for token in _TOKEN.finditer(text):
        if token["unspaced"]:
            yield from _pieces(token["unspaced"])
        elif token["emoji"]:
            yield token["emoji"]
        else:
            for word in _spaced_words(token["word"]):
                if word not in STOP_WORDS and word not in SELF_WORDS:
                    yield word


def _kept[T](make: Callable[[str], T]) -> Callable[[str], T]:
    """Keep what *make* makes of short words."""
    keeping = lru_cache(maxsize=_WORDS_KEPT)(make)

    def made(word: str) -> T:
        return keeping(word) if len(word) <= _KEPT_CHARS else make(word)

    return made


@_kept
def _spaced_words(token: str) -> tuple[str, ...]:
    """Split a token at its inner marks, unless it is a code such as `xr-7` or `3.12`."""
    if any(char.isdigit() for char in token):
        return (token.removesuffix("'s"),)
    words = []
    for word in re.split(r"[.\-]", token):
        word = (
            word.split("'")[0] if word.endswith(("'s", "'m", "'d", "'ll", "'re", "'ve")) else word
        )
        words.append(_without_particle(word) if _HANGUL_WORD.fullmatch(word) else word)
    return tuple(words)


def _without_particle(word: str) -> str:
    stem = _PARTICLE_ENDING.sub("", word)
    # One syllable left is more likely a whole word cut in two (고양이, 나이).
    return stem if len(stem) >= 2 or stem in SELF_WORDS else word


def _pieces(run: str) -> Iterator[str]:
    """Cut a run without spaces into its telling parts."""
    if _KANA.search(run):
        pieces = _SCRIPT_RUN.findall(run)
        dropped = JAPANESE_STOP_WORDS | SELF_WORDS
        telling = [
            piece
            for piece in pieces
            # Short hiragana is nearly always a particle or an ending.
            if piece not in dropped and not (re.fullmatch(f"[{_HIRAGANA}]{{1,2}}", piece))
        ]
        yield from telling or (pieces if len(pieces) == 1 and run not in dropped else ())
        return
    start = 0
    for piece in _CHINESE_PIECE.finditer(run):
        if piece["kept"]:
            continue
        if piece.start() > start:
            yield run[start : piece.start()]
        start = piece.end()
    if start < len(run):
        yield run[start:]


def _names_the_user(text: str) -> bool:
    for token in _TOKEN.finditer(text):
        if token["unspaced"]:
            if any(word in token["unspaced"] for word in SELF_WORDS):
                return True
        elif token["word"] and any(word in SELF_WORDS for word in _spaced_words(token["word"])):
            return True
    return False


def _is_emoji(word: str) -> bool:
    return re.fullmatch(f"[{_EMOJI}]", word) is not None


@_kept
def _term(word: str) -> _Word | _Run:
    if re.match(f"[{_HAN}{_HIRAGANA}{_KATAKANA}]", word):
        if len(word) <= 2:
            return _Run((word,), needed=1)
        pairs = tuple(dict.fromkeys(word[i : i + 2] for i in range(len(word) - 1)))
        return _Run(pairs, needed=(len(pairs) + 1) // 2)
    if _is_emoji(word):
        return _Run((word,), needed=1)
    if _HANGUL_WORD.fullmatch(word):
        return _Word(word, (word, *(word + particle for particle in _PARTICLES)))
    forms = _forms(word)
    shared = min(forms, key=len)
    while not all(form.startswith(shared) for form in forms):
        shared = shared[:-1]
    return _Word(shared, tuple(forms))


def _forms(word: str) -> set[str]:
    """The word with and without a plural ending; a form too many does no harm."""
    if not word.isalpha() or len(word) < 3:
        return {word}
    bases = {word}
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        bases.add(word[:-1])
        if word.endswith("ies"):
            bases.add(word[:-3] + "y")
        elif word.endswith("es") and word[:-2].endswith(_SIBILANT):
            bases.add(word[:-2])
    forms = set(bases)
    for base in bases:
        forms.add(base + "s")
        if base.endswith(_SIBILANT):
            forms.add(base + "es")
        if base.endswith("y") and base[-2] not in "aeiou":
            forms.add(base[:-1] + "ies")
    return forms
