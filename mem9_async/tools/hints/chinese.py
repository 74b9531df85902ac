"""Chinese questions as the statements mem9 would keep: 我喜欢什么颜色 -> 用户喜欢的颜色."""

import re

from mem9_async.tools.hints.chinese_words import (
    ASKED,
    DONE,
    EARLIER,
    INSTRUMENTAL,
    KIN,
    KINDS,
    MEASURES,
    PLACES,
    POLITE_END,
    POLITE_START,
    PREDICATE_STARTS,
    SAID_TO,
    SAYING,
    SPOKEN,
    WHEN,
    WHERE,
    WHICH,
    WORK,
)
from mem9_async.tools.hints.text import trimmed

USER = "用户"

_POLITE_START = re.compile(rf"^(?:{POLITE_START})(?=.)[\s，,、！!：:]*", re.IGNORECASE)
_POLITE_ONLY = re.compile(rf"(?:(?:{POLITE_START})[\s，,、！!：:]*)+", re.IGNORECASE)
_POLITE_END = re.compile(rf"[\s，,]*(?:{POLITE_END})$")
_SPOKEN = re.compile("|".join(SPOKEN))

_EVERYTHING = re.compile(
    r"(?:你|您)?(?:还)?(?:知道|记得|了解)(?P<about>.*?)(?:的)?(?:什么|哪些(?:事|信息)?|多少)$"
)
_ABOUT_ME = re.compile(
    r"[你您]?(?:都|还)?(?:对我(?:有)?(?:多少|什么)?了解(?:多少|什么|哪些)?|(?:知道|记得|了解)(?:关于)?我的?(?:什么|多少|哪些(?:事情?|信息)?))"
)
_SAID = re.compile(
    rf"^(?:我|我们|咱们|你)?{EARLIER}(?:是不是|有没有|是否|不是|没有?)?{EARLIER}{SAID_TO}{EARLIER}{SAYING}"
    r"(?:什么|哪些)?(?:关于|有关)?[，,]?"
)
_TOPIC_SAID = re.compile(
    rf"^(?P<topic>.+?)[，,]?我们?{EARLIER}{SAID_TO}(?:说过|提过|提到过|讲过|聊过|说了)(?:些)?什么$"
)
_ABOUT_SAID = re.compile(
    rf"^(?:我|我们|你)?{EARLIER}(?:对|关于|就)(?P<topic>.+?)(?:说过|提过|讲过|聊过|有)(?:些|了)?什么"
    r"(?:看法|意见|话)?$"
)

# Told time and manner that a fact has in another place, or not at all.
_ADVERBS = re.compile(
    r"(?:上次|最近一次|最近|一般|通常|平时|平常|现在|目前|到底|究竟|具体|曾经|刚才|一起|一共|总共|分别|应该是)"
)
_TIMES = re.compile(
    r"(?:大前天|前天|昨天|今天|明天|后天|今晚|昨晚|[上这本下]周[一二三四五六日天末]?"
    r"|上个?星期|这个?星期|下个?星期|上个?月|这个月|本月|下个?月|去年|今年|明年|前年)"
)

_WHAT_IS = re.compile(
    r"(?:都)?(?:(?:约|定|安排|改|推迟|提前)[在到]|是|在|到|为|叫做?|等于)?(?:每个?[天周月年])?"
    rf"(?:{WHEN}|{WHERE}|什么样子?的?|什么名字|什么牌子|什么|{WHICH}"
    r"|谁的?|几点了?|多少钱?|多大了?|多高|多重|多长|多久|怎么样|如何)了?$"
)
_ASKED_SUBJECT = re.compile(
    rf"^(?:谁|(?:什么|{WHICH})(?:人|(?=是))|{WHICH}(?=[\u4e00-\u9fff]{{2}}))是?(?=.)"
)
_NAME_OF = re.compile(r"(?<=.)的(?:名字|姓名)$")
_ASKED_NOUN = re.compile(rf"^(?P<head>.*?)(?P<of>的)?(?P<be>都?是)?{ASKED}(?P<noun>.+)$")
_OWNING = re.compile(r"(?:正?在)?(?:使用|用|有|养了?|开|穿)$")
_YES_NO = re.compile(r"(?P<word>[\u4e00-\u9fff])不(?P=word)")
_YES_NO_LIKE = re.compile(r"喜不喜欢|喜欢不喜欢")
_WHETHER = re.compile(r"是否|有没有(?=.*[养过去买订])")
_IS_IT = re.compile(rf"是不是(?!(?:{PREDICATE_STARTS}))(?=.*(?:{KINDS})$)")
_BY_WHOM = re.compile(r"^(?P<thing>.+?)是谁(?P<done>.+?)的$")
_JOB = re.compile(r"^(?P<who>.+?)是?(?:做什么(?:工作)?的|做什么工作|干什么的)$")
_TELL_ME = re.compile(r"^把(?P<what>.+?)(?:告诉|发给|发|给|念给)我(?:听)?$")
_BEING_EITHER = re.compile(r"^我是(?P<one>[^是]{1,14}?)还是(?P<other>.{1,14})$")
_BY_ONE = re.compile(r"^[^\s是]{1,6}(?<![和跟与给向找替对把被])谁(?P<done>[\u4e00-\u9fff]{2}.+)$")
_DONE_WHEN = re.compile(
    rf"^(?P<thing>(?!我是).{{2,}}?)是(?:在)?(?:{WHEN}|在?{WHERE})(?P<done>.)的$"
)
_COMPARED = re.compile(
    r"(?:谁(?:的[\u4e00-\u9fff]{1,3})?|哪一?个)(?:(?:更|比较|最)[\u4e00-\u9fff]{1,3}|(?:年纪|年龄|个子|体重)?[高大小重轻快慢早晚])$"
)
_WHERE_WHEN = re.compile(
    rf"(?:要?[去到][了过]?{WHERE}(?=[\u4e00-\u9fff]{{2}})|到{WHERE}了?$|(?:是)?(?:在)?(?:{WHEN}|在?{WHERE}|在哪)"
    r"|[跟和向找替]谁|给谁(?=[\u4e00-\u9fff])|几岁(?=[\u4e00-\u9fff])|几个?[年天月周](?:以?前|以?后|之前|之后)|为什么|为何|怎么样|(?:应该|该|要|是)?怎么|怎样|如何|对什么|用什么|多久|多少次|几次)"
)
_PLACED_VERB = r"(?:住|位于|放|停|存|搬|藏|寄存|坐落)"
_PLACED = re.compile(
    rf"^(?P<told>.*?(?:{_PLACED_VERB}|出生))(?P<to>在|到|于)?"
    rf"(?:{WHERE}|哪|{ASKED}(?:{PLACES.pattern})?)(?:了|的)?$"
)
_MOVED_THING = re.compile(rf"^(?:{USER})?把(?P<thing>.+?){_PLACED_VERB}$")
_AT_PLACE = re.compile(rf"^(?P<who>.+?)是?[在从]{ASKED}(?P<place>{PLACES.pattern})(?P<did>.*)$")
_GIVEN_TO = re.compile(r"^(?P<told>(?P<who>.*?)把(?P<thing>.+?)[^\s]给)谁了?$")
_EITHER = re.compile(
    r"^(?P<head>.*?(?:喜欢|爱|偏好|选择?|习惯|[用要吃喝去住养坐有])(?:的是)?)(?P<one>(?!的)[^是]{1,14}?)还是(?P<other>.{1,14})$"
)
_MORE = re.compile(r"(?:更?多一?[点些]|更多)")
_MEASURED = re.compile(
    r"^(?P<who>.+?)(?:今年|现在)?(?:有|是)?(?P<how>多大|几岁|多高|多重|多少岁|多少公斤)(?:年纪)?了?$"
)
_MEASURES = {"多高": "身高", "多重": "体重", "多少公斤": "体重"}
_MYSELF = {
    "我叫什么名字": (f"{USER}的名字", "名字"),
    "我叫什么": (f"{USER}的名字", "名字"),
    "我是谁": (f"{USER}的名字", "名字"),
    "我是哪里人": (f"{USER}来自", f"{USER}的家乡"),
    "我来自哪里": (f"{USER}来自", f"{USER}的家乡"),
    "我是哪国": (f"{USER}的国籍", "国籍"),
    "我是做什么的": (f"{USER}的工作", f"{USER}的职业"),
    "我是做什么工作的": (f"{USER}的工作", f"{USER}的职业"),
    "我做什么工作": (f"{USER}的工作", f"{USER}的职业"),
    "我": (USER,),
    "我什么": (USER,),
    "我的什么": (USER,),
}
_FELT = re.compile(r"(?:过敏|感兴趣|有兴趣|有研究|满意|不满|上瘾|反感|熟悉)$")
_FROM = re.compile(rf"^(?P<told>.*来自){ASKED}(?:{PLACES.pattern})?$")
_OCCASION = re.compile(r"^(?P<when>(?![把给跟和与对在请])[\u4e00-\u9fff]{2,4})我的(?P<what>.{2,})$")
_BACKED = re.compile(r"(?<=[去来买做读看学订搬写])的(?=\S{2,}$)")
_OF_WHAT_KIND = re.compile(r"(?<=.)是什么(?P<kind>[\u4e00-\u9fff]{1,3})的$")
_NAME = re.compile(
    r"[\ue000-\uf8ff]|[A-ZÀ-Þ][A-Za-zÀ-ɏ0-9.+#-]*(?: [A-ZÀ-Þ0-9][A-Za-zÀ-ɏ0-9.+#-]*)*"
)
_MY_GROUP = re.compile(r"(?:我们|咱们|咱)的?")
_MY_KIN = re.compile(rf"我(?:家)?的?(?={KIN})")
_MY_HOME = re.compile(r"我家(?=[有住在里]|附近)")
_MY_THIS = re.compile(rf"^我[这那][{MEASURES}]")
_THIS = re.compile(rf"(?<!刹)[这那](?!部分|班人)[{MEASURES}]")
_LEADING_VERB = re.compile(
    rf"^{USER}(?P<verb>最?喜欢|讨厌|养了?|用|有|去[过了]?|买了?|吃|喝|学过?|想要?|需要|住在|打算)(?P<thing>.+)$"
)
_TOO_BARE = frozenset("了吃喝看听玩学做用买去空怕属爱想要会写读说花")
_LEAD_ADJECTIVE = re.compile(r"^(?:最喜欢的|最爱的|喜欢的|常用的|首选的|新的?)(?=.{2,})")


def chinese_phrases(question: str) -> list[str]:
    """Statements for one question, best first, perhaps with repetitions; [] when nothing is left.

    A relative time (昨天) comes only in the last, for the reason given at `english_phrases`.
    """
    text = _without_politeness(_SPOKEN.sub(lambda found: SPOKEN[found[0]], question))
    if _POLITE_ONLY.fullmatch(text):
        return []
    names = [name for name in _NAME.findall(text) if len(name) > 2 or not name.isascii()]
    return [*_timed(text), *names]


def _timed(text: str) -> list[str]:
    time = _TIMES.search(text)
    if time and not _MEASURED.match(text):
        phrases = _read((text[: time.start()] + text[time.end() :]).removeprefix("的"))
        if not phrases or phrases[0] in {USER, f"{USER}做", f"{USER}做了"}:
            return [time[0]]
        link = "的" if text.startswith(f"{time[0]}的") else ""
        dated = (
            phrases[0].replace(USER, USER + time[0], 1)
            if phrases[0].startswith(USER)
            else f"{time[0]}{link}{phrases[0]}"
        )
        return [*phrases[:2], dated]
    return _read(text)


def _without_politeness(text: str) -> str:
    text = trimmed(text)
    before = None
    while before != text:
        before = text
        text = trimmed(_POLITE_START.sub("", text))
        text = trimmed(_POLITE_END.sub("", text)) or text
    return text


def _read(text: str) -> list[str]:
    text = trimmed(_ADVERBS.sub("", text))
    text = re.sub(r"^是(?!不是|否)|(?<=^我)是(?=更?喜欢|爱|想|要|用)", "", text)
    if text in _MYSELF:
        return list(_MYSELF[text])
    if said := _ABOUT_SAID.match(text) or _TOPIC_SAID.match(text):
        return _shorter(_own(said["topic"]))
    if said := _SAID.match(text):
        text = text[said.end() :]
    if _ABOUT_ME.fullmatch(text):
        return [USER]
    if known := _EVERYTHING.fullmatch(text):
        text = known["about"].removeprefix("关于").removeprefix("有关")
        return _shorter(_own(text)) if text else [USER]
    text = re.sub("是不是", "", _IS_IT.sub("是", text))
    text = _YES_NO.sub(r"\g<word>", _YES_NO_LIKE.sub("喜欢", _WHETHER.sub("", text)))
    text = re.sub(r"有没有|有没", "有", text)
    phrases = _special(text) or _asked(text) or _plain(text)
    return [phrase for phrase in phrases if phrase != USER]


def _special(text: str) -> list[str]:
    """Read the questions whose statement has another order; [] for the rest."""
    if measured := _MEASURED.match(text):
        whose, noun = _own(measured["who"]), _MEASURES.get(measured["how"], "年龄")
        if "比" in whose:
            return [whose]
        return [f"{whose}的{noun}", noun if whose == USER else whose]
    if re.search("[和跟与]", text) and _COMPARED.search(text):
        return _shorter(_own(_COMPARED.sub("", text)))
    if job := _JOB.match(text):
        return [f"{_own(job['who'])}的工作", f"{_own(job['who'])}的职业"]
    if telling := _TELL_ME.match(text):
        return _shorter(_own(telling["what"]))
    if kinds := _BEING_EITHER.match(text):
        return [kinds["one"], kinds["other"]]
    if by_whom := _BY_WHOM.match(text):
        thing = _own(by_whom["thing"])
        return [f"{by_whom['done']}{thing}", thing]
    if by_one := _BY_ONE.match(text):
        return [by_one["done"]]
    if done := _DONE_WHEN.match(text):
        return _shorter(_own(done["thing"]))
    if given := _GIVEN_TO.match(text):
        return [_own(given["told"]), given["thing"]]
    if either := _EITHER.match(text):
        one, other = (_MORE.sub("", either[which]) for which in ("one", "other"))
        return [_own(_MORE.sub("", either["head"])), trimmed(one), trimmed(other)]
    if placed := _PLACED.match(text):
        told = _own(placed["told"])
        if moved := _MOVED_THING.match(told):
            return _shorter(moved["thing"])
        subject = re.sub(rf"(?:{_PLACED_VERB}|出生)$", "", told)
        place = told if told.endswith("于") else told + (placed["to"] or "在")
        return [place, place.removeprefix(USER) if subject == USER else subject]
    if origin := _FROM.match(text):
        return [_own(origin["told"])]
    if at_place := _AT_PLACE.match(text):
        return _at_place(_own(at_place["who"]), at_place["place"], at_place["did"])
    return []


def _at_place(who: str, place: str, did: str) -> list[str]:
    if WORK.fullmatch(did):
        return [f"{who}的{place}", place if len(place) > 1 or who == USER else who]
    # "(在哪家医院)做的手术"
    did = re.sub(r"^(.{1,2})的(?=.)", r"\1", did.rstrip("的了"))
    return [f"{who}{did}", did]


def _asked(text: str) -> list[str]:
    """Read a question for a noun (什么颜色, 哪款耳机): the noun stands last, as in a statement."""
    asked = _ASKED_NOUN.match(text)
    if not asked or _OF_WHAT_KIND.search(text):
        return []
    head, noun = _own(asked["head"]), trimmed(asked["noun"]).removeprefix("的")
    noun = re.sub(rf"^(?:{PLACES.pattern})的(?=.)", "", noun)  # "(哪家)公司的保险"
    if not head or not noun or re.match(r"[时地]", noun):
        return []
    if asked["be"] and not asked["of"]:
        # "(用户)是什么血型", but "(用户的班主任)是哪位老师"
        return _shorter(head) if "的" in head and head != f"{USER}的" else [f"{head}的{noun}", noun]
    head = re.sub(r"(?<=.)正?在(?=[\u4e00-\u9fff]{1,2}$)", "", head)
    if head.endswith("对") and (felt := _FELT.search(noun)):
        return [head.removesuffix("对") + felt[0], felt[0]]
    if head.endswith("对"):
        return [f"{head.removesuffix('对')}{noun}", noun]
    if head.endswith("在") and not head.endswith("住在"):
        return [f"{head.removesuffix('在')}的{noun}", noun]
    if noun in {"人", "人口"}:
        return [head]
    if head.endswith(INSTRUMENTAL) and (done := DONE.search(noun)) and not asked["of"]:
        with_it = next(verb for verb in INSTRUMENTAL if head.endswith(verb))
        told = noun[done.start() :]
        return [f"{head.removesuffix(with_it)}{told}", told, head]
    owner = _OWNING.sub("", head)
    if owner and owner != head:
        return [f"{owner}的{noun}", noun, head]
    return [f"{head.removesuffix('了')}的{noun}", head]


def _plain(text: str) -> list[str]:
    text = re.sub(
        rf"^(?:谁|(?:什么|{WHICH})(?:人|(?=是))|{WHICH}(?=[\u4e00-\u9fff]{{2}}))是?(?=.)", "", text
    )
    text = _OF_WHAT_KIND.sub("", text)
    text = _WHAT_IS.sub("", text) or text
    if len(text) > 4 or not text.startswith(("我", "你", "您")):
        text = _NAME_OF.sub("", text)
    text = re.sub(r"(?<=.)(?:要|该|应该)?怎么[做办弄]$", "", text)
    text = re.sub(r"(?<=.)是.+还是.+$", "", text)
    timeless = _WHERE_WHEN.sub("", text)
    text = text if timeless == text else _BACKED.sub("", timeless)
    text = re.sub(r"^[你您](?=[^的])(?:应该|该|要)?", "", text)
    if occasion := _OCCASION.match(text):
        return [*_shorter(_own(f"我的{occasion['what']}")), occasion["when"]]
    text = re.sub(r"(?<=.)我$", "", text) if re.match(r"[\d年月日号]+我$", text) else text
    text = re.sub(r"(?:是|的|有|都)$", "", text) or text
    return _shorter(_own(_POLITE_END.sub("", text) or text))


def _own(text: str) -> str:
    """Say 用户 where the question says 我; drop owners that no fact repeats."""
    text = _MY_THIS.sub("我的", text)
    text = _THIS.sub("", _MY_GROUP.sub("", trimmed(text))).replace("我家的", "我的")
    text = _MY_KIN.sub(f"{USER}的", _MY_HOME.sub(f"{USER}家", text))
    text = re.sub(r"我(?:自己)?", USER, text)
    text = re.sub(rf"^(?:这个|那个|这|那)(?!{USER})", "", text)
    return trimmed(text)


def _shorter(whole: str) -> list[str]:
    """The phrase, then shorter ones that a fact may hold where it lacks the whole."""
    if not whole or whole in _TOO_BARE:
        return []
    yours = re.match(r"^(?:你|您)的(?=.)", whole)
    if yours:
        bare = whole[yours.end() :]
        return [bare, f"{USER}的{bare}"]
    phrases = [whole]
    if verb := _LEADING_VERB.match(whole):
        thing = verb["thing"].removeprefix("的")
        if "的" not in verb["thing"]:
            return [whole, *([thing] if thing not in _TOO_BARE else [])]
    bare = whole.removeprefix(f"{USER}的") if whole.startswith(f"{USER}的") else ""
    bare = bare or (whole.removeprefix(USER) if whole.startswith(USER) else "")
    told = bare.removesuffix("了") if len(bare) == 2 else bare
    if bare and told not in _TOO_BARE and not bare.startswith(("和", "把", "在", "对", "跟", "是")):
        phrases.append(bare)
    head = _LEAD_ADJECTIVE.sub("", bare or whole)
    if head != (bare or whole) and "是" not in head:
        phrases.append(head)
    return phrases
