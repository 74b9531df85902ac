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
    are you aware that
    are you aware of
    have you got any idea
    is it true that
    is it true
    is it correct that
    is it right that
    am i right that
    sorry to bother you
    to bother you
    sorry for bothering you
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
CALLED = word_set("called named")
RELATIVE_WORDS = word_set("that which who whom whose where when why")
INDEFINITE = word_set("anyone anybody someone somebody everyone everybody")
#: Adjectives that end a question as participles do ("when is the rent due").
STATES = word_set("due open available ready free valid over done down online offline")
#: Said between a subject and what it is; a fact seldom has it.
STATE_ADVERBS = word_set("still ever already currently really actually always often")
NUMBERS = word_set("one two three four five six seven eight nine ten eleven twelve a an")
NEVER = frozenset({"never"})
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

#: Titles and the like, which a name or a number follows: their full stop ends no sentence.
ABBREVIATIONS = word_set(
    "mr mrs ms messrs dr prof st sr jr rev hon capt col gen lt sgt sen rep gov pres dept univ "
    "ave blvd rd mt ft no nos vol art sec fig tel ext approx vs eg ie jan feb mar apr jun "
    "jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun"
)
#: Words of their own when they are not capitalised.
AMBIGUOUS_ABBREVIATIONS = word_set("sun sat mar mon wed art fig no sec gen rep col sen dec")
#: These may end a sentence too: they do where a question follows.
CLOSING_ABBREVIATIONS = word_set("etc corp inc ltd co llc plc gmbh bros assoc intl mfg")

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
    admit:admitted bend:bent bleed:bled blow:blew breed:bred catch:caught commit:committed
    dig:dug feed:fed forbid:forbade freeze:froze hang:hung occur:occurred overcome:overcame
    refer:referred seek:sought shake:shook sink:sank stand:stood steal:stole stick:stuck
    submit:submitted sweep:swept swing:swung tear:tore throw:threw understand:understood
    withdraw:withdrew
    """)
#: Nouns as often as verbs: read as verbs only where nothing but a verb can stand.
ALSO_NOUNS_PAST = _pairs("""
    bet:bet bite:bit burst:burst cast:cast deal:dealt fight:fought hit:hit hurt:hurt lay:laid
    permit:permitted quit:quit ring:rang rise:rose shoot:shot shut:shut slide:slid split:split
    spread:spread transfer:transferred upset:upset format:formatted program:programmed
    enrol:enrolled
    """)
PARTICIPLES = _pairs("""
    been:be become:become begun:begin broken:break chosen:choose come:come done:do drawn:draw
    drunk:drink driven:drive eaten:eat fallen:fall flown:fly forgotten:forget gotten:get given:give
    gone:go grown:grow hidden:hide known:know ridden:ride run:run seen:see shown:show sung:sing
    spoken:speak swum:swim taken:take woken:wake worn:wear written:write blown:blow forbidden:forbid
    frozen:freeze shaken:shake sunk:sink stolen:steal torn:tear thrown:throw withdrawn:withdraw
    overcome:overcome
    """)
VERBS = frozenset(IRREGULAR_PAST) | word_set("""
    accept achieve add adopt agree allow apologise apologize apply approve arrange arrive ask
    assign attend avoid bake believe belong book borrow call cancel celebrate change check
    clean close collect complain complete confirm connect contain cook create cross cycle dance
    decide deliver depend deploy deserve die disagree discuss dislike divorce donate download
    earn email emigrate enable end enjoy enroll expect expire explain finish fix follow
    graduate happen hate help hike hire host identify ignore implement improve include inherit
    inspect install integrate introduce invent invest invite join laugh launch like listen live
    look love maintain manage marry memorise memorize mention migrate miss move name need
    notify obtain occupy offer open oppose order own park pass play postpone pour practise
    prefer prepare promise promote propose publish reach receive recommend reduce refuse
    register reject release relocate remember remove rename renew renovate rent repair replace
    reply report request require reserve resign retire return review save schedule serve settle
    share sign smoke speak start stay store study subscribe succeed suggest supervise support
    translate travel try turn update upgrade use visit vote wait walk want wash watch weigh
    work
""")
#: What was said matters, not that it was said: the topic alone is looked for.
SPEAKING = word_set(
    "say tell mention discuss ask think know remember share recommend suggest promise explain "
    "write speak talk decide agree"
)
#: What the assistant does with a fact, where the user asks it for one.
STORING = word_set("save store note record keep memorise memorize") | SPEAKING
#: These have a person beside their object.
GIVING = word_set("owe give send show lend pay teach bring buy offer")
#: "Take place": nothing that anybody would look for.
EMPTY_OBJECTS = word_set("place part care sense time")
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
