"""Moving a refused key's jobs to the key that has replaced it.

A key is part of a job's address, so a job never changes it by itself. It is a replacement
only when the same owner (one app of Dify, in single space) used the new key for the first
time after the last job that the old one holds: two keys in use side by side are two spaces.
"""

from mem9_async.models.space import Space
from mem9_async.queue.journal.addresses import Addresses
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.payloads import SEALED_COLUMNS, SealedJob

_LOWEST_SEQ = -(1 << 62)
_NOTED = 10_000  # owners in memory: one forgotten is noted again, which changes nothing


class Readdress:
    """Who owns which space, and the move from one to another."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db
        self._addresses: Addresses = journal.addresses
        self._sealer = journal.sealer
        self._noted: dict[tuple[str, str, int], None] = {}

    def note_owner(self, space: Space, space_id: int, owner: str) -> bool:
        """Remember since when *owner* has used the space; return whether that may be news.

        Costs a commit the first time only.
        """
        noted = (space.base_url, owner, space_id)
        if noted in self._noted:
            return False
        digest = self._sealer.digest(f"owner {space.base_url} {owner}".encode(), 16)
        with self._file.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO owners VALUES (?, ?, ?)",
                (digest, space_id, self._journal.last_seq),
            )
        if len(self._noted) >= _NOTED:
            del self._noted[next(iter(self._noted))]
        self._noted[noted] = None
        return True

    def forget(self, space_ids: set[int]) -> None:
        """Note the owners of these spaces anew: their numbers are gone from the journal."""
        if space_ids:
            self._noted = {each: None for each in self._noted if each[2] not in space_ids}

    def successor(self, space_id: int) -> int | None:
        """The space whose key has replaced this one's, if its owner has changed it."""
        latest = self._db.execute(
            "SELECT new.space_id, new.first_seq FROM owners old JOIN owners new USING (digest)"
            " WHERE old.space_id = :space_id AND new.space_id != :space_id"
            " ORDER BY new.first_seq DESC LIMIT 1",
            {"space_id": space_id},
        ).fetchone()
        if latest is None:
            return None
        new_id, first_seq = latest
        # The latest candidate is the one to look at: if a job came after it, one came after all.
        if self._holds(space_id, _LOWEST_SEQ) and not self._holds(space_id, first_seq):
            return int(new_id)
        return None

    def _holds(self, space_id: int, from_seq: int) -> bool:
        # Each lane has its waiting jobs by number: only the first that fits is looked at.
        found = self._db.execute(
            "SELECT 1 FROM lanes JOIN jobs USING (lane_id)"
            " WHERE space_id = ? AND state IN (0, 1) AND seq >= ? LIMIT 1",
            (space_id, from_seq),
        ).fetchone()
        return found is not None

    def move(self, old_id: int, new_id: int) -> set[int] | None:
        """Give every undelivered job of the old space the new space's address.

        Order and frozen batches stay as they are. Returns the lanes that hold the jobs now, or
        None when nothing was moved because a key is not known. Nothing of the old space may be
        in flight.
        """
        new = self._addresses.space(new_id)
        lane_ids = self._lanes_of(old_id)
        lanes = [self._addresses.readable(lane_id) for lane_id in lane_ids]
        # Without the old key nobody can tell whether a lane is where it was made to be.
        if new is None or any(known is not None and known.lane is None for known in lanes):
            return None
        for lane_id, known in zip(lane_ids, lanes, strict=True):
            if known is None:  # damaged: it would not be found at the new address either
                self._journal.spoil_lane(lane_id)
        touched: set[int] = set()
        with self._journal.counted():
            for old in lanes:
                if old is None or old.lane is None:
                    continue
                moved = self._addresses.know(old.lane.model_copy(update={"space": new}))
                self._reseal(old.lane_id, old.digest, moved.lane_id, moved.digest)
                touched.add(moved.lane_id)
            self._db.execute("DELETE FROM parks WHERE space_id = ?", (old_id,))
        return touched

    def _lanes_of(self, space_id: int) -> list[int]:
        return [
            row[0]
            for row in self._db.execute(
                "SELECT DISTINCT lane_id FROM lanes JOIN jobs USING (lane_id)"
                " WHERE space_id = ? AND state IN (0, 1)",
                (space_id,),
            )
        ]

    def _reseal(self, old_lane: int, old_digest: bytes, new_lane: int, new_digest: bytes) -> None:
        # The seal covers the address: content moved without being sealed anew would not open.
        rows = self._db.execute(
            f"SELECT {SEALED_COLUMNS} FROM jobs WHERE lane_id = ? AND state IN (0, 1)",
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
        self._db.execute("UPDATE batches SET lane_id = ? WHERE lane_id = ?", (new_lane, old_lane))
