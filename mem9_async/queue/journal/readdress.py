"""Moving a refused key's jobs to the key that has replaced it.

A key is part of a job's address, so a job never changes it by itself. It is a replacement
only when the same owner (one app of Dify, in single space) used the new key for the first
time after the last job that the old one holds: two keys in use side by side are two spaces.
"""

from mem9_async.models.space import Space
from mem9_async.queue.journal.addresses import Addresses
from mem9_async.queue.journal.journal import Journal
from mem9_async.queue.journal.payloads import SEALED_COLUMNS, SealedJob


class Readdress:
    """Who owns which space, and the move from one to another."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._file = journal.file
        self._db = journal.file.db
        self._addresses: Addresses = journal.addresses
        self._sealer = journal.sealer
        self._noted: set[tuple[str, str, int]] = set()

    def note_owner(self, space: Space, space_id: int, owner: str) -> None:
        """Remember since when *owner* has used the space. Costs a commit the first time only."""
        noted = (space.base_url, owner, space_id)
        if noted in self._noted:
            return
        digest = self._sealer.digest(f"owner {space.base_url} {owner}".encode(), 16)
        with self._file.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO owners VALUES (?, ?, ?)",
                (digest, space_id, self._journal.last_seq),
            )
        self._noted.add(noted)

    def successor(self, space_id: int) -> int | None:
        """The space whose key has replaced this one's, if its owner has changed it."""
        row = self._db.execute(
            "SELECT new.space_id FROM owners old JOIN owners new USING (digest)"
            " WHERE old.space_id = :space_id AND new.space_id != :space_id AND new.first_seq >"
            " (SELECT max(seq) FROM jobs JOIN lanes USING (lane_id)"
            "  WHERE lanes.space_id = :space_id AND state IN (0, 1))"
            " ORDER BY new.first_seq DESC LIMIT 1",
            {"space_id": space_id},
        ).fetchone()
        return None if row is None else row[0]

    def move(self, old_id: int, new_id: int) -> set[int]:
        """Give every undelivered job of the old space the new space's address.

        Order and frozen batches stay as they are. Returns the lanes that hold the jobs now.
        Needs both keys to be known, and nothing of the old space in flight.
        """
        new = self._addresses.space(new_id)
        if new is None:
            return set()
        touched: set[int] = set()
        with self._journal.counted():
            lanes = self._db.execute(
                "SELECT DISTINCT lane_id FROM lanes JOIN jobs USING (lane_id)"
                " WHERE space_id = ? AND state IN (0, 1)",
                (old_id,),
            ).fetchall()
            for (lane_id,) in lanes:
                old = self._addresses.lane(lane_id)
                if old.lane is None:
                    continue
                moved = self._addresses.know(old.lane.model_copy(update={"space": new}))
                self._reseal(lane_id, old.digest, moved.lane_id, moved.digest)
                touched.add(moved.lane_id)
            self._db.execute("DELETE FROM parks WHERE space_id = ?", (old_id,))
        return touched

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
