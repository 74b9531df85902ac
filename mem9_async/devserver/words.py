"""Text into words, for an index that knows Latin words and unspaced scripts alike. Pure."""

import re
import unicodedata

# Scripts written without spaces (or glued with particles) are indexed as characters and pairs.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_QUERY_WORDS_MAX = 64

_EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    a about am an and any are as at be been being but by can could d did do doe does doing don for
    from had has have he her here him his how i if in into is it its ll m may me might my no not of
    on or our please re s shall she should so some tell than that the their them then there these
    they this those to too us ve was wa we were what when where which who whom whose why will with
    would you your
    """,
    )
)
_EMPTY_PHRASES = re.compile(
    "请问|告诉|什么时候|什么|怎么样|怎么|怎样|为什么|哪里|哪儿|哪个|哪些|哪|多少|几个|是否|有没有"
    "|我们|你们|他们|她们|我的|你的|一下|[的了吗呢吧啊呀我你您他她它是在有和与及就也都把被这那谁]"
)


def index_words(text: str) -> tuple[str, ...]:
    """Every word a search may ask for, in order: words, or characters and neighbouring pairs."""
    words: list[str] = []
    for run in _runs(text):
        if _IS_UNSPACED.match(run):
            words.extend(run)
            words.extend(_pairs(run))
        else:
            words.append(_stem(run))
    return tuple(words)


def query_words(query: str) -> frozenset[str]:
    """The significant words of *query* (at most 64); all of them when none is significant."""
    significant = _query_words(_EMPTY_PHRASES.sub(" ", query)) - _EMPTY_WORDS
    chosen = significant or _query_words(query)
    return frozenset(sorted(chosen)[:_QUERY_WORDS_MAX])


def _query_words(query: str) -> set[str]:
    words: set[str] = set()
    for run in _runs(query):
        if not _IS_UNSPACED.match(run):
            words.add(_stem(run))
        elif len(run) == 1:
            words.add(run)
        else:
            words.update(_pairs(run))
    return words


def _runs(text: str) -> list[str]:
    return _RUN.findall(unicodedata.normalize("NFKC", text).casefold())


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def _stem(word: str) -> str:
    # Plural and singular meet; nothing cleverer, so that every match stays explainable.
    if len(word) > 3 and word.isascii() and word.endswith("s") and word[-2] not in "siu":
        return word[:-1]
    return word
