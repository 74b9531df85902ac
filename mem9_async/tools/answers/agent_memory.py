"""The answers of memory_prepare and memory_observe: what Dify's agent runtime takes, no more.

Its contract (docs/reference/dify-agent-memory.md, 1) knows neither `ok` nor a node that fails.
"""

from typing import ClassVar, Literal

from pydantic import JsonValue

from mem9_async.models.agent_memory import Preparation, Prepared
from mem9_async.tools.answers.base import Answer
from mem9_async.tools.answers.prompt_context import prompt_context


class PrepareAnswer(Answer):
    """memory_prepare's answer. Whatever went wrong, it is an empty memory, never an error.

    `content_bytes` counts UTF-8. The variable `error` says why it is empty, where that is known.
    """

    variables: ClassVar[tuple[str, ...]] = ("status", "content", "error")
    variables_only: ClassVar[frozenset[str]] = frozenset({"error"})

    status: Literal["ready", "empty"] = "empty"
    content: str | None = None
    content_bytes: int = 0

    @property
    def fails_node(self) -> bool:
        """Never: without an answer Dify would count the tool as broken."""
        return False

    def as_json(self) -> dict[str, JsonValue]:
        """Return the three keys of the contract."""
        return {
            "status": self.status,
            "content": self.content,
            "content_bytes": self.content_bytes,
        }


class ObserveAnswer(Answer):
    """memory_observe's answer: `accepted` is said of what is committed, or not to be kept."""

    variables: ClassVar[tuple[str, ...]] = ("status", "error")

    status: Literal["accepted", "error"] = "error"

    @property
    def fails_node(self) -> bool:
        """Never: Dify reads the status."""
        return False

    def as_json(self) -> dict[str, JsonValue]:
        """Return the status, and why it is no better one."""
        if self.status == "accepted":
            return {"status": self.status}
        return {"status": self.status, "code": self.code, "error": self.error}


def prepared(asked: Preparation, known: Prepared) -> PrepareAnswer:
    """Return what is *known* as a text for the prompt, in whole lines, of at most max_bytes."""
    content = prompt_context(known.memories, known.pending, max_bytes=asked.max_bytes)
    if not content:
        return PrepareAnswer(ok=True, error=known.failure)
    return PrepareAnswer(
        ok=True,
        status="ready",
        content=content,
        content_bytes=len(content.encode()),
        error=known.failure,
    )


def observed() -> ObserveAnswer:
    """Return that the event is taken."""
    return ObserveAnswer(ok=True, status="accepted")
