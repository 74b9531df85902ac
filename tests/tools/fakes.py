"""The seams of the tools, faked: a backend that answers as told, and a tool as the SDK makes it."""

import json
from dataclasses import dataclass, field
from typing import Any

from mem9_async.models.agent_memory import Observation, Preparation, Prepared
from mem9_async.models.errors import NotFound
from mem9_async.models.job import NewJob, QueueCommand, QueueDepth, QueueReport, Receipt
from mem9_async.models.memory import (
    Deletion,
    ListQuery,
    Memory,
    MemoryChange,
    MemoryPage,
    SearchQuery,
    SearchResult,
)
from mem9_async.models.space import Space
from mem9_async.settings import Settings
from mem9_async.tools.call import Call

KEY = "sk-test-0123456789"
CREDENTIALS: dict[str, object] = {
    "auth_mode": "single_space",
    "mem9_base_url": "https://mem9.example/",
    "mem9_api_key": KEY,
    "mem9_agent_id": "dify",
}


def call(
    parameters: dict[str, object] | None = None,
    *,
    user_id: str | None = "user-1",
    conversation_id: str | None = None,
    app_id: str | None = None,
    **credentials: Any,
) -> Call:
    """Return a call with good credentials, changed by *credentials*."""
    return Call(
        parameters=parameters or {},
        credentials={**CREDENTIALS, **credentials},
        user_id=user_id,
        conversation_id=conversation_id,
        app_id=app_id,
    )


def receipt(**changes: object) -> Receipt:
    """Return the receipt of a job in good order, changed by *changes*."""
    plain = Receipt(
        job_id="01JOB",
        deduplicated=False,
        queue=QueueDepth(depth=3, lane_depth=1, oldest_age_s=0.5),
    )
    return plain.model_copy(update=changes)


class FakeBackend:
    """Answers as told and remembers what it was asked."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.receipt = receipt()
        self.result: SearchResult | None = None
        self.page = MemoryPage(memories=(), total=0, limit=20, offset=0)
        self.memories: dict[str, Memory] = {}
        self.report = QueueReport(
            health="ok",
            durability="process",
            counts={},
            delivered=0,
            redelivered=0,
            depth=0,
            oldest_age_s=None,
        )
        self.error: Exception | None = None
        self.jobs: list[NewJob] = []
        self.searches: list[tuple[SearchQuery, bool, SearchQuery | None]] = []
        self.prepared = Prepared()
        self.observations: list[Observation] = []
        self.preparations: list[Preparation] = []
        self.pages: list[ListQuery] = []
        self.changes: list[tuple[str, MemoryChange]] = []
        self.deleted: list[tuple[str, ...]] = []
        self.commands: list[QueueCommand] = []
        self.validated: list[tuple[Space, str]] = []

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    def store(self, job: NewJob) -> Receipt:
        """Take a job."""
        self._raise()
        self.jobs.append(job)
        return self.receipt

    def observe(self, seen: Observation) -> None:
        """Take an event."""
        self._raise()
        self.observations.append(seen)

    def prepare(self, asked: Preparation) -> Prepared:
        """Tell what is known."""
        self._raise()
        self.preparations.append(asked)
        return self.prepared

    def search(
        self, query: SearchQuery, *, include_pending: bool, second: SearchQuery | None
    ) -> SearchResult:
        """Recall."""
        self._raise()
        self.searches.append((query, include_pending, second))
        return self.result or SearchResult(effective_query=query.query, memories=(), available=0)

    def list_memories(self, query: ListQuery) -> MemoryPage:
        """Return the page."""
        self._raise()
        self.pages.append(query)
        return self.page

    def get_memory(self, space: Space, caller_agent_id: str, memory_id: str) -> Memory:
        """Return a memory held."""
        self._raise()
        if memory_id not in self.memories:
            raise NotFound("mem9 has no memory with this id")
        return self.memories[memory_id]

    def update_memory(
        self, space: Space, caller_agent_id: str, memory_id: str, change: MemoryChange
    ) -> Memory:
        """Note a change."""
        self._raise()
        self.changes.append((memory_id, change))
        return self.memories[memory_id]

    def delete_memories(self, space: Space, caller_agent_id: str, ids: tuple[str, ...]) -> Deletion:
        """Note a deletion."""
        self._raise()
        self.deleted.append(ids)
        return Deletion(
            requested=len(ids), deleted=sum(memory_id in self.memories for memory_id in ids)
        )

    def queue(self, command: QueueCommand) -> QueueReport:
        """Return the report."""
        self._raise()
        self.commands.append(command)
        return self.report

    def validate(self, space: Space, caller_agent_id: str) -> None:
        """Accept the key."""
        self._raise()
        self.validated.append((space, caller_agent_id))


@dataclass
class FakeWriter:
    """Keeps what was written."""

    written: list[str] = field(default_factory=list)

    def write(self, data: str) -> None:
        """Keep *data*."""
        self.written.append(data)

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages inside the lines."""
        lines = "".join(self.written).split("\n\n")
        return [json.loads(line)["data"]["data"] for line in lines if line]


@dataclass
class FakeSession:
    """The part of the SDK's session that tools use."""

    session_id: str = "session-1"
    conversation_id: str | None = None
    app_id: str | None = None
    writer: FakeWriter = field(default_factory=FakeWriter)


@dataclass
class FakeRuntime:
    """The part of the SDK's runtime that tools use."""

    credentials: dict[str, object] = field(default_factory=lambda: dict(CREDENTIALS))
    user_id: str | None = "user-1"


@dataclass
class FakeTool:
    """A tool as the SDK makes it for one call."""

    session: FakeSession = field(default_factory=FakeSession)
    runtime: FakeRuntime = field(default_factory=FakeRuntime)

    @property
    def answer(self) -> dict[str, object]:
        """The JSON that was sent."""
        first = self.session.writer.messages()[0]
        assert first["type"] == "json"
        answer: dict[str, object] = first["message"]["json_object"]
        return answer

    @property
    def variables(self) -> dict[str, object]:
        """The variables that were sent."""
        return {
            message["message"]["variable_name"]: message["message"]["variable_value"]
            for message in self.session.writer.messages()
            if message["type"] == "variable"
        }
