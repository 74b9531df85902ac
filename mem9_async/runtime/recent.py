"""Delivered jobs that recall may not show yet: mem9 takes seconds to minutes after its 202."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mem9_async.models.job import Payload, PendingWrite
from mem9_async.models.space import Lane, Space
from mem9_async.runtime.matching import Matcher, normalise

_MAX_JOBS = 2_000
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Delivered:
    lane: Lane
    text: str
    accepted_at: float
    delivered_at: float


class Recent:
    """What was delivered lately, bounded in time, count and bytes; memory only."""

    def __init__(self, *, window_s: float, now: Callable[[], float]) -> None:
        self._window_s = window_s
        self._now = now
        self._jobs: OrderedDict[str, _Delivered] = OrderedDict()
        self._bytes = 0

    def add(self, job_id: str, lane: Lane, payload: Payload, accepted_at: float) -> None:
        """Remember one job that mem9 has just taken."""
        if self._window_s <= 0:
            return
        job = _Delivered(lane, payload.text, accepted_at, self._now())
        self._jobs[job_id] = job
        self._bytes += len(job.text)
        while len(self._jobs) > _MAX_JOBS or self._bytes > _MAX_BYTES:
            self._forget(next(iter(self._jobs)))

    def holds(self, job_id: str, space: Space | None) -> bool:
        """Whether this job of *space* was delivered lately."""
        job = self._jobs.get(job_id)
        return job is not None and job.lane.space == space

    def find(
        self,
        lane_matches: Callable[[Lane], bool],
        matcher: Matcher,
        recalled: Iterable[str],
    ) -> list[PendingWrite]:
        """The jobs of a scope that match and that recall does not show, newest first.

        A job whose words stand in one of the *recalled* contents is forgotten: it has arrived.
        """
        now = self._now()
        contents = tuple(recalled)
        found: list[PendingWrite] = []
        for job_id, job in list(self._jobs.items()):
            if now - job.delivered_at > self._window_s:
                self._forget(job_id)
            elif lane_matches(job.lane) and matcher.matches(job.text):
                if any(_says(content, job.text) for content in contents):
                    self._forget(job_id)
                    continue
                age_s = round(now - job.accepted_at, 3)
                found.append(
                    PendingWrite(job_id=job_id, content=job.text, state="delivered", age_s=age_s)
                )
        return found[::-1]

    def _forget(self, job_id: str) -> None:
        self._bytes -= len(self._jobs.pop(job_id).text)


def _says(memory: str, said: str) -> bool:
    # mem9 rewrites what it is told: the words must agree in both directions, not the text.
    if normalise(said).strip() in normalise(memory):
        return True
    return Matcher(said).matches(memory) and Matcher(memory).matches(said)
