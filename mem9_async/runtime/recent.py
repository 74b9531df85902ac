"""Delivered jobs that recall may not show yet: mem9 takes seconds to minutes after its 202."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mem9_async.models.job import Payload, PendingWrite
from mem9_async.models.memory import SearchQuery
from mem9_async.models.space import Lane, Space
from mem9_async.runtime.matching import Matcher, normalise

_MAX_JOBS = 2_000
_MAX_BYTES = 4 * 1024 * 1024
_LOOKED_AT = 300  # newest of a scope that a search compares

_SpaceKey = tuple[str, str]


@dataclass(slots=True)
class _Delivered:
    session_id: str | None
    agent_id: str
    text: str
    normal: str
    accepted_at: float
    delivered_at: float
    _teller: Matcher | None = None

    @property
    def teller(self) -> Matcher:
        """Its words, made ready when first asked for: most jobs are never compared."""
        if self._teller is None:
            self._teller = Matcher(self.normal)
        return self._teller

    def is_in(self, query: SearchQuery) -> bool:
        return query.session_id in (None, self.session_id) and query.agent_id in (
            None,
            self.agent_id,
        )


class _Recalled:
    """One recalled content, made ready to be compared once with all that was said."""

    def __init__(self, content: str) -> None:
        self._normal = normalise(content)
        self._matcher: Matcher | None = None

    def says(self, job: _Delivered) -> bool:
        """Whether it holds what *job* told, in mem9's words."""
        if job.normal.strip() in self._normal:
            return True
        # mem9 rewrites what it is told: the words must agree in both directions, not the text.
        if not job.teller.matches_normal(self._normal):
            return False
        if self._matcher is None:
            self._matcher = Matcher(self._normal)
        return self._matcher.matches_normal(job.normal)


class Recent:
    """What was delivered lately, bounded in time, count and bytes; memory only."""

    def __init__(self, *, window_s: float, now: Callable[[], float]) -> None:
        self._window_s = window_s
        self._now = now
        self._order: OrderedDict[str, _SpaceKey] = OrderedDict()
        self._spaces: dict[_SpaceKey, OrderedDict[str, _Delivered]] = {}
        self._bytes = 0

    def add(self, job_id: str, lane: Lane, payload: Payload, accepted_at: float) -> None:
        """Remember one job that mem9 has just taken."""
        if self._window_s <= 0:
            return
        text = payload.text
        job = _Delivered(
            lane.session_id, lane.agent_id, text, normalise(text), accepted_at, self._now()
        )
        key = _space_key(lane.space)
        self._spaces.setdefault(key, OrderedDict())[job_id] = job
        self._order[job_id] = key
        self._bytes += len(text)
        while len(self._order) > _MAX_JOBS or self._bytes > _MAX_BYTES:
            self._forget(next(iter(self._order)))

    def knows(self, space: Space) -> bool:
        """Whether anything of the space was delivered lately."""
        return _space_key(space) in self._spaces

    def holds(self, job_id: str, space: Space | None) -> bool:
        """Whether this job of *space* was delivered lately."""
        key = self._order.get(job_id)
        return key is not None and space is not None and key == _space_key(space)

    def find(
        self, query: SearchQuery, matcher: Matcher, recalled: Iterable[str], *, limit: int
    ) -> list[PendingWrite]:
        """The newest *limit* jobs in *query*'s scope that match and that recall does not show.

        A job whose words stand in one of the *recalled* contents is forgotten: it has arrived.
        """
        now = self._now()
        self._expire(now)
        contents = [_Recalled(content) for content in recalled]
        found: list[PendingWrite] = []
        arrived: list[str] = []
        looked_at = 0
        for job_id, job in reversed(self._spaces.get(_space_key(query.space), {}).items()):
            if len(found) >= limit or looked_at >= _LOOKED_AT:
                break
            if not job.is_in(query):
                continue
            looked_at += 1
            if not matcher.matches_normal(job.normal):
                continue
            if any(content.says(job) for content in contents):
                arrived.append(job_id)
                continue
            age_s = round(now - job.accepted_at, 3)
            found.append(
                PendingWrite(job_id=job_id, content=job.text, state="delivered", age_s=age_s)
            )
        for job_id in arrived:
            self._forget(job_id)
        return found

    def _expire(self, now: float) -> None:
        while self._order:
            job_id, key = next(iter(self._order.items()))
            if now - self._spaces[key][job_id].delivered_at <= self._window_s:
                return
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        key = self._order.pop(job_id)
        jobs = self._spaces[key]
        self._bytes -= len(jobs.pop(job_id).text)
        if not jobs:
            del self._spaces[key]


def _space_key(space: Space) -> _SpaceKey:
    # Two strings compare much faster than two models, and there are hundreds to compare.
    return space.base_url, space.key
