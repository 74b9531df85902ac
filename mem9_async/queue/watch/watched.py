"""A batch that is being watched, and the times that watching goes by."""

from dataclasses import dataclass, field

from mem9_async.models.evidence import Fact, Process, fingerprint
from mem9_async.models.job import Turn
from mem9_async.queue.journal.takes import Take

_LOOKS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_WINDOW_S = 600.0  # for which these are meant; another window scales them
_SLACK_S = 2.0  # mem9 writes whole seconds, and so does its Date


@dataclass(frozen=True, slots=True)
class Schedule:
    """When is looked, and how long is waited. Seconds."""

    window_s: float

    @property
    def scale(self) -> float:
        """How much shorter, or longer, than with the usual window everything is."""
        return self.window_s / _WINDOW_S

    @property
    def grace_s(self) -> float:
        """How long evidence of trouble may be contradicted by a row that still comes."""
        return 60.0 * self.scale

    @property
    def quiet_s(self) -> float:
        """How long no more rows have to come for a batch to count as whole."""
        return 20.0 * self.scale

    @property
    def silent_s(self) -> float:
        """After how long a batch without a row counts as silence."""
        return 300.0 * self.scale

    def look_after(self, age_s: float) -> float | None:
        """The age at which to look next; None when there is no later one."""
        return next((at * self.scale for at in _LOOKS if at * self.scale > age_s + 1e-6), None)


@dataclass(slots=True)
class Watched:
    """One taken batch. UTC epoch seconds; `held` while an outage of the model is waited out."""

    row: int
    lane_id: int
    space_id: int
    endpoint: str
    agent_id: str
    session_id: str | None
    job_ids: tuple[str, ...]
    size: int
    taken_at: float
    resends: int
    texts: frozenset[int]
    wholes: frozenset[int] = frozenset()  #: all that a turn told, as it is sent word for word
    process_before: Process | None = None  #: the one that was known then
    failed_before: int | None = None  #: the model's failures when it was taken
    good_before: int | None = None
    named: set[int] = field(default_factory=set)
    seen_at: float | None = None
    last_fact_at: float = 0.0
    looked_at: float = 0.0
    held: bool = False
    app_id: str | None = None

    @property
    def jobs(self) -> int:
        """How many jobs it holds."""
        return len(self.job_ids)

    def met(self, fact: Fact, now: float) -> bool:
        """Whether *fact* came of this batch; then it is seen."""
        if fact.app_id != self.app_id:
            return False
        mine = fact.turns & self.texts
        if fact.text in self.wholes:
            mine = self.texts
        elif fact.text in self.texts:
            mine = mine | {fact.text}
        if not mine:
            if fact.turns or fact.session_id != self.session_id:
                return False
            if fact.updated_at < self.taken_at - _SLACK_S:
                return False
        elif fact.updated_at < self.taken_at - _SLACK_S and self.resends == 0:
            return False  # an older turn said the same
        news = mine - self.named or self.seen_at is None
        if news:
            self.last_fact_at = now
        self.named |= mine
        self.seen_at = self.seen_at or now
        return True

    def is_whole(self, now: float, quiet_s: float) -> bool:
        """Whether all of it was seen, as far as anybody can tell."""
        if self.seen_at is None:
            return False
        return self.texts <= self.named or now - self.last_fact_at >= quiet_s


def watched(take: Take) -> Watched:
    """The take as it is watched; of what it says, only fingerprints are kept in memory."""
    lane, payloads = take.batch.lane, take.batch.payloads
    texts = [
        message.content
        for payload in payloads
        if isinstance(payload, Turn)
        for message in payload.messages
        if message.role == "user"
    ]
    return Watched(
        row=take.row,
        lane_id=take.lane_id,
        space_id=take.space_id,
        endpoint=lane.space.base_url,
        agent_id=lane.agent_id,
        session_id=lane.session_id,
        app_id=lane.app_id,
        job_ids=take.batch.job_ids,
        size=sum(payload.size_bytes for payload in payloads),
        taken_at=take.taken_at,
        resends=take.resends,
        texts=frozenset(map(fingerprint, texts)),
        wholes=frozenset(fingerprint(payload.told) for payload in payloads),
    )
