"""The rows of spaces: sealed, with their key or without it, and gone when nobody needs them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydantic import SecretStr
from pydantic_core import from_json, to_json

from mem9_async.models.space import Space
from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.sealing import SealBroken, Sealer

_OWNERS_KEPT = 2_000  # per space, two for each owner; where no app is named, every user is one
_WIPING = ("OFF", "ON", "FAST")  # as SQLite numbers them
_IDLE = (
    "space_id NOT IN (SELECT value FROM json_each(:used))"
    " AND NOT EXISTS (SELECT 1 FROM lanes WHERE lanes.space_id = spaces.space_id)"
    " AND NOT EXISTS (SELECT 1 FROM parks WHERE parks.space_id = spaces.space_id)"
)


class SpaceRows:
    """What a journal has written of its spaces."""

    def __init__(self, file: JournalFile, sealer: Sealer) -> None:
        self._file = file
        self._db = file.db
        self._sealer = sealer

    def insert(self, space: Space, digest: bytes, *, with_key: bool) -> int:
        """Write a new row; return its number."""
        space_id: int = self._db.execute(
            "INSERT INTO spaces (digest, sealed) VALUES (?, ?) RETURNING space_id",
            (digest, self._sealed(space, digest, with_key=with_key)),
        ).fetchone()[0]
        return space_id

    def write(self, space_id: int, space: Space, digest: bytes, *, with_key: bool) -> None:
        """Write the row anew, with the key or without it."""
        self._db.execute(
            "UPDATE spaces SET sealed = ? WHERE space_id = ?",
            (self._sealed(space, digest, with_key=with_key), space_id),
        )

    def _sealed(self, space: Space, digest: bytes, *, with_key: bool) -> bytes:
        kept = {"base_url": space.base_url, "api_key": space.key if with_key else None}
        return self._sealer.seal(to_json(kept), b"space" + digest)

    def opened(self, digest: bytes, sealed: bytes) -> Space | None:
        """The space of a row; None when the row has no key. Raises SealBroken."""
        kept = from_json(self._sealer.unseal(sealed, b"space" + digest))
        if kept["api_key"] is None:
            return None
        return Space(base_url=kept["base_url"], api_key=SecretStr(kept["api_key"]))

    def base_url(self, digest: bytes, sealed: bytes) -> str:
        """The address of a row, whether it has a key or not. Raises SealBroken."""
        return str(from_json(self._sealer.unseal(sealed, b"space" + digest))["base_url"])

    def digests(self) -> set[bytes]:
        """The digest of every space that has a row."""
        return {row[0] for row in self._db.execute("SELECT digest FROM spaces")}

    def take_all_keys_off(self) -> dict[bytes, Space]:
        """Remove every key from the disk; return whose they were, by digest."""
        return self._take_off("1", ())

    def take_idle_keys_off(self, used: Iterable[int]) -> None:
        """Remove the keys of spaces that have nothing to send and are not among *used*."""
        self._take_off(_IDLE, used)

    def remove_idle(self, used: Iterable[int]) -> set[int]:
        """Delete lanes without jobs, and spaces that have no lane and are not among *used*.

        A space stays as long as another one of its owner stays: noted anew, it would look like
        the newer of the two, and get the jobs of the other. Returns the numbers that are gone.
        """
        with self._wiping(), self._file.transaction():
            self._db.execute(
                "DELETE FROM lanes WHERE NOT EXISTS"
                " (SELECT 1 FROM jobs WHERE jobs.lane_id = lanes.lane_id)"
            )
            gone = self._db.execute(
                f"WITH idle AS (SELECT space_id FROM spaces WHERE {_IDLE})"
                " DELETE FROM spaces WHERE space_id IN idle"
                " AND digest NOT IN (SELECT digest FROM holds) AND NOT EXISTS"
                " (SELECT 1 FROM owners mine JOIN owners other USING (digest)"
                "  WHERE mine.space_id = spaces.space_id AND other.space_id NOT IN idle)"
                " RETURNING space_id",
                {"used": _json(used)},
            ).fetchall()
            self._remove_old_owners()
        if gone:
            self._file.checkpoint()
        return {space_id for (space_id,) in gone}

    def _remove_old_owners(self) -> None:
        # Who owns two spaces stays known: that is what tells a replaced key from a second one.
        crowded = self._db.execute(
            "SELECT space_id FROM owners GROUP BY space_id HAVING count(*) > ?", (_OWNERS_KEPT,)
        ).fetchall()
        for (space_id,) in crowded:
            self._db.execute(
                "DELETE FROM owners WHERE space_id = :space_id AND digest IN (SELECT digest"
                " FROM owners WHERE space_id = :space_id ORDER BY first_seq DESC"
                " LIMIT -1 OFFSET :kept) AND digest NOT IN"
                " (SELECT digest FROM owners WHERE space_id != :space_id)",
                {"space_id": space_id, "kept": _OWNERS_KEPT},
            )

    def _take_off(self, where: str, used: Iterable[int]) -> dict[bytes, Space]:
        held = []
        for space_id, digest, sealed in self._db.execute(
            f"SELECT space_id, digest, sealed FROM spaces WHERE {where}", {"used": _json(used)}
        ).fetchall():
            try:
                space = self.opened(digest, sealed)
            except SealBroken:
                continue
            if space is not None:
                held.append((space_id, space, digest))
        if not held:
            return {}
        with self._wiping(), self._file.transaction():
            for space_id, space, digest in held:
                self.write(space_id, space, digest, with_key=False)
        # The write-ahead log and the pages behind it still have what was taken off.
        self._file.checkpoint()
        return {digest: space for _, space, digest in held}

    @contextmanager
    def _wiping(self) -> Iterator[None]:
        # What is removed here is overwritten too; for every delivered job that would be too dear.
        before = self._db.execute("PRAGMA secure_delete").fetchone()[0]
        self._db.execute("PRAGMA secure_delete = ON").fetchall()
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA secure_delete = {_WIPING[before]}").fetchall()


def _json(numbers: Iterable[int]) -> str:
    return to_json(sorted(numbers)).decode()
