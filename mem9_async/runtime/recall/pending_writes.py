"""What was accepted and recall may not show yet, by space: bounded, and in memory only.

A job is here from its acceptance on. mem9 takes seconds to minutes after its 202, so a delivered
job stays for a while. What an earlier process accepted is loaded from the journal once, when its
space is searched; a search itself never depends on how long the queue is.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from mem9_async.models.job import Payload
from mem9_async.models.memory import SearchQuery
from mem9_async.models.space import Lane, Space
from mem9_async.text.matching import Matcher, normalise

LOOKED_AT = 300  # newest of a scope that a search compares
_LOOKED_AT_FIRST = 20  # and of these at one time, then four times as many
_MAX_JOBS, _MAX_CHARS = 10_000, 8 * 1024 * 1024
_MAX_JOBS_OF_A_SPACE = 2_000
_MAX_LOADED_SPACES = 1_000

_PINNED, _EXTRACTED = frozenset({"pinned"}), frozenset({"insight", "session"})

_SpaceKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """One matching job. `accepted_at` in the clock's seconds."""

    job_id: str
    text: str
    accepted_at: float
    delivered: bool


@dataclass(slots=True)
class _Entry:
    session_id: str | None
    agent_id: str
    app_id: str | None
    pinned: bool
    tags: tuple[str, ...]
    text: str
    accepted_at: float
    delivered_at: float | None = None
    _normal: str | None = None
    _teller: Matcher | None = None

    # Both are made ready when first asked for: most jobs are never compared.

    @property
    def normal(self) -> str:
        if self._normal is None:
            self._normal = normalise(self.text)
        return self._normal

    @property
    def teller(self) -> Matcher:
        if self._teller is None:
            self._teller = Matcher(self.normal)
        return self._teller

    def is_in(self, query: SearchQuery) -> bool:
        """Whether *query*'s filters would let mem9 show what becomes of the job.

        mem9 keeps neither agent nor session on a pinned memory, and no tags on what it extracts.
        """
        if query.session_id not in (None, self.session_id):
            return False
        if query.app_id not in (None, self.app_id):
            return False
        if query.memory_type and not self._types.intersection(query.memory_type.split(",")):
            return False
        if self.pinned:
            return query.agent_id is None and set(self.tags).issuperset(query.tags)
        return query.agent_id in (None, self.agent_id) and not query.tags

    @property
    def _types(self) -> frozenset[str]:
        return _PINNED if self.pinned else _EXTRACTED


class _Recalled:
    """The recalled contents, made ready to be compared with what was said."""

    def __init__(self, contents: Iterable[str]) -> None:
        self._normals = [normalise(content) for content in contents]
        self._together = "\n".join(self._normals)
        self._matchers: dict[str, Matcher] = {}

    def says(self, entry: _Entry) -> bool:
        """Whether one of them holds what *entry* told, in mem9's words."""
        said = entry.normal.strip()
        if said in self._together and any(said in content for content in self._normals):
            return True
        # mem9 rewrites what it is told: the words must agree in both directions, not the text.
        return entry.teller.may_match(self._together) and any(
            entry.teller.matches_normal(content) and self._matcher(content).matches_normal(said)
            for content in self._normals
        )

    def _matcher(self, content: str) -> Matcher:
        matcher = self._matchers.get(content)
        if matcher is None:
            matcher = self._matchers[content] = Matcher(content)
        return matcher


class Underway:
    """Jobs by space, oldest first; `window_s` is how long a delivered one stays."""

    def __init__(self, *, window_s: float, now: Callable[[], float]) -> None:
        self._window_s = window_s
        self._now = now
        self._order: OrderedDict[str, _SpaceKey] = OrderedDict()
        self._spaces: dict[_SpaceKey, OrderedDict[str, _Entry]] = {}
        self._delivered: OrderedDict[str, float] = OrderedDict()
        self._chars = 0
        self._loaded: set[_SpaceKey] = set()

    def __len__(self) -> int:
        """How many jobs are known."""
        return len(self._order)

    def accepted(self, job_id: str, lane: Lane, payload: Payload, at: float) -> None:
        """A job was accepted just now."""
        self._add(job_id, lane, payload, at)
        self._shrink(_space_key(lane.space))

    def delivered(self, job_id: str, lane: Lane, payload: Payload, accepted_at: float) -> None:
        """mem9 has just taken the job; *accepted_at* counts where it is not known here."""
        now = self._now()
        if self._window_s <= 0:
            self.gone((job_id,))
            return
        if job_id not in self._order:
            self._add(job_id, lane, payload, accepted_at)
        self._spaces[self._order[job_id]][job_id].delivered_at = now
        self._delivered[job_id] = now
        self._shrink(_space_key(lane.space))

    def undelivered(self, job_ids: Iterable[str]) -> None:
        """mem9 took these jobs and lost them: they are on their way again."""
        for job_id in job_ids:
            if self._delivered.pop(job_id, None) is not None:
                self._spaces[self._order[job_id]][job_id].delivered_at = None

    def gone(self, job_ids: Iterable[str]) -> None:
        """These jobs are not on their way any more, and mem9 has not taken them."""
        for job_id in job_ids:
            if job_id in self._order:
                self._forget(job_id)

    def knows(self, space: Space) -> bool:
        """Whether anything of the space is on its way."""
        return _space_key(space) in self._spaces

    def must_load(self, space: Space) -> bool:
        """Whether the journal may hold jobs of the space that are not known here."""
        return _space_key(space) not in self._loaded

    def load(self, space: Space, jobs: Iterable[tuple[str, Lane, Payload, float]]) -> None:
        """Add *jobs*, newest first (id, lane, payload, accepted_at), as older than the known."""
        key = _space_key(space)
        if len(self._loaded) >= _MAX_LOADED_SPACES:
            self._loaded.clear()
        self._loaded.add(key)
        for job_id, lane, payload, accepted_at in jobs:
            if job_id not in self._order:
                self._add(job_id, lane, payload, accepted_at)
                self._order.move_to_end(job_id, last=False)
                self._spaces[key].move_to_end(job_id, last=False)
        self._shrink(key)

    def reload(self) -> None:
        """The journal has taken in jobs from elsewhere: every space has to be loaded anew."""
        self._loaded.clear()

    def find(
        self, query: SearchQuery, matcher: Matcher | None, recalled: Iterable[str], *, limit: int
    ) -> list[Found]:
        """The newest *limit* jobs in *query*'s scope that match and that recall does not show.

        Without a *matcher*, all that tell anything match.
        A delivered job that one of the *recalled* contents tells is forgotten: it has arrived.
        """
        self.expire()
        jobs: Iterable[tuple[str, _Entry]] = reversed(
            self._spaces.get(_space_key(query.space), {}).items()
        )
        if any((query.session_id, query.agent_id, query.app_id, query.memory_type, query.tags)):
            jobs = (each for each in jobs if each[1].is_in(query))
        contents: _Recalled | None = None
        found: list[Found] = []
        arrived: list[str] = []
        looked_at = islice(jobs, LOOKED_AT)
        telling = _matching(looked_at, matcher) if matcher else _telling(looked_at)
        for job_id, entry in telling:
            if entry.delivered_at is not None:
                contents = contents or _Recalled(recalled)
                if contents.says(entry):
                    arrived.append(job_id)
                    continue
            delivered = entry.delivered_at is not None
            found.append(Found(job_id, entry.text, entry.accepted_at, delivered))
            if len(found) == limit:
                break
        self.gone(arrived)
        return found

    def _add(self, job_id: str, lane: Lane, payload: Payload, accepted_at: float) -> None:
        key = _space_key(lane.space)
        entry = _Entry(
            session_id=lane.session_id,
            agent_id=lane.agent_id,
            app_id=lane.app_id,
            pinned=payload.kind == "pinned",
            tags=payload.tags if payload.kind == "pinned" else (),
            text=payload.told,
            accepted_at=accepted_at,
        )
        jobs = self._spaces.get(key)
        if jobs is None:
            jobs = self._spaces[key] = OrderedDict()
        jobs[job_id] = entry
        self._order[job_id] = key
        self._chars += len(entry.text)

    def _shrink(self, key: _SpaceKey) -> None:
        # The busiest space gives way first, so that it cannot push out everybody else's jobs.
        jobs = self._spaces.get(key)
        while jobs is not None and len(jobs) > _MAX_JOBS_OF_A_SPACE:
            self._forget(next(iter(jobs)))
        while len(self._order) > _MAX_JOBS or self._chars > _MAX_CHARS:
            self._forget(next(iter(self._order)))

    def expire(self) -> None:
        """Forget what was delivered longer ago than the window."""
        now = self._now()
        while self._delivered:
            job_id, delivered_at = next(iter(self._delivered.items()))
            if now - delivered_at <= self._window_s:
                return
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        key = self._order.pop(job_id)
        jobs = self._spaces[key]
        self._chars -= len(jobs.pop(job_id).text)
        self._delivered.pop(job_id, None)
        if not jobs:
            del self._spaces[key]


def _telling(jobs: Iterable[tuple[str, _Entry]]) -> Iterator[tuple[str, _Entry]]:
    """Those of *jobs* from which a fact may come."""
    return (each for each in jobs if each[1].text)


def _matching(jobs: Iterator[tuple[str, _Entry]], matcher: Matcher) -> Iterator[tuple[str, _Entry]]:
    """Those of *jobs* that match, in their order."""
    count = _LOOKED_AT_FIRST
    while several := list(islice(jobs, count)):
        # One look at all of them together: most searches match nothing that is on its way.
        if matcher.may_match("\n".join([entry.normal for _, entry in several])):
            for each in several:
                if matcher.matches_normal(each[1].normal):
                    yield each
        count *= 4


def _space_key(space: Space) -> _SpaceKey:
    # Two strings compare much faster than two models, and there are hundreds to compare.
    return space.base_url, space.key
