"""The seam below the tools: what they ask of the running plugin."""

from typing import Protocol

from mem9_async.models.agent_memory import Observation, Preparation, Prepared
from mem9_async.models.job import NewJob, QueueCommand, QueueReport, Receipt
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


class Backend(Protocol):
    """`runtime.current.Plugin`, as far as tools use it. Every method blocks its greenlet only.

    All may raise RuntimeUnavailable; those that ask mem9 also RequestFailed.
    """

    @property
    def settings(self) -> Settings:
        """The knobs in force."""

    def store(self, job: NewJob) -> Receipt:
        """Journal *job*; raises QueueFull."""

    def observe(self, seen: Observation) -> None:
        """Journal an event of an agent's run; never waits for mem9. Raises QueueFull."""

    def prepare(self, asked: Preparation) -> Prepared:
        """Tell what is known of an agent's subject; without mem9, what is known here."""

    def search(
        self, query: SearchQuery, *, include_pending: bool, second: SearchQuery | None
    ) -> SearchResult:
        """Recall, with the writes of the same scope that are still on their way."""

    def list_memories(self, query: ListQuery) -> MemoryPage:
        """Return one page."""

    def get_memory(self, space: Space, caller_agent_id: str, memory_id: str) -> Memory:
        """Return one memory; raises NotFound."""

    def update_memory(
        self, space: Space, caller_agent_id: str, memory_id: str, change: MemoryChange
    ) -> Memory:
        """Change one memory; raises NotFound, VersionConflict."""

    def delete_memories(self, space: Space, caller_agent_id: str, ids: tuple[str, ...]) -> Deletion:
        """Delete, passing over unknown ids; raises PartlyDeleted when some were gone by then."""

    def queue(self, command: QueueCommand) -> QueueReport:
        """Report on one space's jobs, after doing what *command* asks."""

    def validate(self, space: Space, caller_agent_id: str) -> None:
        """Make one authenticated request; raises RequestFailed."""
