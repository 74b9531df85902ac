"""Whether a refusal is about one job's content or about everything a space sends.

A gateway that refuses some content says the same as one that refuses everything. What tells
them apart is what becomes of the space's other jobs.
"""

from dataclasses import dataclass, field

_KEPT_MOST = 1_000  # dead letters of one space that are remembered


@dataclass(slots=True)
class _Refused:
    jobs: set[str] = field(default_factory=set)
    unproven: list[str] = field(default_factory=list)
    all_were: bool = False


class Refusals:
    """Per space, what was refused since something of it was last taken. In memory only."""

    def __init__(self) -> None:
        self._spaces: dict[int, _Refused] = {}
        self._cleared: dict[int, set[str]] = {}

    def refused(self, space_id: int, job_id: str) -> int:
        """Note a refused job; return how many different ones were, with nothing taken between."""
        found = self._spaces.setdefault(space_id, _Refused())
        if len(found.jobs) < _KEPT_MOST:
            found.jobs.add(job_id)
        return len(found.jobs)

    def parked(self, space_id: int) -> None:
        """The space waits, because every job of it was refused."""
        self._spaces.setdefault(space_id, _Refused()).all_were = True

    def dead_lettered(self, space_id: int, job_id: str) -> None:
        """Note a job that became a dead letter though nothing proves that its content was why.

        One that was cleared before and refused again is not cleared a second time.
        """
        found = self._spaces.setdefault(space_id, _Refused())
        if job_id not in self._cleared.get(space_id, ()) and len(found.unproven) < _KEPT_MOST:
            found.unproven.append(job_id)

    def round_again(self, space_id: int) -> tuple[str, ...]:
        """Return the unproven dead letters, where nothing else is left to ask with; forget them."""
        found = self._spaces.get(space_id)
        if found is None or not found.all_were:
            return ()
        unproven, found.unproven = tuple(found.unproven), []
        return unproven

    def taken(self, space_id: int) -> tuple[str, ...]:
        """Something of the space was taken; return the dead letters that this clears.

        Where everything had been refused, those were refused with the rest: they deserve another
        try. Where it had not, the success speaks against them.
        """
        found = self._spaces.pop(space_id, None)
        if found is None or not found.all_were:
            return ()
        self._cleared[space_id] = set(found.unproven)
        return tuple(found.unproven)

    def forget(self, space_id: int) -> None:
        """Drop what is remembered of a space that holds nothing any more."""
        self._spaces.pop(space_id, None)
        self._cleared.pop(space_id, None)
