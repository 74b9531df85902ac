"""How one process's queue stands at one moment, for people who operate it.

The one source of `<data>/status/<boot_id>.json` and of the metrics file. It names spaces and
addresses only as a log may: by fingerprint, and without user or path.
"""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import TypeAdapter

SHAPE = 1  #: raised when a reader of the former shape would be wrong, not when a field comes
STALE_AFTER_INTERVALS = 3
LISTED_MOST = 100  #: parked spaces, silent spaces, circuits: each

HealthState = Literal["ok", "degraded", "failed", "not_remembering"]
Durability = Literal["process", "power", "none"]


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Jobs in the journal now, each in one state. The first four are on their way: `depth`."""

    available: int = 0  #: in line, or waiting for company
    retryable: int = 0  #: an attempt failed; they wait for the next one
    in_flight: int = 0
    parked: int = 0  #: their space waits for an outside condition
    taken: int = 0  #: mem9 has them; whether it keeps them is being watched
    dead: int = 0  #: dead letters

    @property
    def depth(self) -> int:
        """Jobs that are still on their way."""
        return self.available + self.retryable + self.in_flight + self.parked


@dataclass(frozen=True, slots=True)
class Totals:
    """Jobs counted by the journal since it began, over restarts.

    What came in is somewhere: accepted + adopted = delivered + dead + discarded + expired +
    present (+ rows_lost, where a journal was damaged). `delivered` falls when mem9 has lost what
    it took, and `dead` when dead letters leave.
    """

    accepted: int = 0
    adopted: int = 0  #: came with the journals of processes that are gone
    deduplicated: int = 0
    delivered: int = 0
    redelivered: int = 0  #: of those delivered, what mem9 may have had before
    remembered: int = 0
    unconfirmed: int = 0
    lost_and_sent_again: int = 0
    dead: int = 0
    replayed: int = 0
    discarded: int = 0
    expired: int = 0
    rows_lost: int = 0  #: could not be read any more when it was damaged
    present: int = 0  #: on their way now

    @property
    def unaccounted(self) -> int:
        """Jobs that are nowhere (above 0) or twice (below 0): anything but 0 is a fault of ours."""
        came = self.accepted + self.adopted
        left = self.delivered + self.dead + self.discarded + self.expired + self.rows_lost
        return came - left - self.present


@dataclass(frozen=True, slots=True)
class Rates:
    """Of the last minute, or since the start where that is shorter. Jobs and requests a second."""

    window_s: float = 0.0
    accepted_per_s: float = 0.0
    refused_per_s: float = 0.0
    delivered_per_s: float = 0.0
    attempts_per_s: float = 0.0
    failed_attempts_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ParkedSpace:
    """A space that waits for an outside condition. Times in UTC epoch seconds."""

    space: str  #: its fingerprint
    reason: str  #: quota_exhausted, auth, key_missing, ...
    since: float
    next_probe_at: float
    jobs: int
    error_code: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class HeldSpace:
    """A space that a person holds back. `since` in UTC epoch seconds."""

    space: str
    since: float
    jobs: int


@dataclass(frozen=True, slots=True)
class SilentSpace:
    """A space that takes jobs and does not remember them: no_llm, llm_failing or unknown."""

    space: str
    reason: str


@dataclass(frozen=True, slots=True)
class Circuit:
    """Whether one mem9 is asked. `endpoint` is its scheme, host and port, and nothing else."""

    endpoint: str
    state: Literal["closed", "open", "half_open"]
    in_flight: int
    limit: int  #: requests that it may have at once
    failures: int  #: in a row
    next_probe_at: float | None = None
    retry_tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class Disk:
    """The journal's file and the disk below it. Bytes; None where nothing is on a disk."""

    journal_bytes: int = 0
    wal_bytes: int = 0
    waiting_bytes: int = 0  #: content that is on its way
    capacity_bytes: int = 0
    capacity_jobs: int = 0
    free_bytes: int | None = None
    has_room: bool = True  #: False while the disk is full and new jobs are not kept


@dataclass(frozen=True, slots=True)
class Sdk:
    """Dify's SDK in this process; version None where it is not installed."""

    version: str | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often a value was at most each of *bounds* (ascending); `counts` add up from below."""

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    count: int = 0
    sum: float = 0.0


@dataclass(frozen=True, slots=True)
class Reason:
    """How often something happened for one reason, out of a closed set."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """Requests for batches that came to the same end."""

    outcome: str  #: what was done with the batch: deliver, retry, split, bury, park, pause
    status_class: str  #: 2xx, 4xx, 5xx; none where mem9 did not answer
    error_type: str  #: none for a success
    count: int


@dataclass(frozen=True, slots=True)
class Work:
    """What this process has done since it began. Distributions in seconds, but for batch_jobs."""

    rows_lost: int = 0  #: jobs that could not be read any more in damaged journals
    refused: tuple[Reason, ...] = ()
    dead: tuple[Reason, ...] = ()
    out_of_sequence: tuple[Reason, ...] = ()  #: events of agents' runs: gap, step_back
    attempts: tuple[Attempts, ...] = ()
    accept_s: Distribution = field(default_factory=Distribution)
    commit_s: Distribution = field(default_factory=Distribution)
    attempt_s: Distribution = field(default_factory=Distribution)
    delivery_s: Distribution = field(default_factory=Distribution)
    batch_jobs: Distribution = field(default_factory=Distribution)


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the history. Latencies in seconds, None where nothing happened in the step."""

    at: float  #: the step's end
    depth: int
    oldest_age_s: float | None = None
    accepted: int = 0
    refused: int = 0
    delivered: int = 0
    batches: int = 0
    failed_attempts: int = 0
    accept_p50_s: float | None = None
    accept_p99_s: float | None = None
    delivery_p50_s: float | None = None  #: accepted until delivered, by a batch's oldest job
    delivery_p99_s: float | None = None
    batch_jobs: float | None = None  #: mean of the batches delivered


@dataclass(frozen=True, slots=True)
class History:
    """The last hour, oldest first: one point in *step_s* seconds."""

    step_s: float = 10.0
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """One process. Times in UTC epoch seconds; lists hold LISTED_MOST at most."""

    boot_id: str
    pid: int
    version: str
    started_at: float
    taken_at: float
    interval_s: float  #: how often it is written; older than three of these, it is stale
    durability: Durability
    health: HealthState
    depth: int
    counts: JobCounts
    oldest_age_s: float | None
    totals: Totals
    rates: Rates
    disk: Disk
    sdk: Sdk
    shape: int = SHAPE
    journal_id: str | None = None
    journal_file: str | None = None  #: its name without the end; None where it is in memory
    durability_reason: str | None = None
    health_reason: str | None = None
    spaces: int = 0  #: that have jobs on their way
    lanes: int = 0
    batches_in_flight: int = 0
    loop_delay_s: float = 0.0  #: the longest that the loop came too late, since the last snapshot
    worker_restarts: int = 0
    parked_spaces: tuple[ParkedSpace, ...] = ()
    parked_spaces_more: int = 0  #: how many were left out
    held_since: float | None = None  #: since when a person holds everything back
    held_spaces: tuple[HeldSpace, ...] = ()
    silent_spaces: tuple[SilentSpace, ...] = ()
    circuits: tuple[Circuit, ...] = ()
    work: Work = field(default_factory=Work)
    history: History = field(default_factory=History)

    def stale(self, now: float) -> bool:
        """Whether its process should have written a newer one: it is gone, or stuck."""
        return now - self.taken_at > STALE_AFTER_INTERVALS * self.interval_s


_SNAPSHOT = TypeAdapter(StatusSnapshot)


def to_json(snapshot: StatusSnapshot) -> str:
    """One JSON object with the fields' names as keys."""
    return _SNAPSHOT.dump_json(snapshot).decode()


def from_json(text: str | bytes) -> StatusSnapshot:
    """Read what to_json() made, also by a newer version: unknown fields are left out.

    Raises ValueError for anything else.
    """
    return _SNAPSHOT.validate_json(text)
