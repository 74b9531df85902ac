"""Decides what has become of taken batches: a clock and evidence go in, verdicts come out.

Only positive evidence has anything sent again; silence never does, as a turn without anything
worth keeping leaves no trace either.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mem9_async.models.evidence import Fact, ModelCalls, Process
from mem9_async.queue.watch.servers import Server
from mem9_async.queue.watch.spaces import SpaceNews, SpaceWatch
from mem9_async.queue.watch.watched import Schedule, Watched

_RESENDS_MOST = 3


class End(StrEnum):
    """What a watch ends in."""

    REMEMBERED = "remembered"
    UNCONFIRMED = "unconfirmed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One batch's end. `reason` of a loss: server_restarted, llm_failing, not_remembering."""

    end: End
    batch: Watched
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A list that is due: of one agent in one space."""

    space_id: int
    agent_id: str
    endpoint: str


class Watch:
    """Everything taken and not yet seen."""

    def __init__(self, schedule: Schedule, *, max_jobs: int, max_bytes: int) -> None:
        self._schedule = schedule
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._batches: dict[int, Watched] = {}
        self._looks: dict[tuple[int, str], float] = {}
        self._servers: dict[str, Server] = {}
        self._spaces: dict[int, SpaceWatch] = {}
        self._jobs = self._bytes = 0

    def __len__(self) -> int:
        return self._jobs

    # What happened

    def took(self, batch: Watched, now: float, *, just_now: bool = True) -> None:
        """mem9 has taken *batch*; not *just_now*: before this process began."""
        if just_now:
            self.server(batch.endpoint).note(batch)
        self.forget([batch.row])
        self._batches[batch.row] = batch
        self._jobs += batch.jobs
        self._bytes += batch.size
        key = batch.space_id, batch.agent_id
        first = now + (self._schedule.look_after(0.0) or 0.0)
        self._looks[key] = min(first, self._looks.get(key, first))

    def forget(self, rows: Iterable[int]) -> None:
        """These are watched no longer."""
        for row in rows:
            if (batch := self._batches.pop(row, None)) is not None:
                self._jobs -= batch.jobs
                self._bytes -= batch.size

    def server(self, endpoint: str) -> Server:
        """What is known of the server at *endpoint*."""
        return self._servers.setdefault(endpoint, Server())

    def facts(self, look: Look, facts: Iterable[Fact], now: float) -> set[int]:
        """The newest facts of an agent; returns the lanes of which a batch was seen just now."""
        mine = [
            batch
            for batch in self._batches.values()
            if (batch.space_id, batch.agent_id) == (look.space_id, look.agent_id)
        ]
        lanes = set()
        for fact in facts:
            for batch in mine:
                unseen = batch.seen_at is None
                if batch.met(fact, now) and unseen:
                    lanes.add(batch.lane_id)
                    self._space(batch.space_id).saw(batch)
        for batch in mine:
            batch.looked_at = now
        return lanes

    def process(self, endpoint: str, process: Process, now: float) -> None:
        """*process* answered there."""
        self.server(endpoint).process(process, now)

    def model(self, endpoint: str, calls: ModelCalls, now: float) -> None:
        """What the server's counters say of its model."""
        self.server(endpoint).model(calls, now, patience_s=self._schedule.grace_s)

    # What to do

    def due(self, now: float) -> list[Look]:
        """The lists to ask for at *now*; each is due again later, while there is something."""
        found = []
        for key, at in list(self._looks.items()):
            if at > now:
                continue
            mine = [b for b in self._batches.values() if (b.space_id, b.agent_id) == key]
            if not mine:
                del self._looks[key]
                continue
            newest = max(batch.taken_at for batch in mine)
            after = self._schedule.look_after(max(0.0, now - newest))
            last = self._schedule.silent_s
            self._looks[key] = newest + after if after else now + last
            found.append(Look(*key, mine[0].endpoint))
        return found

    @property
    def next_at(self) -> float | None:
        """When a list is due next."""
        return min(self._looks.values(), default=None)

    @property
    def endpoints(self) -> set[str]:
        """Where something is being watched."""
        return {batch.endpoint for batch in self._batches.values()}

    def verdicts(self, now: float) -> list[Verdict]:
        """What has been decided by *now*; each batch in it is watched no longer."""
        found = [
            verdict
            for batch in self._batches.values()
            if (verdict := self._judged(batch, now)) is not None
        ]
        self.forget(verdict.batch.row for verdict in found)
        found += self._crowded_out()
        return found

    def news(self, now: float) -> list[SpaceNews]:
        """What is to be told of spaces that do not remember, or do again."""
        found = []
        for space_id, space in self._spaces.items():
            mine = [b for b in self._batches.values() if b.space_id == space_id]
            if (told := space.news(mine, self._schedule, now)) is not None:
                found.append(told)
        return found

    def silent_spaces(self) -> dict[int, str]:
        """Every space that does not remember at present, and why."""
        return {each.space_id: each.reason for each in self._spaces.values() if each.reason}

    def not_remembering(self, space_id: int) -> str | None:
        """Why the space does not remember at present; None when it does, as far as is known."""
        space = self._spaces.get(space_id)
        return None if space is None else space.reason

    def _judged(self, batch: Watched, now: float) -> Verdict | None:
        server, schedule = self.server(batch.endpoint), self._schedule
        restarted_at = server.restarted_since(batch)
        if restarted_at is None and batch.is_whole(now, schedule.quiet_s):
            return Verdict(End.REMEMBERED, batch)
        if batch.texts <= batch.named and batch.seen_at is not None:
            return Verdict(End.REMEMBERED, batch)
        if restarted_at is not None and not batch.held:
            waited = now - max(restarted_at, batch.taken_at) >= server.patience(schedule.grace_s)
            if waited and batch.looked_at >= restarted_at and batch.resends < _RESENDS_MOST:
                return Verdict(End.LOST, batch, "server_restarted")
        elif batch.seen_at is None and now - batch.taken_at >= schedule.grace_s:
            lost = self._lost_to_the_model(batch, server, now)
            if lost is not None:
                return lost
        if now - batch.taken_at >= schedule.window_s and not batch.held:
            self._space(batch.space_id).missed(batch)
            return Verdict(End.UNCONFIRMED, batch)
        return None

    def _lost_to_the_model(self, batch: Watched, server: Server, now: float) -> Verdict | None:
        space = self._space(batch.space_id)
        if server.has_no_model:
            space.blame("no_llm")
            if batch.resends < _RESENDS_MOST:
                return Verdict(End.LOST, batch, "not_remembering")
            return None
        again = batch.resends < _RESENDS_MOST
        if batch.held and space.recovered_since(batch.taken_at):
            batch.held = False
            return Verdict(End.LOST, batch, "llm_failing") if again else None
        failed, good = server.calls_since(batch)
        if not (failed or batch.held):
            return None
        if good and not batch.held:
            if batch.resends < 1:
                return Verdict(End.LOST, batch, "llm_failing")
            return None
        batch.held = True
        space.blame("llm_failing")
        if again and space.lets_one_go(self._schedule, now):
            return Verdict(End.LOST, batch, "llm_failing")
        return None

    def _crowded_out(self) -> list[Verdict]:
        found = []
        for row in list(self._batches):
            if self._jobs <= self._max_jobs and self._bytes <= self._max_bytes:
                break
            found.append(Verdict(End.UNCONFIRMED, self._batches[row]))
            self.forget([row])
        return found

    def _space(self, space_id: int) -> SpaceWatch:
        return self._spaces.setdefault(space_id, SpaceWatch(space_id))
