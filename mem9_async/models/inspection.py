"""Looking into a queue from outside: what is asked over the control socket, and what comes back.

One JSON object a line each way. Times are ISO 8601 in UTC where people read them, else seconds.
No content and no key is in any of it, but for `JobStory.content`, which has to be asked for.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from mem9_async.models.job import JobState

PROTOCOL = 1
LISTED_MOST = 500


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Told(BaseModel):
    # A newer process may tell more than we know.
    model_config = ConfigDict(frozen=True, extra="ignore")


class JobFilter(_Asked):
    """Which jobs are meant; what is left out does not matter. Fingerprints have 8 hex digits."""

    states: tuple[JobState, ...] = ()
    space: str | None = None
    lane: str | None = None
    error_type: str | None = None
    reference: str | None = None
    older_than_s: float | None = Field(default=None, ge=0)
    job_ids: tuple[Annotated[str, Field(pattern="^[0-9a-f]{32}$")], ...] = Field(
        default=(), max_length=1_000
    )


class StatusAsk(_Asked):
    """How the queue stands. Answered by a status snapshot (models/status_snapshot.py)."""

    do: Literal["status"] = "status"


class ListAsk(_Asked):
    """A page of jobs, the newest first. `after` is the last job id of the page before."""

    do: Literal["list"] = "list"
    filter: JobFilter = JobFilter()
    limit: int = Field(default=100, ge=1, le=LISTED_MOST)
    after: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")


class ShowAsk(_Asked):
    """Everything about one job; *content* unseals what it says."""

    do: Literal["show"] = "show"
    job_id: str = Field(pattern="^[0-9a-f]{32}$")
    content: bool = False


class FindAsk(_Asked):
    """Which jobs have this reference, those that have gone as well."""

    do: Literal["find"] = "find"
    reference: str = Field(min_length=1, max_length=200)


class ChangeAsk(_Asked):
    """Do something with everything that the filter matches.

    retry: dead letters go back in line, and what waits for its next attempt goes now. discard:
    what is not on its way is taken out for good. flush: what waits goes now.
    """

    do: Literal["retry", "discard", "flush"]
    filter: JobFilter = JobFilter()


class HoldAsk(_Asked):
    """Hold a space back, or let it go; without a space, everything."""

    do: Literal["pause", "resume"]
    space: str | None = None


class ExportAsk(_Asked):
    """A page of jobs as they lie in the journal, oldest first, after the row `after`."""

    do: Literal["export"] = "export"
    after: int | None = None
    limit: int = Field(default=100, ge=1, le=LISTED_MOST)
    content: bool = False


class HandOverAsk(_Asked):
    """Let go of the journal, so that a newer process can have it: it says when it was started."""

    do: Literal["hand_over"] = "hand_over"
    started_at: float


Request = StatusAsk | ListAsk | ShowAsk | FindAsk | ChangeAsk | HoldAsk | ExportAsk | HandOverAsk
REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


class JobRow(_Told):
    """One job in a list. Seconds, bytes."""

    job_id: str
    state: str
    lane: str
    space: str
    age_s: float
    bytes: int
    attempts: int
    error_type: str | None = None
    reference: str | None = None
    next_attempt_in_s: float | None = None


class JobPage(_Told):
    """A page of a list; `after` asks for the next one, None at the end."""

    jobs: tuple[JobRow, ...] = ()
    after: str | None = None


class Found(_Told):
    """Job ids, the oldest first."""

    job_ids: tuple[str, ...] = ()


class Happening(_Told):
    """One thing that happened to a job. Seconds."""

    at: str
    event: str
    attempt: int | None = None
    outcome: str | None = None
    http_status: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    duration_s: float | None = None
    next_at: str | None = None
    reason: str | None = None
    batch_id: str | None = None


class JobStory(_Told):
    """All that is known of one job, also of one that has gone; None for what is not known."""

    job_id: str
    state: str
    lane: str | None = None
    space: str | None = None
    age_s: float | None = None
    bytes: int | None = None
    attempts: int = 0
    error_type: str | None = None
    error: str | None = None  #: mem9's own last words, or ours
    reference: str | None = None
    trace_id: str | None = None  #: where the reference is a W3C traceparent
    next_attempt_in_s: float | None = None
    kind: str | None = None
    content: str | None = None
    history: tuple[Happening, ...] = ()


class Changed(_Told):
    """How many jobs were changed, and how many matched but could not be (they are on their way)."""

    affected: int
    skipped: int = 0


class Held(_Told):
    """Whether pause or resume changed anything, and for how many spaces."""

    changed: bool
    space: str | None = None


class Exported(_Told):
    """Jobs as they lie in the journal; `after` asks for the next ones, None at the end."""

    jobs: tuple["ExportedJob", ...] = ()
    after: int | None = None


class ExportedJob(_Told):
    """One job, sealed as it is: readable only with the same sealing key. Seconds, base64.

    `content` stands beside it where it was asked for.
    """

    job_id: str
    state: str
    space: str
    lane: str
    accepted_at: float
    pinned: bool
    bytes: int
    seq: int
    parked_s: float
    finished_at: float | None = None
    reference: str | None = None
    dedup: str
    sealed: str
    sealed_lane: str
    lane_digest: str
    sealed_space: str
    space_digest: str
    sealed_outcome: str | None = None
    kind: str | None = None
    content: str | None = None


class HandedOver(_Told):
    """What the older process let go of."""

    journal: str | None
    jobs: int


class Answer(_Told):
    """The envelope of every answer: `error` says what to do where `ok` is false."""

    protocol: int = PROTOCOL
    ok: bool
    error: str | None = None
