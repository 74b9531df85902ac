"""Every kind of answer and error of every tool, as a call and what the backend says to it.

`python -m tests.tools.scenarios` writes the golden files anew, to be read before they are kept.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mem9_async.models.agent_memory import Prepared
from mem9_async.models.errors import (
    NotFound,
    PartlyDeleted,
    QueueFull,
    RequestFailed,
    RuntimeUnavailable,
    VersionConflict,
)
from mem9_async.models.job import (
    JobReport,
    JobState,
    LaneReport,
    PendingWrite,
    QueueReport,
)
from mem9_async.models.memory import ChainSource, Memory, MemoryPage, SearchResult
from mem9_async.models.outcome import Action, Confirmation, ErrorType, Outcome, QuotaDenial, Trouble
from mem9_async.tools import handlers, invocation
from mem9_async.tools.answers.agent_memory import ObserveAnswer, PrepareAnswer
from mem9_async.tools.answers.base import Answer
from mem9_async.tools.answers.memories import DeleteAnswer, GetAnswer, ListAnswer, UpdateAnswer
from mem9_async.tools.answers.queue import QueueAnswer
from mem9_async.tools.answers.search import SearchAnswer
from mem9_async.tools.answers.store import StoreAnswer

from .fakes import FakeBackend, FakeTool, receipt

GOLDEN = Path(__file__).parent / "golden"
TOOLS: dict[str, tuple[Callable[..., Answer], type[Answer]]] = {
    "memory_store": (handlers.store, StoreAnswer),
    "memory_search": (handlers.search, SearchAnswer),
    "memory_list": (handlers.list_memories, ListAnswer),
    "memory_get": (handlers.get, GetAnswer),
    "memory_update": (handlers.update, UpdateAnswer),
    "memory_delete": (handlers.delete, DeleteAnswer),
    "memory_queue": (handlers.queue, QueueAnswer),
    "memory_prepare": (handlers.prepare, PrepareAnswer),
    "memory_observe": (handlers.observe, ObserveAnswer),
}
URL = "https://console.mem9.example/claim?key=example"


def denial(meter: str, status: int = 402, retry_after_s: int | None = None) -> Outcome:
    """Return a denial by *meter* with a link."""
    return Outcome(
        error_type=ErrorType.QUOTA_EXHAUSTED if retry_after_s is None else ErrorType.RATE_LIMITED,
        http_status=status,
        denial=QuotaDenial(
            message="Included quota is exhausted.",
            user_message=f"Tell the user that memory is out of quota: {URL}",
            meter=meter,
            retry_after_s=retry_after_s,
            action=Action(type="openUrl", provider_action_code="claimApiKey", url=URL),
        ),
    )


REFUSED_KEY = Outcome(
    error_type=ErrorType.AUTH, http_status=400, detail='{"error": "invalid API key"}'
)
SERVER_ERROR = Outcome(
    error_type=ErrorType.SERVER_ERROR,
    http_status=500,
    maybe_sent=True,
    detail='{"error": "internal server error"}',
)
RATE_LIMITED = Outcome(
    error_type=ErrorType.RATE_LIMITED,
    http_status=429,
    retry_after_s=5.0,
    detail='{"error": "rate limit exceeded"}',
)
UNREACHABLE = Outcome(
    error_type=ErrorType.CONNECTION_REFUSED, error="Nothing listens at mem9's address."
)
SLOW = Outcome(error_type=ErrorType.READ_TIMEOUT, error="mem9 did not answer in time.")
UNREADABLE = Outcome(
    error_type=ErrorType.INVALID_RESPONSE, http_status=200, error="mem9 answered in another form."
)
REJECTED = Outcome(
    error_type=ErrorType.REJECTED,
    http_status=400,
    error_code="content_too_long",
    detail='{"error": "content: too long (max 50000)"}',
)
NOT_KEPT: dict[str, Any] = {"durability": "none", "durability_reason": "serverless"}
TOO_LARGE = Outcome(
    error_type=ErrorType.INVALID_RESPONSE,
    http_status=200,
    error="mem9's answer is too large to be taken in: ask for fewer memories at a time.",
    error_code="answer_too_large",
)
ELSEWHERE = Outcome(
    error_type=ErrorType.NOT_FOUND,
    http_status=404,
    error_code="route_not_found",
    detail="404 page not found",
)
FULL = Memory(
    id="m1",
    content="User prefers Python",
    memory_type="insight",
    tags=("lang",),
    confidence=91,
    score=0.6,
    relative_age="3 days ago",
    created_at="2026-11-01T00:00:00Z",
    updated_at="2026-11-02T00:00:00Z",
    state="active",
    version=2,
    agent_id="dify",
    session_id="conv-1",
    source="dify",
    metadata={"a": [1, None]},
)
BARE = Memory(content="User has a dog")
WEAK = Memory(id="m2", content="User has a dog", confidence=66, score=0.05)
RANKED = Memory(id="m3", content="User rides a bicycle", score=0.0328)  # of no scale: never weak
CHAINED = FULL.model_copy(update={"chain_source": ChainSource(node_position=2)})
ON_ITS_WAY = PendingWrite(
    job_id="01JOB", content="User prefers Python", state=JobState.IN_FLIGHT, age_s=1.25
)
HELD = ON_ITS_WAY.model_copy(update={"state": JobState.PARKED})
STORE: dict[str, object] = {"content": "User prefers Python", "session_id": "conv-1"}
SEARCH: dict[str, object] = {"query": "preferred language"}
CONTEXT: dict[str, object] = {"app_id": "app-1", "subject_kind": "user", "subject_id": "user-1"}
PREPARE: dict[str, object] = {
    "memory_context": CONTEXT,
    "request": {"query": "Which language?", "max_bytes": 8_000},
}
EVENT: dict[str, object] = {
    "event_id": "run-1:1",
    "event": "user_prompt",
    "sequence": 1,
    "payload": {"text": "I prefer Python"},
    "metadata": {"run_id": "run-1"},
    "max_bytes": 8_192,
}
CALLED: dict[str, object] = {
    **EVENT,
    "event": "tool_call",
    "payload": {"tool": "clock", "arguments": {}},
}
OBSERVE: dict[str, object] = {"memory_context": CONTEXT, "request": EVENT}


@dataclass(frozen=True)
class Scenario:
    """One call of *tool*; the backend is changed by *backend* or fails with *error*."""

    tool: str
    name: str
    parameters: dict[str, object] = field(default_factory=dict)
    backend: dict[str, object] = field(default_factory=dict)
    error: Exception | None = None
    credentials: dict[str, object] = field(default_factory=dict)

    def run(self) -> FakeTool:
        """Make the call and return the tool with what it sent."""
        tool = FakeTool()
        tool.runtime.credentials.update(self.credentials)
        backend = FakeBackend()
        for name, value in self.backend.items():
            setattr(backend, name, value)
        backend.error = self.error
        work, shape = TOOLS[self.tool]
        invocation.reply(tool, self.parameters, work, shape, lambda: backend)
        return tool


def _store(name: str, *, parameters: dict[str, object] = STORE, **changes: object) -> Scenario:
    return Scenario("memory_store", name, parameters, {"receipt": receipt(**changes)})


def _waited(name: str, outcome: Outcome, **changes: object) -> Scenario:
    parameters = {**STORE, "wait": True}
    return _store(name, parameters=parameters, outcome=outcome, **changes)


def _search(name: str, *memories: Memory, **changes: object) -> Scenario:
    result = SearchResult(
        effective_query="preferred language",
        memories=memories,
        available=len(memories),
        elapsed_s=0.012,
    ).model_copy(update=changes)
    return Scenario("memory_search", name, SEARCH, {"result": result})


def _in_session(name: str, *memories: Memory) -> Scenario:
    found = _search(name, *memories)
    return replace(found, parameters={**SEARCH, "session_id": "conv-1"})


def _prepare(name: str, **known: Any) -> Scenario:
    return Scenario("memory_prepare", name, PREPARE, {"prepared": Prepared(**known)})


def _failures(tool: str, parameters: dict[str, object], meter: str) -> list[Scenario]:
    outcomes = {
        "denied": denial(meter),
        "denied for now": denial(meter, status=429, retry_after_s=7),
        "denied for now with 402": denial(meter, retry_after_s=23),
        "refused key": REFUSED_KEY,
        "server error": SERVER_ERROR,
        "rate limited": RATE_LIMITED,
        "unreachable": UNREACHABLE,
        "timeout": SLOW,
        "not mem9": UNREADABLE,
        "wrong address": ELSEWHERE,
        "too large": TOO_LARGE,
    }
    failed: list[Scenario] = [
        Scenario(tool, name, parameters, error=RequestFailed(outcome))
        for name, outcome in outcomes.items()
    ]
    return [*failed, *_local_failures(tool, parameters)]


def _local_failures(tool: str, parameters: dict[str, object]) -> list[Scenario]:
    return [
        Scenario(tool, "loop unavailable", parameters, error=RuntimeUnavailable("No answer.")),
        Scenario(tool, "own fault", parameters, error=ValueError("never shown")),
        Scenario(tool, "no key", parameters, credentials={"mem9_api_key": ""}),
        Scenario(tool, "no key on the node", parameters, credentials={"auth_mode": "multi_space"}),
        Scenario(tool, "bad address", parameters, credentials={"mem9_base_url": "mem9.example"}),
    ]


def _trouble(outcome: Outcome, **changes: object) -> Trouble:
    plain = Trouble(state="parked", reason="quota_exhausted", outcome=outcome, held=4)
    return plain.model_copy(update=changes)


HELD_UP = QueueReport(
    health="degraded",
    health_reason="the disk is full",
    durability="none",
    durability_reason="the disk is full",
    counts={JobState.PARKED: 4, JobState.DEAD: 1},
    delivered=7,
    redelivered=1,
    depth=4,
    oldest_age_s=12.5,
    parked_reason="quota_exhausted",
    parked_for_s=900.0,
    lanes=(
        LaneReport(lane="0a1b2c3d", session_id="conv-1", depth=4, oldest_age_s=12.5),
        LaneReport(lane="4e5f6071", session_id=None, depth=0, oldest_age_s=None),
    ),
    last_errors=(
        JobReport(
            job_id="01OLD",
            state=JobState.DEAD,
            age_s=60.0,
            attempts=3,
            error_type="rejected",
            error="content: too long",
        ),
    ),
    trouble=_trouble(denial("memory_write_requests")),
    job=JobReport(job_id="01JOB", state="delivered"),
    affected=1,
)
SCENARIOS = [
    _store("accepted"),
    _store("accepted without a session", parameters={"content": "User prefers Python"}),
    _store("taken once", deduplicated=True),
    _store("notice", notice="mem9 recall has used 80% of included quota."),
    _store("pinned in a session", parameters={**STORE, "pinned": True, "tags": "a"}),
    _store("memory only", durability="none", durability_reason="the disk is full"),
    _store("weaker", durability_reason="another process holds the directory"),
    _store("earlier job denied", trouble=_trouble(denial("memory_write_requests"))),
    _store(
        "earlier job failed",
        trouble=_trouble(SERVER_ERROR, state="retrying", reason="server_error", retry_in_s=2.5),
    ),
    _store(
        "earlier job unreachable",
        trouble=_trouble(UNREACHABLE, state="retrying", reason="connection_refused"),
    ),
    _store(
        "earlier job refused",
        trouble=_trouble(
            Outcome(error_type=ErrorType.REJECTED, http_status=400, detail="content: too long"),
            state="dead",
            reason="rejected",
            held=0,
            dead=1,
        ),
    ),
    Scenario(
        "memory_store",
        "earlier job failed, callers kept apart",
        STORE,
        {"receipt": receipt(trouble=_trouble(SERVER_ERROR, state="retrying"))},
        credentials={"isolation": "per_user"},
    ),
    _waited("waited, taken", Outcome(confirmation=Confirmation.ACCEPTED, http_status=202)),
    _waited(
        "waited, confirmed",
        Outcome(confirmation=Confirmation.INGESTED, http_status=201, memory_id="m9"),
    ),
    _waited(
        "waited, denied",
        denial("memory_write_requests"),
        trouble=_trouble(denial("memory_write_requests"), held=1),
    ),
    _waited("waited, failed", SERVER_ERROR),
    _waited("waited, unreachable", UNREACHABLE),
    _waited("waited, wrong address", ELSEWHERE),
    _waited(
        "waited, set aside",
        REJECTED,
        dead=True,
        trouble=_trouble(REJECTED, state="dead", reason="rejected", held=0, dead=1),
    ),
    _waited(
        "waited, set aside after another's retry",
        REJECTED,
        dead=True,
        trouble=_trouble(SERVER_ERROR, state="retrying", reason="server_error"),
    ),
    _waited("nothing kept, refused", REJECTED, kept=False, **NOT_KEPT),
    _waited("nothing kept, unreachable", UNREACHABLE, kept=False, **NOT_KEPT),
    _waited("nothing kept, unsure", SERVER_ERROR, kept=False, **NOT_KEPT),
    _store("nothing kept, waited out", waited_out=True, kept=False, **NOT_KEPT),
    Scenario(
        "memory_store",
        "waited out",
        {**STORE, "wait": True},
        {"receipt": receipt(waited_out=True)},
    ),
    Scenario(
        "memory_store",
        "queue full",
        STORE,
        error=QueueFull(
            "The queue is full.", depth=100_000, capacity=100_000, oldest_age_s=60.0, after_s=5.0
        ),
    ),
    Scenario("memory_store", "no content"),
    Scenario("memory_store", "too large", {"content": "a" * 50_000}),
    Scenario("memory_store", "long session", {**STORE, "session_id": "s" * 101}),
    Scenario("memory_store", "tags without pinned", {**STORE, "tags": "a"}),
    *_local_failures("memory_store", STORE),
    _search("found", FULL, BARE),
    _search("found with a notice", FULL, notice="mem9 recall has used 80% of included quota."),
    _search("nothing matched"),
    _search("nothing matched, sent again", attempts=2),
    _search(
        "nothing matched in other words",
        attempts=2,
        effective_query="language",
        second="reworded",
    ),
    _search(
        "weak matches in other words",
        WEAK,
        attempts=2,
        effective_query="language",
        second="reworded",
    ),
    _search("found past the cut-off", RANKED, attempts=2, second="widened"),
    _search("nothing past the cut-off either", attempts=2, second="widened"),
    _search("found in a chain", CHAINED),
    _search("ranks are no weak matches", RANKED),
    _in_session("of the session alone", FULL),
    _in_session("of other sessions too", FULL, BARE),
    _search("weak matches", WEAK),
    _search("on its way", pending=(ON_ITS_WAY,)),
    _search("held up", pending=(HELD,)),
    _search("found, and more on its way", FULL, pending=(ON_ITS_WAY,)),
    _search("found in a part", FULL, warnings=("recall_branch_deadline_exceeded",)),
    _search("nothing in a part", warnings=("partial",)),
    _search("weak in a part, with a notice", WEAK, warnings=("partial",), notice="80% used"),
    _search("on its way, and a part", pending=(ON_ITS_WAY,), warnings=("partial",)),
    Scenario("memory_search", "a question", {"query": "what is the user's favourite editor?"}),
    Scenario("memory_search", "within a session", {**SEARCH, "session_id": "conv-1"}),
    Scenario("memory_search", "no query", {"query": " "}),
    *_failures("memory_search", SEARCH, "memory_recall_requests"),
    Scenario(
        "memory_list",
        "a page",
        {"limit": 2},
        {"page": MemoryPage(memories=(FULL, BARE), total=5, limit=2, offset=0)},
    ),
    Scenario(
        "memory_list",
        "the last page",
        {"limit": 2, "offset": 4},
        {"page": MemoryPage(memories=(BARE,), total=5, limit=2, offset=4)},
    ),
    Scenario("memory_list", "nothing"),
    Scenario("memory_list", "raw turns", {"memory_type": "session"}),
    *_failures("memory_list", {}, "memory_recall_requests"),
    Scenario("memory_get", "found", {"memory_id": "m1"}, {"memories": {"m1": FULL}}),
    Scenario("memory_get", "not found", {"memory_id": "m1"}),
    Scenario("memory_get", "no id"),
    *_failures("memory_get", {"memory_id": "m1"}, "memory_recall_requests"),
    Scenario(
        "memory_update",
        "changed",
        {"memory_id": "m1", "content": "x"},
        {"memories": {"m1": FULL}},
    ),
    Scenario(
        "memory_update",
        "not found",
        {"memory_id": "m1", "content": "x"},
        error=NotFound("mem9 has no memory with this id"),
    ),
    Scenario(
        "memory_update",
        "changed meanwhile",
        {"memory_id": "m1", "content": "x", "version": 1},
        error=VersionConflict("The memory has version 2, not 1.", actual=2),
    ),
    Scenario("memory_update", "nothing to change", {"memory_id": "m1"}),
    *_failures("memory_update", {"memory_id": "m1", "content": "x"}, "memory_write_requests"),
    Scenario("memory_delete", "gone", {"memory_ids": "m1"}, {"memories": {"m1": FULL}}),
    Scenario("memory_delete", "some unknown", {"memory_ids": "m1,m2"}, {"memories": {"m1": FULL}}),
    Scenario("memory_delete", "unknown", {"memory_ids": "m2"}, {"memories": {"m1": FULL}}),
    Scenario(
        "memory_delete",
        "failed on the way",
        {"memory_ids": "m1,m2,m3"},
        error=PartlyDeleted(SERVER_ERROR, deleted=2),
    ),
    Scenario("memory_delete", "no ids"),
    *_failures("memory_delete", {"memory_ids": "m1"}, "memory_write_requests"),
    Scenario("memory_queue", "all quiet"),
    Scenario(
        "memory_queue",
        "held up",
        {"action": "retry_dead", "job_id": "01JOB"},
        {"report": HELD_UP},
    ),
    Scenario(
        "memory_queue",
        "held up, callers kept apart",
        {"action": "retry_dead", "job_id": "01OLD"},
        {"report": HELD_UP.model_copy(update={"job": HELD_UP.last_errors[0]})},
        credentials={"isolation": "per_user"},
    ),
    Scenario(
        "memory_queue",
        "all dead letters, callers kept apart",
        {"action": "retry_dead"},
        credentials={"isolation": "per_user"},
    ),
    Scenario("memory_queue", "unknown action", {"action": "purge"}),
    *_local_failures("memory_queue", {}),
    _prepare("ready", memories=(FULL, BARE), pending=(ON_ITS_WAY,)),
    _prepare("nothing known"),
    _prepare("mem9 away", failure="connection_refused"),
    _prepare("mem9 away, with writes on their way", failure="read_timeout", pending=(ON_ITS_WAY,)),
    Scenario("memory_prepare", "no subject", {**PREPARE, "memory_context": {}}),
    Scenario("memory_prepare", "no query", {**PREPARE, "request": {"max_bytes": 8_000}}),
    *_local_failures("memory_prepare", PREPARE),
    Scenario("memory_observe", "accepted", OBSERVE),
    Scenario("memory_observe", "not captured", {**OBSERVE, "request": CALLED}),
    Scenario("memory_observe", "no subject", {**OBSERVE, "memory_context": None}),
    Scenario("memory_observe", "no payload", {**OBSERVE, "request": {**EVENT, "payload": None}}),
    Scenario("memory_observe", "unknown capture", {**OBSERVE, "capture_events": "prompts"}),
    Scenario(
        "memory_observe",
        "queue full",
        OBSERVE,
        error=QueueFull(
            "The queue is full.", depth=100_000, capacity=100_000, oldest_age_s=60.0, after_s=5.0
        ),
    ),
    *_local_failures("memory_observe", OBSERVE),
]


def golden_file(tool: str) -> Path:
    """Return where *tool*'s golden answers are kept."""
    return GOLDEN / f"{tool}.json"


def record() -> None:
    """Write the golden files from what the tools answer now."""
    GOLDEN.mkdir(exist_ok=True)
    for tool in TOOLS:
        answers = {each.name: each.run().answer for each in SCENARIOS if each.tool == tool}
        text = json.dumps(answers, indent=2, ensure_ascii=False)
        golden_file(tool).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
