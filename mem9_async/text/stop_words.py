"""Words that say nothing about what a memory is about: for matching and for suggested queries.

Latin words are casefolded and without accents; apostrophes are straight.
"""


def word_set(text: str) -> frozenset[str]:
    """The words of *text*, which blanks separate."""
    return frozenset(text.split())


#: Who the memory belongs to. Every fact is about the user, so these never tell facts apart.
SELF_WORDS = word_set("""
    i me my mine myself user users
    我 我的 咱 用户 用户的 本人 私 僕 俺 自分 ユーザー 나 내 저 제 나의 저의 사용자
""")

#: Function words, question words and politeness of English.
ENGLISH_STOP_WORDS = word_set("""
    a an the this that these those any some every all each there here it its
    you your yours we us our ours he him his she her hers they them their theirs
    am is are was were be been being do does did done doing have has had having
    can could will would shall should may might must s t d m ll re ve
    what which who whom whose when where why how many much often else
    and or but if so than then as at by for from in into of off on onto out over to up with
    about regarding concerning not no yes ok okay
    hi hello hey please thanks thank kindly tell know remember remind recall show give find search
    look say said told again just also too very really actually exactly currently now ever still
    thing things something anything everything information info let
    don didn doesn isn aren wasn weren haven hasn hadn won couldn wouldn shouldn
""")

#: Chinese words that are dropped wherever they stand, longest first when matched.
CHINESE_STOP_WORDS = word_set("""
    请问 你好 您好 你知道 知道 记得 还记得 告诉 告诉我 帮我 我想知道 麻烦 谢谢
    什么 什么时候 哪里 哪儿 哪个 哪些 哪天 哪 谁 几 几个 多少 怎么 怎样 怎么样 为什么 如何
    是不是 有没有 是 的 了 吗 呢 吧 啊 呀 嘛 么 在 和 与 或 也 都 就 还 很 把 被 对 从 到 给 这 那
    这个 那个 我们 你们 他们 她们 你 您 他 她 它 们 你的 您的 我们的 一下 关于 有 会 请 个
""")

#: Chinese words that contain a stop word as a part and must stay whole.
CHINESE_KEPT_WORDS = word_set("""
    目的地 目的 的士 的确 了解 在线 现在 存在 所在 是非 和平 和谐 和服 温和 首都 都市 成都 都江堰
    还款 归还 把握 被子 对象 对手 绝对 对话 反对 从业 到期 达到 迟到 会议 开会 社会 约会 机会 会员
    聚会 宴会 晚会 运动会 所有 有限 拥有 与会 参与 就业 就诊 成就 也门 他人 其他 吉他 几何 个人 个性
    请假 邀请 申请 个子 很久 呢子 吧台 酒吧 网吧 给予 供给 从前 那不勒斯 谁知
""")

#: Japanese and Korean function and question words.
JAPANESE_STOP_WORDS = word_set("""
    何 誰 です ですか でした ますか ました ください 教えて どこ どれ どの いつ なに なん だれ
    ありますか いますか こと もの
""")
KOREAN_STOP_WORDS = word_set("""
    무엇 뭐 뭐야 무슨 어디 언제 누구 어떤 어떻게 왜 몇 얼마 알려줘 알려주세요 기억해
    있어 있나요 인가요 이야 야 는 은 이 가 좀 혹시
""")

#: Words of preference: they count only in a query that has nothing more telling.
WEAK_WORDS = word_set("""
    favourite favorite prefer preferred prefers preference like likes love loves name names
    喜欢 最喜欢 爱 最爱 好 好き 좋아하는 좋아하 좋아해
""")

STOP_WORDS = ENGLISH_STOP_WORDS | CHINESE_STOP_WORDS | JAPANESE_STOP_WORDS | KOREAN_STOP_WORDS

#: What questions hold and facts do not: dropped from suggested queries alone.
ASKING_WORDS = word_set("""
    whats whos wheres whens hows called titled kind sort usually normally moment while again
    question want wondering wonder think 내가 제가 나는 저는
""")
PORTUGUESE_STOP_WORDS = word_set("""
    a o as os um uma uns umas de do da dos das em no na nos nas ao aos por para com sem sobre ou
    pelo pela pelos pelas que qual quais quem onde aonde quando como quanto quanta quantos quantas
    porque se eu me mim meu minha meus minhas voce tu te seu sua seus suas nosso nossa ele ela eles
    elas este essa esse e sou es somos sao era foi esta estao estou estava tem tenho temos ter ha
    nao sim ja chama chamo lembra sabe diga dizer disse favor ola oi obrigado obrigada vou usamos
""")
SPANISH_STOP_WORDS = word_set("""
    a al el la los las un una unos unas de del en por para con sin sobre y o u e lo le les se que
    cual cuales quien quienes donde adonde cuando como cuanto cuanta cuantos cuantas porque yo me
    mi mis mio tu te tus usted su sus nos nuestro nuestra ellos ellas este esta ese esa es son soy
    eres somos era fue estan estoy estaba hay ha he tengo tiene tienes no si ya llama llamo
    recuerdas sabes dime decir dijo favor hola gracias voy puedo usamos
""")
#: A verb follows these, and the name that follows one of `AUXILIARIES`.
SUBJECT_WORDS = word_set("i we you he she they eu yo me onde donde adonde aonde nao no")
AUXILIARIES = word_set("do does did is are was were has have had can could will would should")
#: Words that are suggested only where there is nothing better.
VAGUE_WORDS = WEAK_WORDS | word_set("nome nombre favorito favorita 名字 名前 使 time get use using")
