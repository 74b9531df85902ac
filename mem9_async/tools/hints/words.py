"""The words by which questions are read. English entries are lower case."""

from mem9_async.runtime.stop_words import word_set


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """One phrase a line; longest first, so that the longest that fits is taken."""
    phrases = [tuple(line.split()) for line in text.strip().splitlines()]
    return tuple(sorted(phrases, key=len, reverse=True))


def _pairs(text: str) -> dict[str, str]:
    """Read `key:value` words."""
    return dict(pair.split(":") for pair in text.split())


# English: what stands before and after a question without being part of it. Contractions are
# opened before these are compared.
PREFIXES = _phrases("""
    hi
    hi there
    hello
    hello there
    hey
    hey there
    good morning
    good afternoon
    good evening
    dear assistant
    please
    pls
    kindly
    sorry
    excuse me
    ok
    okay
    so
    well
    and
    but
    also
    just
    quick question
    one question
    by the way
    thanks
    thank you
    could you
    could you please
    can you
    can you please
    would you
    would you please
    will you
    would you mind
    telling me
    tell me
    tell me about
    tell me again
    remind me
    remind me again
    remind me of
    remind me about
    let me know
    show me
    give me
    find me
    find out
    help me
    help me find
    help me remember
    look up
    search for
    search memory for
    search my memory for
    search your memory for
    search the memory for
    check your memory for
    check if
    check whether
    find
    find memories about
    memories about
    recall
    retrieve
    i would like to know
    i want to know
    i need to know
    i was wondering
    i am wondering
    i wonder
    i forgot
    i forget
    i have forgotten
    i can not remember
    i do not remember
    i do not recall
    i would like to hear
    i would love to know
    i cannot remember
    do you know
    do you know about
    do you happen to know
    do you remember
    do you still remember
    do you still know
    do you recall
    you know
    you remember
    you still remember
    you still know
    you recall
    do you have any idea
    do you have any information about
    do you have any information on
    do you have any notes on
    do you have any notes about
    do you know anything about
    do you remember anything about
    did you know
    is there anything about
    is there any information about
    is there any information on
    are you able to tell me
    would it be possible to tell me
    any idea
    any information about
    any information on
    any news about
    information about
    everything about
    everything you know about
    all you know about
    what do you know about
    what do you remember about
    what else do you know about
    what can you tell me about
    what have you got on
    what do you have on
    what information do you have about
    what information do you have on
    if
    whether
    about
    for me
""")

SUFFIXES = _phrases("""
    please
    pls
    thanks
    thank you
    thanks a lot
    again
    now
    right now
    currently
    at the moment
    these days
    exactly
    by the way
    btw
    actually
    do you know
    do you remember
    you know
    if you remember
    if you know
    if you still remember
    for me
    before
    already
    yet
    or not
    right
    is it
    is that right
    anymore
    though
    then
""")

QUESTION_WORDS = word_set("what which who whom whose when where why how")
BE = word_set("am is are was were")
DO = word_set("do does did")
HAVE = word_set("have has had")
MODALS = word_set("can could will would shall should may might must")
AUXILIARIES = BE | DO | HAVE | MODALS
USER_PRONOUNS = frozenset({"i", "me", "myself", "you", "user"})
OTHER_PRONOUNS = word_set("we us he him she her they them it one")
ARTICLES = word_set("a an the any some this that these those")
#: Whose it is cannot be said in a stored fact, so the word is dropped.
DROPPED_OWNERS = word_set("your our his her their its")
PREPOSITIONS = word_set(
    "about after at before between by during for from in into near of off on onto over per since "
    "till to under until with without"
)
#: Said before a verb; a stored fact seldom has it in the same place.
ADVERBS = word_set(
    "actually already always currently ever exactly generally just last normally now often really "
    "recently still typically usually"
)
#: After "how": they name what is asked, not what the fact is about.
DEGREES = word_set("many much often long far soon well come exactly else late early")
MEASURES = {
    "old": "age", "tall": "height", "heavy": "weight", "big": "size", "large": "size",
    "wide": "width", "deep": "depth", "fast": "speed", "expensive": "price",
}  # fmt: skip
TIME_NOUNS = word_set("time day date year month hour weekday")
#: Two of these before a noun say more than the noun alone needs.
LEAD_ADJECTIVES = word_set(
    "favourite favorite preferred current new next last latest main own usual default first"
)
RELATIVE_TIMES = _phrases("""
    yesterday
    today
    tomorrow
    tonight
    last night
    last week
    last month
    last year
    last weekend
    last summer
    last winter
    this morning
    this afternoon
    this evening
    this week
    this month
    this year
    this weekend
    next week
    next month
    next year
    next weekend
    the day before yesterday
    the day after tomorrow
""")

# Verbs. A verb that is missing here is still read after a pronoun.
IRREGULAR_PAST = _pairs("""
    be:was become:became begin:began break:broke bring:brought build:built buy:bought
    choose:chose come:came cost:cost cut:cut do:did draw:drew drink:drank drive:drove eat:ate
    fall:fell feel:felt find:found fly:flew forget:forgot get:got give:gave go:went grow:grew
    have:had hear:heard hide:hid hold:held keep:kept know:knew lead:led learn:learned leave:left
    lend:lent let:let lose:lost make:made mean:meant meet:met pay:paid put:put read:read ride:rode
    run:ran say:said see:saw sell:sold send:sent set:set show:showed sing:sang sit:sat sleep:slept
    speak:spoke spend:spent stop:stopped swim:swam take:took teach:taught tell:told think:thought
    wake:woke wear:wore win:won write:wrote plan:planned prefer:preferred ship:shipped
    """)
PARTICIPLES = _pairs("""
    been:be become:become begun:begin broken:break chosen:choose come:come done:do drawn:draw
    drunk:drink driven:drive eaten:eat fallen:fall flown:fly forgotten:forget gotten:get given:give
    gone:go grown:grow hidden:hide known:know ridden:ride run:run seen:see shown:show sung:sing
    spoken:speak swum:swim taken:take woken:wake worn:wear written:write
    """)
VERBS = frozenset(IRREGULAR_PAST) | word_set("""
    accept add agree allow approve arrive ask assign attend avoid believe belong book call
    cancel change check close collect complain complete confirm connect contain cook create
    cycle dance decide deliver depend deploy die discuss dislike email end enjoy expect expire
    explain finish fix follow happen hate help hire host implement include install invite join
    laugh launch like listen live look love manage marry mention miss move name need offer open
    order own park pass play practise prefer prepare promise propose publish receive recommend
    refuse register reject release remember rent repair replace reply report request require
    reserve resign retire return review schedule share sign smoke speak start stay store study
    subscribe suggest support travel try turn update upgrade use visit vote wait walk want watch
    weigh work
""")
#: What was said matters, not that it was said: the topic alone is looked for.
SPEAKING = word_set(
    "say tell mention discuss ask think know remember share recommend suggest promise explain "
    "write speak talk decide agree"
)
OWNING = word_set("use drive own wear keep get take")
#: The word with which a stored fact goes on where the question asked "where".
PLACE_PREPOSITIONS = {
    "live": "in", "work": "at", "study": "at", "stay": "at", "move": "to", "go": "to",
    "travel": "to", "fly": "to", "grow up": "in", "meet": "at", "park": "in", "born": "in",
}  # fmt: skip
IMPERATIVES = word_set(
    "recommend suggest find search show give list get fetch check recall remember describe "
    "explain summarise summarize tell"
)
