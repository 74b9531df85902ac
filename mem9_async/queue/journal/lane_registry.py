"""Spaces and lanes as the journal knows them: sealed rows, found by keyed hash.

A key is on the disk only while something may have to be sent with it: not where keys are not to
be kept, and not for a space that has had nothing to send for an hour. What a row lacks is
brought by the next call; whoever waits for it is told by `on_key`.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from pydantic_core import from_json, to_json

from mem9_async.models.space import Lane, Space
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.space_rows import SpaceRows
from mem9_async.queue.records import KnownLane
from mem9_async.queue.sealing import SealBroken, Sealer

_LaneKey = tuple[int, str, str | None, str | None, str | None, str | None]

_KEY_KEPT_S = 3600.0  # of a space that has nothing to send: a revoked key must not stay for ever
_DIGESTS_MOST = 1_000
_NUMBER_KEPT_S = 24 * 3600.0  # answers about delivered jobs find their space by its number


class Addresses:
    """Where jobs go: gives each space and lane its number in this journal."""

    def __init__(
        self,
        file: JournalFile,
        sealer: Sealer,
        *,
        persist_keys: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._db = file.db
        self._sealer = sealer
        self._rows = SpaceRows(file, sealer)
        self._persist_keys = persist_keys
        self._monotonic = monotonic
        #: Called with number and space when a key comes that was not known; must write nothing.
        self.on_key: Callable[[int, Space], None] = lambda _space_id, _space: None
        self._spaces: dict[int, Space] = {}
        self._digests: dict[tuple[str, str], bytes] = {}
        self._space_ids: dict[tuple[str, str], int] = {}
        # Keys that no row has, by digest: a number may be handed out again, after a rollback.
        self._keys: dict[bytes, Space] = {}
        self._used_at: dict[int, float] = {}
        self._lanes: dict[int, KnownLane] = {}
        self._lane_ids: dict[_LaneKey, int] = {}
        self._names: dict[int, str] = {}
        # Numbers handed out in a transaction that is rolled back exist nowhere.
        file.on_rollback = self.forget

    def forget(self) -> None:
        """Drop every number that is remembered; all of them that were committed are found again.

        Keys that are in memory only stay: nothing else could bring them back.
        """
        self._digests.clear()
        self._spaces.clear()
        self._space_ids.clear()
        self._lanes.clear()
        self._lane_ids.clear()
        self._names.clear()

    def know_space(self, space: Space) -> int:
        """The number of *space*, recorded with its key if it is new; counts as a use."""
        space_id = self.learn(space)
        self._used_at[space_id] = self._monotonic()
        return space_id

    def find_space(self, space: Space) -> int | None:
        """The number of *space* if anything of it is recorded here; counts as a use.

        Writes nothing: a key that was missing is known from now on, but in memory only.
        """
        space_id = self._space_ids.get((space.base_url, space.key))
        if space_id is None:
            found = self._found(space, self.space_digest(space))
            if found is None:
                return None
            space_id = found[0]
        self._used_at[space_id] = self._monotonic()
        return space_id

    def learn(self, space: Space) -> int:
        """The number of *space*, recorded with its key if it is new; nobody has used it."""
        key = (space.base_url, space.key)
        space_id = self._space_ids.get(key)
        if space_id is not None:
            return space_id
        digest = self.space_digest(space)
        found = self._found(space, digest)
        if found is None:
            if not self._persist_keys:
                self._keys[digest] = space
            space_id = self._rows.insert(space, digest, with_key=self._persist_keys)
        else:
            space_id, as_wanted = found
            if not as_wanted:
                self._rows.write(space_id, space, digest, with_key=self._persist_keys)
        self._space_ids[key] = space_id
        self._spaces[space_id] = space
        return space_id

    def _found(self, space: Space, digest: bytes) -> tuple[int, bool] | None:
        """The space's number, and whether its row holds the key if and only if it should."""
        row = self._db.execute(
            "SELECT space_id, sealed FROM spaces WHERE digest = ?", (digest,)
        ).fetchone()
        if row is None:
            return None
        space_id: int = row[0]
        try:
            held = self._rows.opened(digest, row[1]) is not None
        except SealBroken:
            held = False
        self._spaces[space_id] = space
        missed = not held and digest not in self._keys
        if not (held and self._persist_keys):
            self._keys[digest] = space
        if held is self._persist_keys:
            self._space_ids[space.base_url, space.key] = space_id
        if missed:
            self.on_key(space_id, space)
        return space_id, held is self._persist_keys

    def is_used(self, space_id: int) -> bool:
        """Whether somebody has used the space in the last hour, through this process."""
        return self._monotonic() - self._used_at.get(space_id, float("-inf")) < _KEY_KEPT_S

    def space(self, space_id: int) -> Space | None:
        """The space behind the number; None while its key is not known.

        Raises SealBroken when its row was changed.
        """
        if (space := self._spaces.get(space_id)) is not None:
            return space
        row = self._db.execute(
            "SELECT digest, sealed FROM spaces WHERE space_id = ?", (space_id,)
        ).fetchone()
        if row is None:
            return None
        space = self._rows.opened(*row) or self._keys.get(row[0])
        if space is not None:
            self._spaces[space_id] = space
        return space

    def bring_key(self, space_id: int, other: Space) -> None:
        """Make the space's key known, if it was not and is that of *other*; writes nothing."""
        row = self._db.execute(
            "SELECT digest, sealed FROM spaces WHERE space_id = ?", (space_id,)
        ).fetchone()
        if row is None or self.readable_space(space_id) is not None:
            return
        with suppress(SealBroken):
            space = Space(base_url=self._rows.base_url(*row), api_key=other.api_key)
            if self.space_digest(space) == row[0]:
                self._found(space, row[0])

    def waiting_for_key(self) -> list[int]:
        """The number of every space that has something to send, but not the key to do it."""
        rows = self._db.execute(
            "SELECT space_id FROM spaces WHERE EXISTS (SELECT 1 FROM lanes l JOIN jobs j"
            " ON j.lane_id = l.lane_id AND j.state IN (0, 1)"
            " WHERE l.space_id = spaces.space_id)"
        ).fetchall()
        return [space_id for (space_id,) in rows if self._lacks_key(space_id)]

    def _lacks_key(self, space_id: int) -> bool:
        try:
            return self.space(space_id) is None
        except SealBroken:
            return False  # no key would help: its jobs are set aside when they are looked at

    def readable_space(self, space_id: int) -> Space | None:
        """The space behind the number; None when its key is not known or its row was changed."""
        try:
            return self.space(space_id)
        except SealBroken:
            return None

    def know(self, lane: Lane) -> KnownLane:
        """The lane's number and digest, recorded if it is new."""
        space_id = self.know_space(lane.space)
        lane_id = self._lane_ids.get(_lane_key(space_id, lane))
        if lane_id is not None:
            return self._lanes[lane_id]
        address = lane.address
        digest = self._lane_digest(lane.space, address)
        row = self._db.execute("SELECT lane_id FROM lanes WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            sealed = self._sealer.seal(to_json(address), b"lane" + digest)
            row = self._db.execute(
                "INSERT INTO lanes (digest, space_id, sealed) VALUES (?, ?, ?) RETURNING lane_id",
                (digest, space_id, sealed),
            ).fetchone()
        return self._remembered(
            KnownLane(row[0], space_id, digest, lane, self._sealer.fingerprint(digest))
        )

    def find_lane(self, lane: Lane) -> int | None:
        """The number of *lane* if anything of it is recorded here; writes nothing."""
        if (space_id := self.find_space(lane.space)) is None:
            return None
        if (lane_id := self._lane_ids.get(_lane_key(space_id, lane))) is not None:
            return lane_id
        digest = self._lane_digest(lane.space, lane.address)
        row = self._db.execute("SELECT lane_id FROM lanes WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else int(row[0])

    def lane(self, lane_id: int) -> KnownLane:
        """The lane behind the number. Raises SealBroken when its row was changed."""
        known = self._lanes.get(lane_id)
        if known is not None:
            return known
        row = self._db.execute(
            "SELECT digest, space_id, sealed FROM lanes WHERE lane_id = ?", (lane_id,)
        ).fetchone()
        if row is None:
            raise SealBroken("the lane's row is gone")
        digest, space_id, sealed = row
        address = from_json(self._sealer.unseal(sealed, b"lane" + digest))
        space = self.space(space_id)
        if space is None:
            return KnownLane(lane_id, space_id, digest, None, self._sealer.fingerprint(digest))
        if self._lane_digest(space, address) != digest:
            raise SealBroken("the lane's row names another space than it was made for")
        lane = Lane(space=space, **address)
        return self._remembered(
            KnownLane(lane_id, space_id, digest, lane, self._sealer.fingerprint(digest))
        )

    def _remembered(self, known: KnownLane) -> KnownLane:
        if (lane := known.lane) is not None:
            self._lanes[known.lane_id] = known
            self._lane_ids[_lane_key(known.space_id, lane)] = known.lane_id
        return known

    def readable(self, lane_id: int) -> KnownLane | None:
        """The lane behind the number; None when its row was changed."""
        try:
            return self.lane(lane_id)
        except SealBroken:
            return None

    def space_name(self, space_id: int) -> str:
        """The keyed hash (8 hex) that stands for the space in logs and answers."""
        name = self._names.get(space_id)
        if name is None:
            row = self._db.execute(
                "SELECT digest FROM spaces WHERE space_id = ?", (space_id,)
            ).fetchone()
            name = self._names[space_id] = self._sealer.fingerprint(row[0] if row else b"")
        return name

    def settle_keys(self) -> None:
        """Take keys off the disk where they are not to be kept; they stay known in memory."""
        if not self._persist_keys:
            self._keys.update(self._rows.take_all_keys_off())
            self.forget()

    def prune(self) -> set[int]:
        """Forget lanes without jobs, and spaces that have nothing to send and that nobody uses.

        Their keys leave the disk after an hour, their numbers and owners after a day.
        Returns the numbers that are forgotten.
        """
        now = self._monotonic()
        self._used_at = {
            space_id: at for space_id, at in self._used_at.items() if now - at < _NUMBER_KEPT_S
        }
        gone = self._rows.remove_idle(self._used_at)
        self._rows.take_idle_keys_off(
            space_id for space_id, at in self._used_at.items() if now - at < _KEY_KEPT_S
        )
        self.settle_keys()
        self.forget()
        if self._keys:
            left = self._rows.digests()
            self._keys = {digest: each for digest, each in self._keys.items() if digest in left}
        return gone

    def names(self, lane_id: int) -> tuple[str, str]:
        """The fingerprints of a lane's space and of the lane; "?" for what cannot be read."""
        known = self.readable(lane_id)
        return (self.space_name(known.space_id), known.fingerprint) if known else ("?", "?")

    def space_digest(self, space: Space) -> bytes:
        """The keyed hash of address and key."""
        key = (space.base_url, space.key)
        digest = self._digests.get(key)
        if digest is None:
            if len(self._digests) >= _DIGESTS_MOST:
                self._digests.clear()
            digest = self._sealer.digest(to_json(["space", *key]), 16)
            self._digests[key] = digest
        return digest

    def _lane_digest(self, space: Space, address: dict[str, str | None]) -> bytes:
        return self._sealer.digest(self.space_digest(space) + to_json(sorted(address.items())), 16)


def _lane_key(space_id: int, lane: Lane) -> _LaneKey:
    # Texts compare much faster than models.
    return (
        space_id,
        lane.agent_id,
        lane.session_id,
        lane.user_id,
        lane.conversation_id,
        lane.app_id,
    )
