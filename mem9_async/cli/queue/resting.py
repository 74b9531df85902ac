"""The journals of a data directory that nobody has open, opened one after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mem9_async.models.outcome import Confirmation
from mem9_async.queue.claims import claim_orphans
from mem9_async.queue.clock import SteadyClock
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.sealing import Sealer, load_secret
from mem9_async.runtime.desk.desk import Desk
from mem9_async.runtime.storage.paths import data_directory, journal_directory, key_file
from mem9_async.settings import Settings


@dataclass(frozen=True)
class Resting:
    """One journal file, ours while it is given out."""

    name: str
    journal: Journal
    desk: Desk


@dataclass(frozen=True)
class Closed:
    """A journal file that cannot be opened now, and why. `busy`: a process has it."""

    name: str
    why: str
    busy: bool = False


class _Nothing:
    """What runs on a journal at rest: nothing. It only knows who waits."""

    def __init__(self, journal: Journal) -> None:
        self._held: set[int | None] = set()
        self._parked = {park.space_id for park in journal.parks.all()}

    def hold(self, space_id: int | None) -> None:
        """The space (None: any) is held."""
        self._held.add(space_id)

    def release(self, space_id: int | None) -> None:
        """It is held no longer."""
        self._held.discard(space_id)

    def changed(self, lanes: set[int], gone: tuple[str, ...]) -> None:
        """Nobody has to know."""

    def recount(self) -> None:
        """Nobody counts."""

    def flush(self, space_id: int) -> None:
        """Nothing is sent."""

    def is_parked(self, space_id: int) -> bool:
        """Whether the space waits for something outside, or for a person."""
        return space_id in self._parked or bool(self._held & {None, space_id})


def files(settings: Settings) -> set[Path]:
    """Every journal file of the data directory, whoever owns it."""
    return set(folder(settings).glob("*.db"))


def folder(settings: Settings) -> Path:
    """Where journal files lie."""
    return journal_directory(data_directory(settings.data_dir, Path.cwd()))


def sealer(settings: Settings) -> Sealer:
    """What opens the journals of this data directory. Raises OSError."""
    data = data_directory(settings.data_dir, Path.cwd())
    secret = settings.journal_key.get_secret_value() if settings.journal_key else None
    return Sealer(load_secret(secret, key_file(data)))


@contextmanager
def opened_at(path: Path, settings: Settings, seal: Sealer) -> Iterator[Journal]:
    """The journal at *path*, made when it is not there. Raises JournalError."""
    journal = Journal(
        path,
        seal,
        durability=settings.durability,
        persist_keys=settings.persist_keys,
        confirmation=Confirmation(settings.confirmation),
    )
    try:
        yield journal
    finally:
        journal.close()


def opened(settings: Settings) -> Iterator[Resting | Closed]:
    """Give out each journal in turn, those of a running plugin as closed. Touches no other file."""
    left = files(settings)
    if not left:
        return
    seal = sealer(settings)
    for claim in claim_orphans(folder(settings)):
        left.discard(claim.path)
        try:
            with opened_at(claim.path, settings, seal) as journal:
                nothing = _Nothing(journal)
                holds = Holds(journal, nothing)
                holds.restore()
                desk = Desk(journal, holds=holds, queue=nothing, now=SteadyClock().now)
                yield Resting(claim.path.stem, journal, desk)
        except JournalError as exc:
            yield Closed(claim.path.stem, str(exc))
        finally:
            claim.release()
    for path in sorted(left):
        yield Closed(path.stem, "in use by a process that answers no control socket", busy=True)
