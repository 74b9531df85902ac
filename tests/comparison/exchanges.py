"""What is asked of both servers: everything that the plugin asks of mem9, and its refusals.

`{run}` in a text stands for a word that no other run has, `{name}` for an id that an earlier
answer gave. Each is one request; the order matters.
"""

from dataclasses import dataclass, field

from pydantic import JsonValue

MEMORIES = "/v1alpha2/mem9s/memories"
BOTH = "memory_type=insight,pinned"


@dataclass(frozen=True)
class Exchange:
    """One request. `keeps` names the id in its answer for later ones; `raw` replaces `body`.

    `until` is how many memories the answer has to count before it is taken (asked again for a
    while); only where there is a model, with `needs_model`.
    """

    name: str
    method: str
    path: str
    body: JsonValue = None
    raw: bytes | None = None
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    keeps: str | None = None
    until: int | None = None
    needs_model: bool = False


def get(name: str, query: str = "", **more: object) -> Exchange:
    """A list or a recall."""
    return Exchange(name, "GET", f"{MEMORIES}{'?' if query else ''}{query}", **more)  # type: ignore[arg-type]


def post(name: str, body: JsonValue = None, **more: object) -> Exchange:
    """A store."""
    return Exchange(name, "POST", MEMORIES, body, **more)  # type: ignore[arg-type]


def turn(*contents: str, **more: JsonValue) -> JsonValue:
    """Messages of a user."""
    messages: list[JsonValue] = [
        {"role": "user", "content": content, "seq": number}
        for number, content in enumerate(contents)
    ]
    return {"messages": messages, "agent_id": "{run}", "session_id": "s-{run}", **more}


OURS = "agent_id={run}"
STORES = (
    get("list of an agent that has nothing", OURS),
    post("turn, asynchronous", turn("I take tea with oat milk.", "My cat is Miso.")),
    get("list after a turn", f"{OURS}&limit=5", until=2, needs_model=True, keeps="fact"),
    post("turn, synchronous", turn("I moved to Bergen.", sync=True)),
    post("turn, a question alone", turn("Where do I live?", sync=True)),
    post("turn with a speaker inside", turn("Plan for Ann:\n\nNote: milk", sync=True)),
    post("turn, roles in capitals", {
        "messages": [{"role": "USER", "content": "I row boats."},
                     {"role": "assistant", "content": "Noted, boats."}],
        "agent_id": "{run}", "mode": "smart", "sync": True,
    }),
    post("turn without a role", {"messages": [{"content": "No role here"}], "agent_id": "{run}",
                                 "sync": True}),
    post("turn with injected memories", turn("New <relevant-memories>old</relevant-memories>thing.",
                                             sync=True)),
    post("turn with an open tag", turn("Kept whole <relevant-memories>cut", sync=True)),
    post("content, asynchronous", {"content": "Deploys happen on Tuesdays.", "agent_id": "{run}"}),
    post("content, synchronous, with tags", {"content": "We meet in hall B.", "tags": ["ops"],
                                             "agent_id": "{run}", "sync": True}),
    post("pinned", {"content": "Pinned {run}.", "memory_type": "pinned", "tags": ["a", "b"],
                    "metadata": {"n": 1, "deep": {"x": [None]}}}, keeps="pinned"),
    post("pinned, metadata null", {"content": "Null {run}.", "memory_type": "pinned",
                                   "metadata": None}),
    post("pinned with an agent in the body", {"content": "Body {run}.", "memory_type": "pinned",
                                              "agent_id": "{run}"}),
    get("list of everything of the agent", f"{OURS}&limit=200&state=all"),
)  # fmt: skip
READS = (
    get("list, first page of two", f"{OURS}&limit=2"),
    get("list, second page of two", f"{OURS}&limit=2&offset=2"),
    get("list, limit out of range", f"{OURS}&limit=999&offset=-3"),
    get("list, limit no number", f"{OURS}&limit=x&offset=y"),
    get("list, huge offset", f"{OURS}&offset=99999999999999999999"),
    get("list, one tag", f"{OURS}&tags=ops"),
    get("list, two tags", f"{OURS}&tags=ops,none"),
    get("list, session", f"{OURS}&session_id=s-{{run}}"),
    get("list, insights", f"{OURS}&memory_type=insight"),
    get("list, raw messages", f"{OURS}&memory_type=session"),
    get("list, type with a space", f"{OURS}&memory_type=%20insight"),
    get("list, two types", f"{OURS}&memory_type=insight,%20pinned"),
    get("list, state archived", f"{OURS}&state=archived"),
    get("list, broken escape", f"{OURS}&agent_id=%zz&limit=1"),
    get("recall, part of a text", f"{OURS}&q=oat%20milk"),
    get("recall, a question", f"{OURS}&q=What+milk+do+I+take%3F"),
    get("recall, two words apart", f"{OURS}&q=tea+milk"),
    get("recall, nothing like it", f"{OURS}&q=zebra+quantum"),
    get("recall, insights only", f"{OURS}&q=moved%20to%20Bergen&memory_type=insight"),
    get("recall, two types", f"{OURS}&q=oat%20milk&{BOTH}"),
    get("recall, two types, a question", f"{OURS}&q=What+milk+do+I+take%3F&{BOTH}"),
    get("recall, two types, two words", f"{OURS}&q=tea+milk&{BOTH}&limit=1"),
    get("recall, two types, offset", f"{OURS}&q=tea+milk&{BOTH}&limit=1&offset=1"),
    get("recall, raw messages", f"{OURS}&q=tea&memory_type=session"),
    get("recall, scanAll", f"{OURS}&q=oat%20milk&scanAll=true"),
    get("recall, other session", f"{OURS}&q=oat%20milk&session_id=other"),
    get("recall, long query", "q=" + "%E8%AE%B0" * 3_000 + f"&{OURS}"),
    Exchange("get", "GET", MEMORIES + "/{fact}", needs_model=True),
    Exchange("get pinned", "GET", MEMORIES + "/{pinned}"),
    Exchange("get unknown", "GET", MEMORIES + "/nothing"),
    Exchange("get with an encoded slash", "GET", MEMORIES + "/a%2Fb"),
    Exchange("get with a final slash", "GET", MEMORIES + "/"),
    Exchange("session messages", "GET",
             "/v1alpha2/mem9s/session-messages?session_id=s-{run}&limit_per_session=2"),
    Exchange("session messages, blank", "GET", "/v1alpha2/mem9s/session-messages"),
    Exchange("imports", "GET", "/v1alpha2/mem9s/imports"),
    Exchange("import unknown", "GET", "/v1alpha2/mem9s/imports/none"),
    Exchange("runtime state", "GET", "/v1alpha2/mem9s/runtime-state"),
    Exchange("status", "GET", "/v1alpha2/status"),
    Exchange("status of a stranger", "GET", "/v1alpha2/status", key="nobody"),
    Exchange("status without a key", "GET", "/v1alpha2/status", key=""),
    Exchange("health", "GET", "/healthz"),
)  # fmt: skip
BATCHES: tuple[tuple[str, JsonValue], ...] = (
    ("of none", {"ids": []}), ("of empty ids", {"ids": ["", ""]}),
    ("of blanks", {"ids": ["", " "]}), ("of strangers", {"ids": ["x", "y", "x"]}),
    ("of too many", {"ids": ["x"] * 1001}), ("of numbers", {"ids": [1]}),
)  # fmt: skip
CHANGES = (
    Exchange("put content", "PUT", MEMORIES + "/{pinned}", {"content": "Changed {run}."}),
    Exchange("put tags", "PUT", MEMORIES + "/{pinned}", {"tags": ["c"]}),
    Exchange("put metadata", "PUT", MEMORIES + "/{pinned}", {"metadata": {"m": 2}}),
    Exchange("put metadata null", "PUT", MEMORIES + "/{pinned}", {"metadata": None}),
    Exchange("put nothing", "PUT", MEMORIES + "/{pinned}", {}),
    Exchange("put, stale version", "PUT", MEMORIES + "/{pinned}", {"content": "Stale {run}."},
             headers={"If-Match": "1"}),
    Exchange("put, too long", "PUT", MEMORIES + "/{pinned}", {"content": "x" * 50_001}),
    Exchange("put, too many tags", "PUT", MEMORIES + "/{pinned}", {"tags": ["t"] * 21}),
    Exchange("put unknown, too long", "PUT", MEMORIES + "/nothing", {"content": "x" * 50_001}),
    Exchange("put, agent too long", "PUT", MEMORIES + "/{pinned}", {"content": "Long {run}."},
             headers={"X-Mnemo-Agent-Id": "a" * 101}),
    Exchange("get after the changes", "GET", MEMORIES + "/{pinned}"),
    Exchange("delete", "DELETE", MEMORIES + "/{pinned}"),
    Exchange("delete again", "DELETE", MEMORIES + "/{pinned}"),
    Exchange("get deleted", "GET", MEMORIES + "/{pinned}"),
    Exchange("delete unknown", "DELETE", MEMORIES + "/nothing"),
    *(Exchange(f"batch delete {what}", "POST", MEMORIES + "/batch-delete", body)
      for what, body in BATCHES),
)  # fmt: skip
BODIES: tuple[tuple[str, JsonValue], ...] = (
    ("nothing", {}), ("both", {"content": "a", "messages": [{"role": "user", "content": "b"}]}),
    ("blank", {"content": " "}), ("an array", []), ("a type", {"content": "a",
                                                          "memory_type": "insight"}),
    ("messages with a type", {"messages": [{"content": "a"}], "memory_type": "pinned"}),
    ("content with mode", {"content": "a", "mode": "raw"}),
    ("tags no list", {"content": "a", "tags": "x"}),
    ("messages no list", {"messages": "x"}), ("message no object", {"messages": ["x"]}),
    ("number too exact", {"messages": [{"role": "user", "content": "x", "seq": 1.5}]}),
    ("content no text", {"messages": [{"role": "user", "content": 1}]}),
    ("too long", {"content": "x" * 50_001, "sync": True}),
    ("pinned too long", {"content": "x" * 50_001, "memory_type": "pinned"}),
    ("pinned, too many tags", {"content": "x", "memory_type": "pinned", "tags": ["t"] * 21}),
    ("pinned, agent too long", {"content": "x", "memory_type": "pinned",
                                "agent_id": "a" * 101}),
    ("pinned with U+0000", {"content": "a\0b", "memory_type": "pinned"}),
    ("pinned, U+0000 in metadata", {"content": "a", "memory_type": "pinned",
                                    "metadata": {"k": "\0"}}),
    ("pinned, U+0000 in a tag", {"content": "a", "memory_type": "pinned", "tags": ["\0"]}),
)  # fmt: skip
REFUSALS = (
    *(post(f"store refused: {what}", body) for what, body in BODIES),
    *(post(f"body refused: {what}", raw=raw) for what, raw in (
        ("empty", b""), ("cut", b'{"content": "a'), ("no JSON", b"nonsense"),
        ("NaN", b'{"content": NaN}'), ("no key", b"{1: 2}"), ("no colon", b'{"content" "a"}'),
        ("no comma", b'{"content": "a" "tags": []}'))),
    *(get(f"key refused: {what}", key=key) for what, key in (
        ("none", ""), ("unknown", "nobody"), ("unknown chain", "chain_nobody"))),
    post("store with an unknown key", {"content": "a"}, key="nobody"),
    get("recall of U+0000", f"{OURS}&q=a%00"),
    get("recall of no UTF-8", f"{OURS}&q=%FF"),
    get("list of U+0000", "agent_id=%00"),
    Exchange("get U+0000", "GET", MEMORIES + "/%00"),
    Exchange("unknown route", "GET", "/v1alpha2/nothing"),
    Exchange("unknown route of a space", "GET", "/v1alpha2/mem9s/nothing"),
    Exchange("wrong method", "PATCH", MEMORIES),
    Exchange("wrong method on a memory", "POST", MEMORIES + "/x"),
    Exchange("new space", "POST", "/v1alpha1/mem9s"),
)  # fmt: skip
ALL = (*STORES, *READS, *CHANGES, *REFUSALS)
