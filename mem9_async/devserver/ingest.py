"""What becomes of a store: cleaned messages, raw rows, and the facts a model finds."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import uuid4

from pydantic import JsonValue

from mem9_async.devserver.flavour import Flavour
from mem9_async.devserver.memories import Memories
from mem9_async.devserver.memory import StoredMemory
from mem9_async.devserver.model import Fact, Model, ModelFailed
from mem9_async.devserver.requests import ID_LENGTH_MAX, RawMessage, StoreRequest, check_sizes
from mem9_async.devserver.sessions import Conversation, Sessions

FACTS_MAX = 50
_UNKEPT = re.compile("[\0\ud800-\udfff]")
_OPEN_TAG, _CLOSE_TAG = "<relevant-memories>", "</relevant-memories>"


class ColumnTooShort(Exception):
    """An id is longer than its column: mem9 answers 500, or loses the row."""

    def __init__(self) -> None:
        super().__init__("agent_id does not fit its column")


class NotStorable(Exception):
    """PostgreSQL keeps no U+0000: mem9 answers 500, or loses the row."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """Turns one store into rows, at once."""

    memories: Memories
    sessions: Sessions
    model: Model
    flavour: Flavour
    now_s: Callable[[], float]

    def messages(self, tenant: int, asked: StoreRequest, header_agent: str) -> None:
        """Keep the messages as raw rows where the database can, and the first 50 facts.

        Raises ModelFailed when no facts could be had, NotStorable.
        """
        conversation = Conversation(
            tenant, asked.session_id, asked.agent_id, header_agent, asked.app_id
        )
        if not conversation.fits:
            return
        cleaned = strip_injected(asked.messages)
        facts: list[Fact] = []
        failure: ModelFailed | None = None
        if self.flavour.llm and cleaned:
            try:
                facts = self.model.facts(cleaned)[:FACTS_MAX]
            except ModelFailed as exc:
                failure = exc
        if asked.keeps_raw and not self.flavour.on_postgres:
            self._add_rows(conversation, cleaned)
        if failure is not None:
            raise failure
        if facts:
            self._add_facts(conversation, facts)

    def content(self, tenant: int, asked: StoreRequest) -> None:
        """Have the text's facts compared and kept; without a model, keep it verbatim each time.

        Raises InvalidField for one too long, ModelFailed, NotStorable; without a model
        ColumnTooShort for an agent's name too long.
        """
        check_sizes(asked.content, asked.tags)
        if not self.flavour.llm:
            memory = self._verbatim(asked, "insight")
            self.memories.add(tenant, replace(memory, agent_id=asked.agent_id))
            return
        conversation = Conversation(tenant, "", asked.agent_id, asked.agent_id, asked.app_id)
        facts = self.model.facts((RawMessage("user", asked.content, None),))[:FACTS_MAX]
        if conversation.fits and facts:
            self._add_facts(conversation, facts, tags=asked.tags, metadata=asked.metadata)

    def pinned(self, tenant: int, asked: StoreRequest) -> StoredMemory:
        """Keep the text verbatim as a pinned memory without agent and session; return it.

        Raises InvalidField for one too long, ColumnTooShort for an agent's name too long,
        NotStorable.
        """
        check_sizes(asked.content, asked.tags, "memories[0].")
        memory = self._verbatim(asked, "pinned")
        self.memories.add(tenant, memory)
        return memory

    def _verbatim(self, asked: StoreRequest, memory_type: str) -> StoredMemory:
        if len(asked.agent_id) > ID_LENGTH_MAX:
            raise ColumnTooShort
        self._refuse_nul(asked.content, asked.agent_id, *asked.tags, asked.metadata)
        now_s = self.flavour.stamp(self.now_s())
        return StoredMemory(
            id=str(uuid4()),
            content=asked.content,
            memory_type=memory_type,
            created_at=now_s,
            updated_at=now_s,
            source=asked.agent_id,
            updated_by=asked.agent_id,
            tags=asked.tags,
            metadata=asked.metadata,
            app_id=asked.app_id,
        )

    def _add_rows(self, conversation: Conversation, messages: tuple[RawMessage, ...]) -> None:
        now_s = self.flavour.stamp(self.now_s())
        for index, message in enumerate(messages):
            self.sessions.add(conversation, message, index=index, now_s=now_s)

    def _add_facts(
        self,
        conversation: Conversation,
        facts: Iterable[Fact],
        *,
        tags: tuple[str, ...] = (),
        metadata: JsonValue = None,
    ) -> None:
        """Facts that are there already are left out; a failing comparison leaves out all."""
        try:
            self.model.reconcile()
        except ModelFailed:
            return  # mem9 logs it and answers as if all were well
        now_s = self.flavour.stamp(self.now_s())
        tenant, agent_id = conversation.tenant, conversation.agent_id
        for fact in facts:
            self._refuse_nul(fact.text, agent_id, conversation.session_id, *tags, metadata)
            if self.memories.has_equal(tenant, fact.text, agent_id, conversation.app_id):
                continue
            self.memories.add(
                tenant,
                StoredMemory(
                    id=str(uuid4()),
                    content=fact.text,
                    memory_type="insight",
                    created_at=now_s,
                    updated_at=now_s,
                    source=conversation.source,
                    updated_by=conversation.source,
                    agent_id=agent_id,
                    session_id=conversation.session_id,
                    app_id=conversation.app_id,
                    version=2 if tags or metadata is not None else 1,  # written, then patched
                    tags=tags or self.model.tags,
                    metadata=_provenance(fact) if metadata is None else metadata,
                ),
            )

    def _refuse_nul(self, *values: JsonValue) -> None:
        if self.flavour.on_postgres and any(holds_nul(value) for value in values):
            raise NotStorable("U+0000")


def holds_nul(value: JsonValue) -> bool:
    """Whether U+0000, or a byte that is no UTF-8, stands anywhere in *value*."""
    match value:
        case str():
            return _UNKEPT.search(value) is not None
        case dict():
            return any(holds_nul(key) or holds_nul(item) for key, item in value.items())
        case list():
            return any(holds_nul(item) for item in value)
    return False


def _provenance(fact: Fact) -> JsonValue:
    """Where a fact came from, for numbered messages."""
    if fact.seq is None:
        return None
    return {"source_seqs": [fact.seq], "source_turns": [{"seq": fact.seq, "content": fact.turn}]}


def strip_injected(messages: tuple[RawMessage, ...]) -> tuple[RawMessage, ...]:
    """Remove recalled memories from every message, trim, and drop what is left empty."""
    cleaned = (replace(item, content=strip_tags(item.content).strip()) for item in messages)
    return tuple(item for item in cleaned if item.content)


def strip_tags(text: str) -> str:
    """Cut each `<relevant-memories>…</relevant-memories>`; one that is not closed, to the end.

    One pass from left to right: mem9's own loop never ends when a closing tag comes first.
    """
    kept: list[str] = []
    position = 0
    while (start := text.find(_OPEN_TAG, position)) >= 0:
        end = text.find(_CLOSE_TAG, start)
        kept.append(text[position:start])
        if end < 0:
            return "".join(kept)
        position = end + len(_CLOSE_TAG)
    kept.append(text[position:])
    return "".join(kept)
