"""Spaces and lanes as the journal knows them: sealed rows, found by keyed hash."""

from pydantic import SecretStr
from pydantic_core import from_json, to_json

from mem9_async.models.space import Lane, Space
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.records import KnownLane
from mem9_async.queue.sealing import SealBroken, Sealer

_LaneKey = tuple[int, str, str | None, str | None, str | None]


class Addresses:
    """Where jobs go: gives each space and lane its number in this journal."""

    def __init__(self, file: JournalFile, sealer: Sealer, *, persist_keys: bool) -> None:
        self._file = file
        self._db = file.db
        self._sealer = sealer
        self._persist_keys = persist_keys
        self._spaces: dict[int, Space] = {}
        self._space_ids: dict[tuple[str, str], int] = {}
        self._lanes: dict[int, KnownLane] = {}
        self._lane_ids: dict[_LaneKey, int] = {}
        self._names: dict[int, str] = {}
        # Numbers handed out in a transaction that is rolled back exist nowhere.
        file.on_rollback = self.forget

    def forget(self) -> None:
        """Drop what is remembered in memory; all of it that was committed is found again.

        Keys that are not kept at rest stay: nothing else could bring them back.
        """
        if self._persist_keys:
            self._spaces.clear()
        self._space_ids.clear()
        self._lanes.clear()
        self._lane_ids.clear()
        self._names.clear()

    def know_space(self, space: Space) -> int:
        """The number of *space*, recorded if it is new."""
        key = (space.base_url, space.key)
        space_id = self._space_ids.get(key)
        if space_id is not None:
            return space_id
        digest = self.space_digest(space)
        row = self._db.execute("SELECT space_id FROM spaces WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            kept = {
                "base_url": space.base_url,
                "api_key": space.key if self._persist_keys else None,
            }
            row = self._db.execute(
                "INSERT INTO spaces (digest, sealed) VALUES (?, ?) RETURNING space_id",
                (digest, self._sealer.seal(to_json(kept), b"space" + digest)),
            ).fetchone()
        space_id = int(row[0])
        self._space_ids[key] = space_id
        self._spaces[space_id] = space
        return space_id

    def find_space(self, space: Space) -> int | None:
        """The number of *space* if anything of it was ever recorded here."""
        known = self._space_ids.get((space.base_url, space.key))
        if known is not None:
            return known
        row = self._db.execute(
            "SELECT space_id FROM spaces WHERE digest = ?", (self.space_digest(space),)
        ).fetchone()
        return None if row is None else self.know_space(space)

    def space(self, space_id: int) -> Space | None:
        """The space behind the number; None while its key is not known."""
        if (space := self._spaces.get(space_id)) is not None:
            return space
        row = self._db.execute(
            "SELECT digest, sealed FROM spaces WHERE space_id = ?", (space_id,)
        ).fetchone()
        if row is None:
            return None
        kept = from_json(self._sealer.unseal(row[1], b"space" + row[0]))
        if kept["api_key"] is None:
            return None
        space = Space(base_url=kept["base_url"], api_key=SecretStr(kept["api_key"]))
        self.know_space(space)
        return space

    def know(self, lane: Lane) -> KnownLane:
        """The lane's number and digest, recorded if it is new."""
        space_id = self.know_space(lane.space)
        key = (space_id, lane.agent_id, lane.session_id, lane.user_id, lane.conversation_id)
        lane_id = self._lane_ids.get(key)
        if lane_id is not None:
            return self._lanes[lane_id]
        address = lane.model_dump(mode="json", exclude={"space"})
        digest = self._lane_digest(lane.space, address)
        row = self._db.execute("SELECT lane_id FROM lanes WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            sealed = self._sealer.seal(to_json(address), b"lane" + digest)
            row = self._db.execute(
                "INSERT INTO lanes (digest, space_id, sealed) VALUES (?, ?, ?) RETURNING lane_id",
                (digest, space_id, sealed),
            ).fetchone()
        known = KnownLane(row[0], space_id, digest, lane, self._sealer.fingerprint(digest))
        self._lanes[known.lane_id] = known
        self._lane_ids[key] = known.lane_id
        return known

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
        return self.know(Lane(space=space, **address))

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

    def prune(self) -> None:
        """Forget lanes that hold no job, so that old sessions do not pile up."""
        with self._file.transaction():
            self._db.execute(
                "DELETE FROM lanes WHERE NOT EXISTS"
                " (SELECT 1 FROM jobs WHERE jobs.lane_id = lanes.lane_id)"
            )
        self.forget()

    def space_digest(self, space: Space) -> bytes:
        """The keyed hash of address and key."""
        return self._sealer.digest(to_json(["space", space.base_url, space.key]), 16)

    def _lane_digest(self, space: Space, address: dict[str, str | None]) -> bytes:
        return self._sealer.digest(self.space_digest(space) + to_json(sorted(address.items())), 16)
