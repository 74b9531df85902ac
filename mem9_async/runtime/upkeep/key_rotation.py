"""A refused key or a wrong address, and its replacement: the backlog follows to a good one.

Good is a new space of which mem9 has taken something, or has said so. It is asked so that the
backlog can go in front: what is new there waits a moment for the answer. A store that waits for its
own outcome is not held back, and whoever is in trouble at several addresses has to prove the next
one with a store.
"""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import structlog

from mem9_async.client.client import Mem9Client
from mem9_async.models.errors import RequestFailed
from mem9_async.models.job import NewJob
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Space
from mem9_async.queue.clock import Clock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.journal.rekeying import Readdress
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.sealing import SealBroken
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.status.news import News

log = structlog.get_logger()

_LOOK_AGAIN_S = _ASK_AGAIN_S = 5.0
_HELD_S = 2.0  # what is new waits no longer than this for the answer
_REMEMBERED = 1_000
_AGENT_ID = "dify"  # asks in nobody's name whether a key is good

Spawn = Callable[[Coroutine[object, object, None]], None]


class Rotation:
    """Watches for replaced keys and corrected addresses; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        client: Mem9Client,
        journal: Journal,
        lanes: Lanes,
        parking: Parking,
        recovery: Recovery,
        deliverer: Deliverer,
        news: News,
        clock: Clock,
        underway: Underway,
        has_served: Callable[[int], bool],
        spawn: Spawn,
    ) -> None:
        """*has_served* says whether mem9 has taken something of a space."""
        self._client = client
        self._journal = journal
        self._addresses = journal.addresses
        self._readdress = Readdress(journal)
        self._reports = Reports(journal)
        self._lanes = lanes
        self._parking = parking
        self._recovery = recovery
        self._deliverer = deliverer
        self._news = news
        self._clock = clock
        self._underway = underway
        self._has_served = has_served
        self._spawn = spawn
        self._asked = _Lately(_ASK_AGAIN_S)
        self._looked_from = _Lately(_LOOK_AGAIN_S)
        self._looked_for = _Lately(_LOOK_AGAIN_S)
        #: What may have been replaced lately: the others of an owner that has come to a new space.
        self._watched: dict[int, None] = {}
        self._heirs: dict[int, _Heir] = {}

    def stored(self, job: NewJob, space_id: int) -> None:
        """*job* is in the space: its owner may have a backlog that waits for that."""
        if job.owner is not None:
            lane = job.lane
            use = _Use(lane.agent_id, stored=True, waits=job.wait)
            self._used(lane.space, space_id, job.owner, use)

    def asked(self, space: Space, owner: str, *, dead: bool) -> None:
        """*owner* wants what is held for the space sent: what the space has replaced is meant too.

        With *dead*, the dead letters of that are the space's own from now on.
        """
        try:
            with self._journal.file.transaction():
                space_id = self._addresses.know_space(space)
            self._used(space, space_id, owner, _Use(_AGENT_ID, stored=False, waits=False))
            if not dead:
                return
            for old_id in self._readdress.others(space, space_id, owner):
                if self._readdress.replaces(space_id, old_id):
                    self._readdress.move_dead(old_id, space_id, now=self._clock.now())
        except (JournalError, SealBroken) as exc:
            _not_written(exc)  # they stay where they are, and may be asked for again

    def _used(self, space: Space, space_id: int, owner: str, use: "_Use") -> None:
        """Look for a backlog that waits for this space; costs nothing while no space is in trouble.

        Every few seconds, and at once where the owner is news.
        """
        try:
            news = self._readdress.note_owner(space, space_id, owner, stored=use.stored)
            if news:
                self._watch(self._readdress.others(space, space_id, owner))
            if not self._news.any_failed or (self._looked_from.was(space_id) and not news):
                return
            found = [
                old_id
                for old_id in self._readdress.others(space, space_id, owner)
                if self._news.has_missed(old_id)
                and (
                    self._successor(old_id) == space_id
                    or self._readdress.replaces(space_id, old_id)
                )
            ]
            for old_id in found:
                ask = not use.stored or (len(found) == 1 and not use.waits)
                self._follow(old_id, space_id, use.agent_id, ask=ask)
        except JournalError as exc:
            # Whoever has called has nothing to do with it: the job itself is committed.
            _not_written(exc)

    def _watch(self, space_ids: list[int]) -> None:
        for space_id in space_ids:
            self._watched.pop(space_id, None)
            self._watched[space_id] = None
        while len(self._watched) > _REMEMBERED:
            del self._watched[next(iter(self._watched))]

    def failed(self, space_id: int, agent_id: str, *, refused: bool) -> None:
        """A request for the space came to nothing: it may have been replaced."""
        heir = self._heirs.get(space_id)
        if heir is None:
            # In an outage everybody fails, and most of them have been replaced by nothing.
            if not refused and space_id not in self._watched:
                return
            if self._looked_for.was(space_id):
                return
        try:
            if heir is not None and heir.good:
                self._move(space_id)
            elif (new_id := self._successor(space_id)) is not None:
                self._follow(space_id, new_id, agent_id, ask=False)
        except (JournalError, SealBroken) as exc:
            _not_written(exc)  # the jobs stay where they are, and the next look finds them there

    def delivered(self, space_id: int) -> None:
        """mem9 has taken something of the space: what waits for it to be good may follow."""
        if not self._heirs:
            return
        self._heirs.pop(space_id, None)
        for old_id, heir in list(self._heirs.items()):
            if heir.new_id == space_id:
                heir.good = True
                self._try_to_move(old_id)

    def _successor(self, old_id: int) -> int | None:
        # Another key is no replacement of one that was never refused.
        park = self._parking.get(old_id)
        refused = park is not None and park.reason == ErrorType.AUTH
        return self._readdress.successor(old_id, any_key=refused)

    def _follow(self, old_id: int, new_id: int, agent_id: str, *, ask: bool) -> None:
        heir = self._heirs.get(old_id)
        if heir is None or heir.new_id != new_id:
            heir = self._heirs[old_id] = _Heir(new_id, self._journal.numbering.last_seq)
        same_key = self._readdress.same_key(old_id, new_id)
        heir.good = heir.good or (same_key and self._has_served(new_id))
        if heir.good:
            self._try_to_move(old_id)
        elif (ask or not same_key) and not self._asked.was(new_id):
            if ask and heir.held_until is None:  # the first time only
                heir.held_until = self._clock.now() + _HELD_S
                self._lanes.pause(new_id, heir.held_until)
            self._spawn(self._replace(old_id, heir, agent_id))

    def forget(self, space_ids: set[int]) -> None:
        """Drop what is remembered of spaces that the journal has forgotten."""
        self._readdress.forget(space_ids)
        for space_id in space_ids:
            self._heirs.pop(space_id, None)
            self._watched.pop(space_id, None)
            self._news.forget(space_id)

    def proven(self, space: Space) -> None:
        """mem9 has just accepted the space's key: what was held for the key goes at once."""
        if not self._parking.all():
            return
        space_id = self._addresses.find_space(space)
        park = None if space_id is None else self._parking.get(space_id)
        if park is not None and park.reason in (ErrorType.AUTH, ErrorType.NOT_FOUND):
            self._parking.probe_now(park.space_id, self._clock.now())
            self._deliverer.wake()

    async def _replace(self, old_id: int, heir: "_Heir", agent_id: str) -> None:
        try:
            new = self._addresses.space(heir.new_id)
            same_key = self._readdress.same_key(old_id, heir.new_id)
            heir.good = new is not None and await self._is_good(new, agent_id, same_key=same_key)
        except (JournalError, SealBroken) as exc:
            _not_written(exc)
        if heir.good and self._heirs.get(old_id) is heir:
            self._try_to_move(old_id)
        if heir.held_until is not None:
            self._lanes.go_on(heir.new_id, paused_until=heir.held_until)
            self._deliverer.wake()

    def _try_to_move(self, old_id: int) -> None:
        try:
            self._move(old_id)
        except (JournalError, SealBroken) as exc:
            _not_written(exc)  # the jobs stay where they are, and the next look finds them there

    def _move(self, old_id: int) -> None:
        heir = self._heirs[old_id]
        if not self._news.has_missed(old_id) or self._readdress.holds_since(old_id, heir.last_seq):
            del self._heirs[old_id]  # it is in use
            return
        now = self._clock.now()
        if self._lanes.in_flight_of(old_id):
            # Whatever becomes of those, we are told; nothing new is to follow them meanwhile.
            self._lanes.pause(old_id, now + _LOOK_AGAIN_S)
            return
        held = self._lanes.space_depth(old_id)
        same_key = self._readdress.same_key(old_id, heir.new_id)
        touched = self._readdress.move(old_id, heir.new_id, now=now)
        if touched is None:
            return
        del self._heirs[old_id]
        self._lanes.drop(old_id)
        self._parking.forget(old_id)
        self._news.forget(old_id)
        self._news.dead(self._reports.dead_spaces())
        for backlog in self._recovery.backlogs(touched):
            self._lanes.restored(backlog, now)
        self._underway.reload()
        self._deliverer.wake()
        log.info(
            "space.resumed",
            space=self._parking.fingerprint(heir.new_id),
            reason="the base URL was corrected" if same_key else "the key was replaced",
            jobs=held,
        )

    async def _is_good(self, space: Space, agent_id: str, *, same_key: bool) -> bool:
        # At another address an active key does not say that the space can be reached there.
        if not same_key:
            state = await self._client.key_state(space)
            if state is not KeyState.UNDECIDED:
                return state is KeyState.ACTIVE
        try:
            await self._client.validate(space, agent_id)
        except RequestFailed:
            return False
        return True


def _not_written(exc: Exception) -> None:
    log.warning("journal.write_failed", error_type="journal_error", reason=str(exc))


@dataclass(slots=True)
class _Heir:
    """The space that a backlog is to go to. *good* once its mem9 has said so."""

    new_id: int
    last_seq: int  # of all jobs when it was found; a later one of the old space undoes it
    held_until: float | None = None
    good: bool = False


@dataclass(frozen=True, slots=True)
class _Use:
    """How a space was used: by a store, which may wait for its outcome, or by a wish to send."""

    agent_id: str
    stored: bool
    waits: bool


class _Lately:
    """What was done within the last seconds, by number. Forgets the rest."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at: dict[int, float] = {}

    def was(self, number: int) -> bool:
        """Whether it was done lately; if not, it counts as done now."""
        now = time.monotonic()
        if now - self._at.get(number, float("-inf")) < self._seconds:
            return True
        if len(self._at) >= _REMEMBERED:
            self._at = {each: at for each, at in self._at.items() if now - at < self._seconds}
        self._at[number] = now
        return False
