"""The journals of a data directory whose plugin is not running, opened one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mem9_async.models.outcome import Confirmation
from mem9_async.queue.claims import claim_orphans
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.journal.census import Census
from mem9_async.queue.journal.reports import Reports
from mem9_async.queue.sealing import Sealer, load_secret
from mem9_async.runtime.storage.paths import data_directory, journal_directory, key_file
from mem9_async.settings import Settings


@dataclass(frozen=True)
class OpenJournal:
    """One journal file, ours while it is given out."""

    name: str
    journal: Journal
    census: Census
    reports: Reports


@dataclass(frozen=True)
class Closed:
    """A journal file that cannot be opened now, and why."""

    name: str
    why: str


def files(settings: Settings) -> set[Path]:
    """Every journal file of the data directory, whoever owns it."""
    return set(_folder(settings).glob("*.db"))


def opened(settings: Settings) -> Iterator[OpenJournal | Closed]:
    """Give out each journal in turn, those of a running plugin as closed. Touches no other file."""
    left = files(settings)
    if not left:
        return
    data = data_directory(settings.data_dir, Path.cwd())
    secret = settings.journal_key.get_secret_value() if settings.journal_key else None
    sealer = Sealer(load_secret(secret, key_file(data)))
    for claim in claim_orphans(_folder(settings)):
        left.discard(claim.path)
        try:
            journal = Journal(
                claim.path,
                sealer,
                durability=settings.durability,
                persist_keys=settings.persist_keys,
                confirmation=Confirmation(settings.confirmation),
            )
        except JournalError as exc:
            claim.release()
            yield Closed(claim.path.stem, str(exc))
            continue
        try:
            yield OpenJournal(claim.path.stem, journal, Census(journal), Reports(journal))
        finally:
            journal.close()
            claim.release()
    for path in sorted(left):
        yield Closed(path.stem, "in use by a running plugin: ask it with memory_queue")


def _folder(settings: Settings) -> Path:
    return journal_directory(data_directory(settings.data_dir, Path.cwd()))
