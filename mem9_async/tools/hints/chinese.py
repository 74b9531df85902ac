"""Chinese questions as the statements mem9 would keep: 我喜欢什么颜色 -> 用户喜欢的颜色."""

import re

from mem9_async.tools.hints.text import trimmed

USER = "用户"

_POLITE_START = re.compile(
    r"^(?:请问一下|请问|您好|你好|嗨|哈喽|早上好|下午好|晚上好|打扰一下|打扰了|不好意思|谢谢你?"
    r"|你还记不记得|你还记得|您还记得|还记得|你记不记得|你记得|记得"
    r"|你知不知道|你知道|您知道|知道|你能不能|能不能|可不可以|你能|您能|你可以|您可以|能否|可以|能"
    r"|请你|麻烦你|麻烦您|麻烦|请|帮我|帮忙|给我"
    r"|告诉我一下|告诉我|提醒我一下|提醒我|查一下|查查|查询一下|查询|查找|搜索一下|搜索|找一下|找找"
    r"|回忆一下|看一下|看看|说说|说一下"
    r"|我想知道|我想问一下|我想问|想知道|想问一下|想问|我忘了|我忘记了|我不记得"
    r"|关于|有关|那么|那|所以|对了|嘿|hi|hello|hey)(?=.)[\s，,、！!：:]*",
    re.IGNORECASE,
)
_POLITE_END = re.compile(
    r"[\s，,]*(?:谢谢你?|来着|呢|吗|嘛|吧|啊|呀|(?<![什怎那这多])么|好吗|可以吗|行吗|对吗|是吗|是吧|对吧|的吗|了没有?)$"
)
_EVERYTHING = re.compile(
    r"(?:你|您)?(?:还)?(?:知道|记得|了解)(?P<about>.*?)(?:的)?(?:什么|哪些(?:事|信息)?|多少)$"
)
_SAID = re.compile(
    r"^(?:我|我们|咱们|你)?(?:之前|上次|刚才|曾经)?(?:跟你|和你|对你|向你)?"
    r"(?:说过|提过|提到过|提到|讲过|聊过|告诉过你|讨论过|说了|提了)(?:什么|哪些)?(?:关于|有关)?"
)
_TOPIC_SAID = re.compile(
    r"^(?P<topic>.+?)[，,]?我们?(?:之前|上次|刚才)?(?:跟你|和你|对你)?(?:说过|提过|提到过|讲过|聊过|说了)"
    r"(?:些)?什么$"
)
_ABOUT_SAID = re.compile(
    r"^(?:我|我们|你)?(?:之前)?(?:对|关于|就)(?P<topic>.+?)(?:说过|提过|讲过|聊过|有)(?:些|了)?什么"
    r"(?:看法|意见|话)?$"
)

# Told time and manner that a fact has in another place, or not at all.
_ADVERBS = re.compile(
    r"(?:上次|最近一次|最近|一般|通常|平时|平常|现在|目前|到底|究竟|具体|曾经|刚才|一起)"
)
_TIMES = re.compile(
    r"(?:大前天|前天|昨天|今天|明天|后天|今晚|昨晚|[上这本下]周[一二三四五六日天末]?"
    r"|上个?星期|这个?星期|下个?星期|上个?月|这个月|本月|下个?月|去年|今年|明年|前年)"
)

_WHAT_IS = re.compile(
    r"(?:分别)?(?:都)?(?:是|在|为|叫做?|等于)?"
    r"(?:什么时候|什么时间|什么地方|什么样子?的?|什么名字|什么牌子|什么|哪一天|哪天|哪一个|哪[个部本首款种家座只张门所]|哪里|哪儿|哪些"
    r"|哪位|哪年|哪|谁的?|几月几[号日]|几[号日点岁]了?|星期几|周几|多少钱?|多大了?|多高|多重|多长|多久|怎么样|如何)$"
)
_NAME_OF = re.compile(r"(?<=.)的(?:名字|姓名)$")
_ASKED_NOUN = re.compile(
    r"^(?P<who>.*?)(?P<verb>最?喜欢|最?讨厌|最?爱|偏好|使用|用|有|养|开|穿|住|学|说|会说|会|吃|喝|看|听|玩|"
    r"买|去|订|选|读|预订|买了|订了|去过|看过|读过|养了|学过|用过|想要|需要|收到|送|对)(?:的)?"
    r"(?:是)?(?:(?:什么|哪种)(?:样|类型|种类|风格|品牌|牌子)的|什么|哪些|哪个|哪种|哪家|哪本|哪座|哪门|哪几个|几[个只条本辆套位门种台把]|多少[个只条本辆]?)"
    r"(?P<noun>.+)$"
)
_OWNING = frozenset({"用", "使用", "有", "养", "养了", "开", "穿"})
_YES_NO = re.compile(r"(?P<word>[\u4e00-\u9fff])不(?P=word)")
_YES_NO_LIKE = re.compile(r"喜不喜欢|喜欢不喜欢")
_WHETHER = re.compile(r"是否|有没有(?=.*[养过去买订])")
_WHERE_WHEN = re.compile(
    r"(?:是)?(?:什么时候|什么时间|几点钟?|哪一?天|哪一?年|几月几[号日]|几[号日]|在什么地方|在哪里|在哪儿|在哪"
    r"|[跟和给向找替]谁|为什么|怎么样|(?:应该|该|要)?怎么|怎样|如何|对什么|用什么|多久|多少次|几次)"
)
_PLACED = re.compile(
    r"^(?P<told>.*?(?:住|位于|出生|放|停|存|搬))(?P<to>在|到|于)?"
    r"(?:哪里|哪儿|哪个城市|哪|什么地方|哪个地方)(?:了|的)?$"
)
_MOVED_THING = re.compile(rf"^(?:{USER})?把(?P<thing>.+?)(?:放|停|存|搬)$")
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
    "我是做什么的": (f"{USER}的工作", f"{USER}的职业"),
    "我是做什么工作的": (f"{USER}的工作", f"{USER}的职业"),
    "我做什么工作": (f"{USER}的工作", f"{USER}的职业"),
    "我什么": (USER,),
    "我的什么": (USER,),
}
_WORKS_AT = re.compile(
    r"^(?P<who>.+?)在(?:哪家|哪个|哪所|什么)(?P<place>公司|学校|部门|团队|大学|单位|城市)(?P<verb>.*)$"
)
_OF_WHAT_KIND = re.compile(r"(?<=.)是什么(?P<kind>[\u4e00-\u9fff]{1,3})的$")
_NAME = re.compile(
    r"[\ue000-\uf8ff]|[A-ZÀ-Þ][A-Za-zÀ-ɏ0-9.+#-]*(?: [A-ZÀ-Þ0-9][A-Za-zÀ-ɏ0-9.+#-]*)*"
)
_MY_GROUP = re.compile(r"(?:我们|咱们|咱)的?")
_KIN = (
    "妈妈|妈|母亲|爸爸|爸|父亲|爸妈|父母|老婆|老公|妻子|丈夫|女儿|儿子|孩子|哥哥|姐姐|弟弟|妹妹|家人|家"
    "|女朋友|男朋友|朋友|同事|老板|经理|公司|团队|奶奶|爷爷|外婆|外公|狗|猫|宠物|车|生日|电话|邮箱"
)
_MY_KIN = re.compile(rf"我(?:家)?的?(?={_KIN})")
_LEADING_VERB = re.compile(
    rf"^{USER}(?P<verb>最?喜欢|讨厌|养了?|用|有|去[过了]?|买了?|吃|喝|学过?|想要?|需要|住在|打算)(?P<thing>.+)$"
)
_TOO_BARE = frozenset("了吃喝看听玩学做用买去空")
_LEAD_ADJECTIVE = re.compile(r"^(?:最喜欢的|最爱的|喜欢的|常用的|首选的|新的?)(?=.{2,})")


def chinese_phrases(question: str) -> list[str]:
    """Statements for one question, best first, perhaps with repetitions; [] when nothing is left.

    A relative time (昨天) comes only in the last, for the reason given at `english_phrases`.
    """
    text = _without_politeness(question)
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
    text = re.sub(r"^是(?!不是|否)", "", text)
    if text in _MYSELF:
        return list(_MYSELF[text])
    if said := _ABOUT_SAID.match(text) or _TOPIC_SAID.match(text):
        return _shorter(_own(said["topic"]))
    if measured := _MEASURED.match(text):
        whose, noun = _own(measured["who"]), _MEASURES.get(measured["how"], "年龄")
        return [f"{whose}的{noun}", noun if whose == USER else whose]
    if at_work := _WORKS_AT.match(text):
        return [f"{_own(at_work['who'])}的{at_work['place']}", at_work["place"]]
    if said := _SAID.match(text):
        text = text[said.end() :]
    if known := _EVERYTHING.fullmatch(text):
        text = known["about"].removeprefix("关于").removeprefix("有关")
        return _shorter(_own(text)) if text else [USER]
    text = _YES_NO.sub(r"\g<word>", _YES_NO_LIKE.sub("喜欢", _WHETHER.sub("", text)))
    text = re.sub(r"有没有|有没", "有", text)
    if placed := _PLACED.match(text):
        told = _own(placed["told"])
        if moved := _MOVED_THING.match(told):
            return _shorter(moved["thing"])
        subject = re.sub(r"(?:住|位于|出生|放|停|存|搬)$", "", told)
        place = told if told.endswith("于") else told + (placed["to"] or "在")
        return [place, place.removeprefix(USER) if subject == USER else subject]
    if asked := _ASKED_NOUN.match(text):
        return _asked_noun(_own(asked["who"]), asked["verb"], trimmed(asked["noun"]))
    text = re.sub(r"^(?:谁|(?:什么|哪个|哪位|哪些)(?=是))是?(?=.)", "", text)
    text = _OF_WHAT_KIND.sub("", text)
    text = _WHAT_IS.sub("", text) or text
    if len(text) > 4 or not text.startswith(("我", "你", "您")):
        text = _NAME_OF.sub("", text)
    text = re.sub(r"(?<=.)(?:要|该|应该)?怎么[做办弄]$", "", text)
    text = re.sub(r"(?<=.)是.+还是.+$", "", text)
    text = _WHERE_WHEN.sub("", text)
    text = re.sub(r"(?:是|的|有|都)$", "", text) or text
    return _shorter(_own(_POLITE_END.sub("", text) or text))


def _asked_noun(who: str, verb: str, noun: str) -> list[str]:
    """What somebody likes, uses, has: the asked noun stands last, as in a statement."""
    who = who.removesuffix("在").removesuffix("正")
    if verb == "对":
        return [f"{who}{noun}", noun]
    if verb in _OWNING and who:
        return [f"{who}的{noun}", noun, f"{who}{verb}"]
    return [f"{who}{verb.removesuffix('了')}的{noun}", f"{who}{verb}"]


def _own(text: str) -> str:
    """Say 用户 where the question says 我; drop owners that no fact repeats."""
    text = _MY_GROUP.sub("", trimmed(text))
    text = _MY_KIN.sub(f"{USER}的", text)
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
    if bare and not bare.startswith(("和", "把", "在", "对", "跟", "是")):
        phrases.append(bare)
    head = _LEAD_ADJECTIVE.sub("", bare or whole)
    if head != (bare or whole) and "是" not in head:
        phrases.append(head)
    return phrases
