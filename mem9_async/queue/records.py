"""What journal, lanes and deliverer say to each other. Bytes, and UTC epoch seconds."""

from dataclasses import dataclass

from mem9_async.models.batch import Batch
from mem9_async.models.job import JobReport, JobState, Payload
from mem9_async.models.outcome import Outcome
from mem9_async.models.space import Lane


@dataclass(frozen=True, slots=True)
class Appended:
    """One job after the commit: its id, or the id of the equal job that waits already."""

    job_id: str
    lane_id: int
    space_id: int
    lane_name: str
    size: int
    deduplicated: bool


@dataclass(frozen=True, slots=True)
class Frozen:
    """A batch on its way, with what deciding about its outcome needs."""

    row: int
    lane_id: int
    space_id: int
    batch: Batch
    size: int
    oldest_at: float
    first_attempt_at: float
    maybe_sent: bool
    from_split: bool
    lane_name: str  #: keyed hashes, 8 hex, for logs
    space_name: str
    next_at: float | None  #: when the oldest job left waiting in the lane was accepted
    lost: int = 0  #: jobs set aside on the way here: they failed their integrity check
    lost_size: int = 0  #: their bytes
    references: tuple[str, ...] = ()  #: what people call what its jobs belong to


@dataclass(frozen=True, slots=True)
class FrozenRef:
    """A frozen batch that waits for its next attempt."""

    row: int
    jobs: int
    size: int
    oldest_at: float
    due_at: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a lane holds when the journal is opened or adopted."""

    lane_id: int
    space_id: int
    endpoint: str | None  #: None while the key of the space is not known
    waiting: int
    waiting_bytes: int
    oldest_at: float
    newest_at: float
    frozen: tuple[FrozenRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Park:
    """A space that waits for an outside condition."""

    space_id: int
    reason: str
    parked_at: float
    until: float
    step: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class DeadSpace:
    """A space with dead letters: the newest one's outcome, and when it was set aside."""

    space_id: int
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True)
class SpaceStats:
    """One space's jobs by state, and the newest failures among them."""

    counts: dict[JobState, int]
    oldest_at: float | None
    lanes: tuple[tuple[int, int, float], ...] = ()  #: lane_id, depth, oldest_at
    last_errors: tuple[JobReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job still on its way, opened for a search over pending writes."""

    job_id: str
    lane: Lane
    payload: Payload
    accepted_at: float


@dataclass(frozen=True, slots=True)
class KnownLane:
    """A lane and its number in this journal; `lane` is None while its key is not known.

    `fingerprint` is the keyed hash (8 hex) that stands for it in logs and answers.
    """

    lane_id: int
    space_id: int
    digest: bytes
    lane: Lane | None
    fingerprint: str
