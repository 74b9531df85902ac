"""Moving the jobs of a refused key, or of a wrong address, to what has replaced it.

Key and address are part of where a job goes, so a job never changes them by itself. The same
owner (one app of Dify, in single space) must have done it: with another key at the same address,
or with the same key at another address. And it is a replacement only when the owner used the new
one for the first time after the last job that the old one holds: two in use side by side are two
spaces. An address from which nothing has ever left, with its very first job still there, is also
replaced by one that was in use before: it was a slip, and is taken back.
"""

from typing import Literal

from pydantic_core import to_json

from mem9_async.models.space import Space
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.lane_registry import Addresses
from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob

_LOWEST_SEQ, _HIGHEST_SEQ = -(1 << 62), 1 << 62
_NOTED = 10_000  # owners in memory: one forgotten is noted again, which changes nothing

_States = Literal["(0, 1)", "(4)", "(0, 1, 4)"]
_WAITING: _States = "(0, 1)"
_DEAD: _States = "(4)"
_ALL: _States = "(0, 1, 4)"


class Readdress:
    """Who owns which space, and the move from one to another."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db
        self._addresses: Addresses = journal.addresses
        self._sealer = journal.sealer
        self._noted: dict[tuple[str, str, int], None] = {}

    def note_owner(self, space: Space, space_id: int, owner: str, *, stored: bool = True) -> bool:
        """Remember since when *owner* has used the space; return whether that may be news.

        *stored* when its first use is the newest job, rather than one that is still to come.
        Costs a commit the first time only. Keys that other spaces of the owner lack, and that
        are this one's, are known from then on.
        """
        noted = (space.base_url, owner, space_id)
        if noted in self._noted:
            return False
        by_address, by_key = self._digests(space, owner)
        first_seq = self._journal.numbering.last_seq + (not stored)
        with self._file.transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO owners VALUES (?, ?, ?)",
                [(digest, space_id, first_seq) for digest in (by_address, by_key)],
            )
        if len(self._noted) >= _NOTED:
            del self._noted[next(iter(self._noted))]
        self._noted[noted] = None
        for other_id in self._sharing(by_key, space_id):
            self._addresses.bring_key(other_id, space)
        return True

    def _digests(self, space: Space, owner: str) -> tuple[bytes, bytes]:
        # What an owner's spaces have in common: the address, or the key.
        return (
            self._sealer.digest(f"owner {space.base_url} {owner}".encode(), 16),
            self._sealer.digest(to_json(["owner of a key", space.key, owner]), 16),
        )

    def forget(self, space_ids: set[int]) -> None:
        """Note the owners of these spaces anew: their numbers are gone from the journal."""
        if space_ids:
            self._noted = {each: None for each in self._noted if each[2] not in space_ids}

    def others(self, space: Space, space_id: int, owner: str) -> list[int]:
        """The owner's other spaces at this address or with this key."""
        found = [self._sharing(digest, space_id) for digest in self._digests(space, owner)]
        return sorted({each for shared in found for each in shared})

    def _sharing(self, digest: bytes, space_id: int) -> list[int]:
        rows = self._db.execute(
            "SELECT space_id FROM owners WHERE digest = ? AND space_id != ?", (digest, space_id)
        )
        return [row[0] for row in rows]

    def successor(self, space_id: int, *, any_key: bool = True) -> int | None:
        """The space that has replaced this one, if its owner has changed key or address.

        Without *any_key*, one with the same key only.
        """
        for new_id, first_seq in self._db.execute(
            "SELECT new.space_id, max(new.first_seq) FROM owners old JOIN owners new USING (digest)"
            " WHERE old.space_id = :space_id AND new.space_id != :space_id"
            " GROUP BY new.space_id ORDER BY 2 DESC",
            {"space_id": space_id},
        ).fetchall():
            if any_key or self.same_key(space_id, new_id):
                # The latest is the one to look at: if a job came after it, one came after all.
                older = self._holds(space_id) and not self._holds(space_id, first_seq)
                return int(new_id) if older else None
        return None

    def replaces(self, new_id: int, old_id: int) -> bool:
        """Whether *new_id*, in use now, is where everything of *old_id* may go: their key is one.

        Dead letters count as held.
        """
        if not self.same_key(old_id, new_id):
            return False
        found = self._db.execute(
            "SELECT max(new.first_seq), max(old.first_seq)"
            " FROM owners old JOIN owners new USING (digest)"
            " WHERE old.space_id = ? AND new.space_id = ?",
            (old_id, new_id),
        ).fetchone()
        new_from, old_from = found
        if new_from is None or not self._holds(old_id, states=_ALL):
            return False
        return not self._holds(old_id, new_from, states=_ALL) or self._holds(
            old_id, to_seq=old_from, states=_ALL
        )

    def same_key(self, one_id: int, other_id: int) -> bool:
        """Whether the two spaces are known to have the same key."""
        one = self._addresses.readable_space(one_id)
        other = self._addresses.readable_space(other_id)
        return one is not None and other is not None and one.key == other.key

    def holds_since(self, space_id: int, seq: int) -> bool:
        """Whether the space holds undelivered jobs newer than *seq*."""
        return self._holds(space_id, seq + 1)

    def _holds(
        self,
        space_id: int,
        from_seq: int = _LOWEST_SEQ,
        to_seq: int = _HIGHEST_SEQ,
        states: _States = _WAITING,
    ) -> bool:
        # Each lane has its jobs by state and number: only the first that fits is looked at.
        found = self._db.execute(
            "SELECT 1 FROM lanes JOIN jobs USING (lane_id)"
            f" WHERE space_id = ? AND state IN {states} AND seq BETWEEN ? AND ? LIMIT 1",
            (space_id, from_seq, to_seq),
        ).fetchone()
        return found is not None

    def move(self, old_id: int, new_id: int, *, now: float) -> set[int] | None:
        """Give every undelivered job of the old space the new space's address.

        Order and frozen batches stay as they are, due at once; where the key is the same, dead
        letters come along. Returns the lanes that hold the jobs now, or None when nothing was
        moved because a key is not known. Nothing of the old space may be in flight.
        """
        states: _States = _ALL if self.same_key(old_id, new_id) else _WAITING
        return self._move(old_id, new_id, states, now)

    def move_dead(self, old_id: int, new_id: int, *, now: float) -> None:
        """Give the dead letters of the old space, and nothing else, the new space's address."""
        self._move(old_id, new_id, _DEAD, now)

    def _move(self, old_id: int, new_id: int, states: _States, now: float) -> set[int] | None:
        new = self._addresses.space(new_id)
        lane_ids = self._lanes_of(old_id, states)
        lanes = [self._addresses.readable(lane_id) for lane_id in lane_ids]
        # Without the old key nobody can tell whether a lane is where it was made to be.
        if new is None or any(known is not None and known.lane is None for known in lanes):
            return None
        for lane_id, known in zip(lane_ids, lanes, strict=True):
            # Damaged: it would not be found at the new address either.
            if known is None and states != _DEAD:
                self._journal.spoil_lane(lane_id)
        touched: set[int] = set()
        with self._journal.numbering.leaving():
            if states != _DEAD:
                self._journal.parks.ended(old_id, now)
            for old in lanes:
                if old is None or old.lane is None:
                    continue
                moved = self._addresses.know(old.lane.model_copy(update={"space": new}))
                self._reseal(old.lane_id, old.digest, moved.lane_id, moved.digest, states)
                if states != _DEAD:
                    self._move_batches(old.lane_id, moved.lane_id, now)
                touched.add(moved.lane_id)
            if states == _ALL:
                # Should it be used again, that is a new beginning.
                self._db.execute("DELETE FROM owners WHERE space_id = ?", (old_id,))
        if states == _ALL:
            self.forget({old_id})
        return touched

    def _move_batches(self, old_lane: int, new_lane: int, now: float) -> None:
        # Waits and attempts were the old one's; what may have arrived there stays so.
        self._db.execute(
            "UPDATE batches SET lane_id = ?, attempts = 0, due_at = min(due_at, ?),"
            " sealed_outcome = NULL WHERE lane_id = ? AND state != 3",
            (new_lane, now, old_lane),
        )

    def _lanes_of(self, space_id: int, states: _States) -> list[int]:
        return [
            row[0]
            for row in self._db.execute(
                "SELECT DISTINCT lane_id FROM lanes JOIN jobs USING (lane_id)"
                f" WHERE space_id = ? AND state IN {states}",
                (space_id,),
            )
        ]

    def _reseal(
        self, old_lane: int, old_digest: bytes, new_lane: int, new_digest: bytes, states: _States
    ) -> None:
        # The seal covers the address: content moved without being sealed anew would not open.
        rows = self._db.execute(
            f"SELECT {SEALED_COLUMNS} FROM jobs WHERE lane_id = ? AND state IN {states}",
            (old_lane,),
        ).fetchall()
        for job in (SealedJob(*columns) for columns in rows):
            changed = self._db.execute(
                "UPDATE OR IGNORE jobs SET lane_id = ?, sealed = ? WHERE seq = ?",
                (new_lane, job.moved(self._sealer, old_digest, new_digest, job.seq), job.seq),
            ).rowcount
            if not changed:  # an equal job waits there already: it is taken once
                self._db.execute("DELETE FROM jobs WHERE seq = ?", (job.seq,))
                self._file.count("discarded", 1)
