"""One accepted memory_store call, from the parameters to the receipt."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic_core import to_json

from mem9_async.models.outcome import Outcome, Trouble
from mem9_async.models.space import Lane, Space


class JobState(StrEnum):
    """Where a job is on its way. A delivered job has no row: it is counted and gone."""

    AVAILABLE = "available"  #: waits for its batch
    IN_FLIGHT = "in_flight"  #: its batch is being sent
    TAKEN = "taken"  #: mem9 has taken it; whether it has it is being watched
    RETRYABLE = "retryable"  #: its batch failed in a way that may pass; waits for its time
    PARKED = "parked"  #: its space waits for an outside condition; costs no attempt
    DEAD = "dead"  #: refused for good; kept, shown, can be sent again
    CANCELLED = "cancelled"  #: taken back by a person


class Message(BaseModel):
    """One message of a conversation, as mem9 reads it. Facts come only from role `user`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    content: str


class Turn(BaseModel):
    """Messages from which mem9 extracts facts. Consecutive turns of a lane share a request.

    Without `keep_raw`, mem9 is to keep what it extracts and not the messages themselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["turn"] = "turn"
    messages: tuple[Message, ...]
    keep_raw: bool = True

    @model_serializer(mode="wrap")
    def _without_default(self, made: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        # What every journal holds already is written as it was: equal jobs are known by it.
        told: dict[str, JsonValue] = made(self)
        if self.keep_raw:
            told.pop("keep_raw", None)
        return told

    @property
    def size_bytes(self) -> int:
        """UTF-8 bytes of all contents."""
        return sum(len(message.content.encode()) for message in self.messages)

    @property
    def text(self) -> str:
        """The contents, one per line."""
        return "\n".join(message.content for message in self.messages)

    @property
    def told(self) -> str:
        """What facts are taken from: the user's messages, one per line."""
        if len(self.messages) == 1 and self.messages[0].role == "user":
            return self.messages[0].content
        return "\n".join(message.content for message in self.messages if message.role == "user")


class Pinned(BaseModel):
    """A memory stored verbatim, without extraction. Sent alone: mem9 takes one per request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pinned"] = "pinned"
    content: str
    tags: tuple[str, ...] = ()
    metadata: JsonValue = None

    @property
    def size_bytes(self) -> int:
        """UTF-8 bytes of all that is sent: content, tags and metadata."""
        return sum(self.parts_bytes.values())

    @property
    def parts_bytes(self) -> dict[str, int]:
        """UTF-8 bytes by field; metadata as JSON."""
        return {
            "content": len(self.content.encode()),
            "tags": sum(len(tag.encode()) for tag in self.tags),
            "metadata": 0 if self.metadata is None else len(to_json(self.metadata)),
        }

    @property
    def text(self) -> str:
        """The content."""
        return self.content

    @property
    def told(self) -> str:
        """What becomes the memory: the content."""
        return self.content


Payload = Annotated[Turn | Pinned, Field(discriminator="kind")]


class NewJob(BaseModel):
    """A job before it is accepted: where it goes and what it says.

    `wait` asks for the outcome of its first attempt instead of the receipt alone,
    and closes the lane's batch at once. `owner` names the app (else the user) whose one key this
    is, in single space only: it tells a replaced key from a second one. `reference` is a person's
    own name for what the job belongs to, of 200 characters at most: events and reports carry it.
    `event_id` names the event of an agent's run that the job is: it is taken once in its lane,
    and equal content with another id is another event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lane: Lane
    payload: Payload
    wait: bool = False
    owner: str | None = None
    reference: str | None = None
    event_id: str | None = None


class QueueDepth(BaseModel):
    """How much waits, seen from one space. Ages in seconds; None when nothing waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: int
    lane_depth: int
    oldest_age_s: float | None = None


class Receipt(BaseModel):
    """What is promised once the job is committed.

    `durability` says what the promise outlives: `process` (a killed process), `power`
    (a power cut too) or `none` (memory only; `durability_reason` says why).
    `trouble` is what went wrong with earlier jobs of this space and still holds.
    `outcome` is set only for a job that was asked to wait and whose first attempt has ended;
    `waited_out` when that did not happen in time; `dead` when that attempt made the job a dead
    letter. `kept` is False where nothing can be kept: then a failed outcome is the end of the job.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    deduplicated: bool
    queue: QueueDepth
    durability: Literal["process", "power", "none"] = "process"
    durability_reason: str | None = None
    trouble: Trouble | None = None
    notice: str | None = None
    outcome: Outcome | None = None
    waited_out: bool = False
    dead: bool = False
    kept: bool = True


class JobReport(BaseModel):
    """One job as memory_queue shows it. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    state: JobState | Literal["delivered", "remembered", "unconfirmed", "unknown"]
    age_s: float | None = None
    attempts: int = 0
    next_attempt_in_s: float | None = None
    error_type: str | None = None
    error: str | None = None
    reference: str | None = None


class PendingWrite(BaseModel):
    """A job of the searched scope that mem9 may not show yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    content: str
    state: Literal["delivered"] | JobState
    age_s: float


class LaneReport(BaseModel):
    """One lane's backlog, named by its fingerprint (keyed hash, 8 hex)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lane: str
    session_id: str | None
    depth: int
    oldest_age_s: float | None


class QueueReport(BaseModel):
    """The write queue as one space may see it: its own jobs only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    health: Literal["ok", "degraded", "failed", "not_remembering"]
    health_reason: str | None = None
    durability: Literal["process", "power", "none"]
    durability_reason: str | None = None
    counts: dict[JobState, int]
    delivered: int
    redelivered: int
    remembered: int = 0
    unconfirmed: int = 0
    lost_and_sent_again: int = 0
    depth: int
    oldest_age_s: float | None
    parked_reason: str | None = None
    parked_for_s: float | None = None
    lanes: tuple[LaneReport, ...] = ()
    last_errors: tuple[JobReport, ...] = ()
    trouble: Trouble | None = None
    job: JobReport | None = None
    affected: int | None = None


class QueueCommand(BaseModel):
    """What memory_queue asks, always for one space: the one whose key asks.

    `owner` is a job's: it tells which dead letters of an earlier base URL are meant as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: Space
    action: Literal["status", "flush", "retry_dead"] = "status"
    job_id: str | None = None
    owner: str | None = None
