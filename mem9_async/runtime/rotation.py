"""A key that mem9 refuses and its replacement: the backlog follows, once the new key is good."""

import time
from collections.abc import Callable, Coroutine

import structlog

from mem9_async.client.client import Mem9Client
from mem9_async.models.errors import RequestFailed
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Lane, Space
from mem9_async.queue.clock import Clock
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.journal.readdress import Readdress
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.sealing import SealBroken
from mem9_async.runtime.news import News
from mem9_async.runtime.underway import Underway

log = structlog.get_logger()

_LOOK_AGAIN_S = _ASK_AGAIN_S = 5.0
_REMEMBERED = 1_000

Spawn = Callable[[Coroutine[object, object, None]], None]


class Rotation:
    """Watches for replaced keys; belongs to the loop's thread."""

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
        spawn: Spawn,
    ) -> None:
        self._client = client
        self._addresses = journal.addresses
        self._readdress = Readdress(journal)
        self._lanes = lanes
        self._parking = parking
        self._recovery = recovery
        self._deliverer = deliverer
        self._news = news
        self._clock = clock
        self._underway = underway
        self._spawn = spawn
        self._asked = _Lately(_ASK_AGAIN_S)
        self._looked = _Lately(_LOOK_AGAIN_S)

    def stored(self, lane: Lane, space_id: int, owner: str) -> None:
        """*owner* has stored something in the space: it may be a new key for an old backlog."""
        news = False
        try:
            news = self._readdress.note_owner(lane.space, space_id, owner)
        except JournalError as exc:
            # The job itself is committed; without this note its key cannot be replaced later.
            _not_written(exc)
        self.look(lane.agent_id, news=news)

    def look(self, agent_id: str, *, news: bool = False) -> None:
        """Look for replacements of refused keys; costs nothing while no key is refused.

        Every few seconds for each of them, and at once where *news* of an owner has come.
        """
        for park in self._parking.all():
            if park.reason != ErrorType.AUTH:
                continue
            if self._looked.was(park.space_id) and not news:
                continue
            try:
                new_id = self._readdress.successor(park.space_id)
            except JournalError as exc:
                _not_written(exc)  # whoever has called has nothing to do with it
                return
            if new_id is None or self._asked.was(new_id):
                continue
            self._spawn(self._replace(park.space_id, new_id, agent_id))

    def forget(self, space_ids: set[int]) -> None:
        """Drop what is remembered of spaces that the journal has forgotten."""
        self._readdress.forget(space_ids)

    def proven(self, space: Space) -> None:
        """mem9 has just accepted the space's key: what was held for the key goes at once."""
        if not self._parking.all():
            return
        space_id = self._addresses.find_space(space)
        park = None if space_id is None else self._parking.get(space_id)
        if park is not None and park.reason in (ErrorType.AUTH, ErrorType.NOT_FOUND):
            self._parking.probe_now(park.space_id, self._clock.now())
            self._deliverer.wake()

    async def _replace(self, old_id: int, new_id: int, agent_id: str) -> None:
        try:
            new = self._addresses.space(new_id)
            if new is None or not await self._is_good(new, agent_id):
                return
            self._move(old_id, new_id)
        except (JournalError, SealBroken) as exc:
            _not_written(exc)  # the jobs stay where they are, and the next look finds them there

    def _move(self, old_id: int, new_id: int) -> None:
        if self._parking.get(old_id) is None or self._lanes.in_flight_of(old_id):
            return
        held = self._lanes.space_depth(old_id)
        touched = self._readdress.move(old_id, new_id)
        if touched is None:
            return
        self._lanes.drop(old_id)
        self._parking.forget(old_id)
        self._news.forget(old_id)
        now = self._clock.now()
        for backlog in self._recovery.backlogs(touched):
            self._lanes.restored(backlog, now)
        self._underway.reload()
        self._deliverer.wake()
        log.info(
            "space.resumed",
            space=self._parking.fingerprint(new_id),
            reason="the key was replaced",
            jobs=held,
        )

    async def _is_good(self, space: Space, agent_id: str) -> bool:
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
