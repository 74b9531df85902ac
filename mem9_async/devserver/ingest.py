"""What becomes of a store: cleaned messages, raw rows, and one fact per user message."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import uuid4

from pydantic import JsonValue

from mem9_async.devserver.memories import Memories
from mem9_async.devserver.memory import StoredMemory
from mem9_async.devserver.recall import is_question
from mem9_async.devserver.requests import ID_LENGTH_MAX, RawMessage, StoreRequest, check_sizes
from mem9_async.devserver.sessions import Conversation, Sessions

FACTS_MAX = 50
_OPEN_TAG, _CLOSE_TAG = "<relevant-memories>", "</relevant-memories>"


class ColumnTooShort(Exception):
    """An id is longer than its column: mem9 answers 500, or loses the row."""

    def __init__(self) -> None:
        super().__init__("agent_id does not fit its column")


@dataclass(frozen=True, slots=True)
class Ingest:
    """Turns one store into rows, at once. `extracts` makes facts of messages without a model."""

    memories: Memories
    sessions: Sessions
    extracts: bool
    now_s: Callable[[], float]

    def messages(self, tenant: int, asked: StoreRequest, header_agent: str) -> None:
        """Keep the messages as raw rows and, when extracting, the first 50 facts."""
        conversation = Conversation(tenant, asked.session_id, asked.agent_id, header_agent)
        if not conversation.fits:
            return
        cleaned = strip_injected(asked.messages)
        facts = [index for index, item in enumerate(cleaned) if item.role.lower() == "user"]
        kept = set(facts[:FACTS_MAX]) if self.extracts else set()
        now_s = int(self.now_s())
        for index, message in enumerate(cleaned):
            covered = index in kept and not is_question(message.content)
            self.sessions.add(conversation, message, index=index, has_fact=covered, now_s=now_s)
            if index in kept:
                self._add_fact(conversation, message, now_s)

    def content(self, tenant: int, asked: StoreRequest) -> None:
        """Keep the text verbatim as an insight, every time it comes.

        Raises InvalidField for one too long, ColumnTooShort for an agent's name too long.
        """
        check_sizes(asked.content, asked.tags)
        memory = self._verbatim(asked, "insight")
        self.memories.add(tenant, replace(memory, agent_id=asked.agent_id))

    def pinned(self, tenant: int, asked: StoreRequest) -> StoredMemory:
        """Keep the text verbatim as a pinned memory without agent and session; return it.

        Raises InvalidField for one too long, ColumnTooShort for an agent's name too long.
        """
        check_sizes(asked.content, asked.tags, "memories[0].")
        memory = self._verbatim(asked, "pinned")
        self.memories.add(tenant, memory)
        return memory

    def _verbatim(self, asked: StoreRequest, memory_type: str) -> StoredMemory:
        if len(asked.agent_id) > ID_LENGTH_MAX:
            raise ColumnTooShort
        now_s = int(self.now_s())
        return StoredMemory(
            id=str(uuid4()),
            content=asked.content,
            memory_type=memory_type,
            created_at=now_s,
            updated_at=now_s,
            source=asked.agent_id,
            tags=asked.tags,
            metadata=asked.metadata,
        )

    def _add_fact(self, conversation: Conversation, message: RawMessage, now_s: int) -> None:
        tenant, agent_id = conversation.tenant, conversation.agent_id
        if self.memories.has_equal(tenant, message.content, agent_id):
            return
        provenance: JsonValue = None
        if message.seq is not None:
            provenance = {"source_seqs": [message.seq], "source_turns": [message.content]}
        self.memories.add(
            tenant,
            StoredMemory(
                id=str(uuid4()),
                content=message.content,
                memory_type="insight",
                created_at=now_s,
                updated_at=now_s,
                source=conversation.source,
                agent_id=agent_id,
                session_id=conversation.session_id,
                metadata=provenance,
            ),
        )


def strip_injected(messages: tuple[RawMessage, ...]) -> tuple[RawMessage, ...]:
    """Remove recalled memories from every message, trim, and drop what is left empty."""
    cleaned = (replace(item, content=strip_tags(item.content).strip()) for item in messages)
    return tuple(item for item in cleaned if item.content)


def strip_tags(text: str) -> str:
    """Cut each `<relevant-memories>…</relevant-memories>`; a tag without its partner stays.

    One pass from left to right: mem9's own loop never ends when a closing tag comes first.
    """
    kept: list[str] = []
    position = 0
    while (start := text.find(_OPEN_TAG, position)) >= 0:
        end = text.find(_CLOSE_TAG, start)
        if end < 0:
            break
        kept.append(text[position:start])
        position = end + len(_CLOSE_TAG)
    kept.append(text[position:])
    return "".join(kept)
