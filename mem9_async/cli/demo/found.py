"""The part of a memory_search answer that the demonstration prints."""

from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict


class FoundMemory(BaseModel):
    """One memory; `confidence` 0-100, None where mem9 gives none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    content: str
    confidence: float | None = None
    relative_age: str | None = None
    created_at: AwareDatetime | None = None

    @property
    def age(self) -> str:
        """How old it is: in mem9's words, or by its date, since a recall carries no words."""
        if self.relative_age is not None or self.created_at is None:
            return self.relative_age or "of unknown age"
        return f"{max(0, round((datetime.now(UTC) - self.created_at).total_seconds()))} s old"

    def __str__(self) -> str:
        sure = "" if self.confidence is None else f"confidence {self.confidence:.0f}, "
        return f"{self.content}  ({sure}{self.age})"


class Found(BaseModel):
    """What one search found, best first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    memories: tuple[FoundMemory, ...] = ()
    retry_hint: str | None = None
