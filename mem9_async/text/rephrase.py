"""What to search for next: words of a question that a fact may hold as they stand.

mem9's keyword search looks for the whole query inside a fact, and facts hold no questions. Runs
of telling words are found where the question is not. No dictionary, no model.
"""

import re
from collections.abc import Iterable
from itertools import chain, groupby, zip_longest

from mem9_async.text import stop_words
from mem9_async.text.matching import normalise

_MOST = 3
# Longer texts are pasted documents; no run of their words says what was asked.
_LONGEST_CHARS = 400
_EDGES = " \t\r\n,;:!?¿¡…()[]{}<>\"'“”‘’`，。！？；：（）、~～–—|*"
_BESIDE_WORDS = re.compile(rf"(?<!\S)[{re.escape(_EDGES)}]+|[{re.escape(_EDGES)}.]+(?!\S)")
_QUOTED = re.compile(
    r"\"([^\"\n]+)\"|“([^”\n]+)”|「([^」\n]+)」|『([^』\n]+)』|《([^》\n]+)》|«([^»\n]+)»|`([^`\n]+)`"
)
# To a query that says when, mem9 adds the date; its keyword search then finds nothing.
_RELATIVE_TIME = re.compile(
    r"(?i)\b(?:yesterday|today|tonight|tomorrow|(?:last|next|this)\s+(?:night|week|weekend|month"
    r"|year|spring|summer|autumn|fall|winter|(?:mon|tues|wednes|thurs|fri|satur|sun)day))\b"
    r"|(?:[上下本这]周|[上下]星期)[一二三四五六日天]?|[前昨今明后]天|[上下这]个月|本月|[去今明]年"
)
_CONTRACTION = re.compile("(?:n't|'(?:m|re|ve|ll|d)|(?<=who|how)'s|(?<=what|when)'s|(?<=where)'s)$")
_LANGUAGES = (
    stop_words.ENGLISH_STOP_WORDS | stop_words.ASKING_WORDS | stop_words.SELF_WORDS,
    stop_words.PORTUGUESE_STOP_WORDS,
    stop_words.SPANISH_STOP_WORDS,
    stop_words.KOREAN_STOP_WORDS | stop_words.ASKING_WORDS | stop_words.SELF_WORDS,
)
_VAGUE = stop_words.VAGUE_WORDS

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff々〆"
_MEASURES = "个個位所款支部本家件条种间座台辆场首道班门把双套张份层片块篇封项趟类版级期只杯人钱"
_CHINESE_BREAKS = re.compile(
    # First the words that hold a break and are kept whole.
    "(了解|是非|哪吒|几何|几乎|自我|其他|吉他|请假|邀请|申请|过敏|过期|过程|过年|过节)|自己|来着|它"
    "|现在|目前|最近|[平通经][时常]|一[般共]|以前|到底|大概|应该|推荐|每个?[天周月年次]|还是|是否|用户"
    f"|(?:[为為]?(?:什[么麼]|啥)|[为如]何)(?:时候|時候|时间|地方|样的?)?|怎[么麼樣样]+|多少[{_MEASURES}]?"
    f"|多[大久长高远重快]|有[没沒]有|([{_HAN}])不(?=\\2)|[谁誰]|[几幾][点岁次号月天年{_MEASURES}]?|知道"
    f"|哪[一几]?[里裡儿些天年月国{_MEASURES}]?|[请請][问問]?|谢谢|还?[记記]得|告[诉訴]|帮我|查?一下|正在"
    r"|刚才|说[过了]|叫|[我你您他她咱](?:[们們好]|家的)?|[是了吗嗎呢吧啊呀嘛过]|[^\w\s.+#@:/-]+"
)
_WHOLE = "(?!地[址点区铁方]|里程|得分|有[效限]|会[议员]|能力|对[象手方]|要求|到[期账]|在[线职])"
_EDGE = re.compile(f"^(?:{_WHOLE}[ 的地得里和与有对从也都要会能把被由在到])+|[ 的地得里有没不]+$")
_CHINESE_JOINTS = re.compile(r"[的在和与从到对]|\s+(?=[\w.+#@:/-]*[A-Za-z0-9])|(?<=[A-Za-z0-9])\s+")
_VERBS = "吃喝养用看听学做换买玩写开说怕住去"
_AROUND = re.compile(f"^(?:[最更]?喜欢|想|打算|去|要|[{_VERBS}](?=(?:..)+$))|(?<=..)[用住]$")
_LATIN = "[A-Za-z0-9À-ɏ]"
_JAPANESE_WORD = rf"(?:[{_HAN}ァ-ヺー]|\.?{_LATIN}(?:(?:[.@+#:/_ -]|{_LATIN})*(?:[+#]|{_LATIN}))?)+"
_JAPANESE_JOINTS = "の|き?な|んだ"
_JAPANESE_RUN = re.compile(
    f"{_JAPANESE_WORD}(?:(?:{_JAPANESE_JOINTS}|[いきしちみりけせめれべえるむびじ])?{_JAPANESE_WORD})*"
)
_JAPANESE_ASKING = re.compile(f"何[{_HAN}]?|誰|教えて|覚えて|知って|私|僕|俺|自分")


def suggest_queries(query: str) -> tuple[str, ...]:
    """Return what to search for after *query* brought too little: 0 to 3 phrases, best first.

    Each is a run of telling words of the question, or a part of one. Quoted text stays whole.
    The query itself is never suggested. Never raises, whatever the language.
    """
    if len(query) > _LONGEST_CHARS:
        return ()
    quoted = [["".join(filter(None, found.groups()))] for found in _QUOTED.finditer(query)]
    text = _RELATIVE_TIME.sub(" , ", _QUOTED.sub(" , ", query))
    if re.search("[ぁ-ヺ]", text):
        runs = _japanese(text)
    elif re.search(f"[{_HAN}]", text):
        runs = _chinese(text)
    else:
        runs = _spaced(text)
    asked = _trimmed(query).casefold()
    suggestions: dict[str, str] = {}
    # The best of each run first, so that no part of the question is left out.
    for phrase in map(_trimmed, chain.from_iterable(zip_longest(*quoted, *runs, fillvalue=""))):
        if any(map(str.isalnum, phrase)) and phrase.casefold() != asked:
            suggestions.setdefault(phrase.casefold(), phrase)
    return tuple(suggestions.values())[:_MOST]


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(_EDGES).removesuffix("'s").removesuffix("’s")


def _spaced(text: str) -> list[list[str]]:
    """Runs of words that blanks part; the verbs, whose endings a fact changes, stand last."""
    words = _BESIDE_WORDS.sub(" , ", text).split()
    folded = [_CONTRACTION.sub("", normalise(word)) for word in words]
    language = max(_LANGUAGES, key=lambda stops: sum(low in stops for low in folded))
    known = any(low in language for low in folded)
    runs: list[list[str]] = [[]]
    verbs: list[list[str]] = []
    before, asks_of_name = ",", False
    for word, low in zip(words, folded, strict=True):
        name = before != "," and _is_name(word)
        verb = before in stop_words.SUBJECT_WORDS or (asks_of_name and not name)
        asks_of_name = name and (asks_of_name or before in stop_words.AUXILIARIES)
        asks_of_name &= not low.endswith("'s")
        before = low
        # May is a month; in a language without a list, short words say nothing.
        tells = low not in language or (name and low == "may")
        if low == "," or not (tells and (known or name or len(low) > 3)):
            runs.append([])
        elif verb:
            # moro, vivo: in the fact "mora", "vive".
            first_person = language in _LANGUAGES[1:3] and low.endswith("o")
            verbs.append([word[:-1] + "a", word[:-1] + "e"] if first_person else [word])
            runs.append([])
        else:
            runs[-1].append(word)
    runs = sorted(filter(None, runs), key=_telling, reverse=True)
    return [*(_parts(run, noun_last=language is _LANGUAGES[0]) for run in runs), *verbs]


def _is_name(word: str) -> bool:
    return word != word.lower() or any(map(str.isdigit, word))


def _telling(run: list[str]) -> tuple[bool, bool, int]:
    vague = all(normalise(word) in _VAGUE for word in run)
    return not vague, any(map(_is_name, run)), len(run) * 4 + max(map(len, run))


def _parts(run: list[str], *, noun_last: bool) -> list[str]:
    """The run, each name in it, then its noun with the word beside it, alone, and the other end."""
    two, noun, other = (run[-2:], run[-1], run[0]) if noun_last else (run[:2], run[0], run[-1])
    names = [" ".join(words) for name, words in groupby(run, _is_name) if name]
    parts = [*names, " ".join(two), noun, other]
    return [" ".join(run), *(part for part in parts if normalise(part) not in _VAGUE)]


def _chinese(text: str) -> list[list[str]]:
    broken = _CHINESE_BREAKS.sub(lambda found: found[1] or "\n", text).split("\n")
    runs = _longest_first(_EDGE.sub("", run) for run in broken)
    told = [_chinese_parts(run) for run in runs if len(run) > 1]
    return told + [[run] for run in runs if len(run) == 1 and (not told or run in _VERBS)]


def _longest_first(runs: Iterable[str]) -> list[str]:
    return sorted(runs, key=lambda run: (run not in _VAGUE, len(run)), reverse=True)


def _chinese_parts(run: str) -> list[str]:
    words = [word for word in _CHINESE_JOINTS.split(run) if len(word) > 1][::-1]
    bare = [_AROUND.sub("", word) for word in words]
    # Most words have two characters; a name in Latin letters stays whole.
    pairs = [(word[-2:] if len(word) % 2 == 0 else "", word[:2]) for word in bare if word >= "一"]
    return [run, *(part for part in chain(words, bare, *pairs) if part[1:] and part not in _VAGUE)]


def _japanese(text: str) -> list[list[str]]:
    runs = _longest_first(_JAPANESE_RUN.findall(_JAPANESE_ASKING.sub("、", text)))
    words = ((run, re.split(_JAPANESE_JOINTS, run)[::-1]) for run in runs)
    return [[run, *(part for part in parts if part not in _VAGUE)] for run, parts in words]
