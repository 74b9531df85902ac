"""Opens the process's journal, whatever state the place is in, and says what it can promise."""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from mem9_async.models.outcome import Confirmation
from mem9_async.queue import failpoints
from mem9_async.queue.journal import Journal, JournalCorrupt, JournalError, JournalFull
from mem9_async.queue.journal.salvage import salvage
from mem9_async.queue.ownership import (
    RESERVE_SUFFIX,
    Claim,
    claim_new,
    claim_orphans,
    prepare,
)
from mem9_async.queue.reserve import Reserve
from mem9_async.queue.sealing import Sealer, load_secret
from mem9_async.runtime.places import data_directory, journal_directory, key_file
from mem9_async.settings import Settings

log = structlog.get_logger()


@dataclass(slots=True)
class Storage:
    """The journal in use. `claim` is None, and `reason` says why, when it is in memory only."""

    journal: Journal
    sealer: Sealer
    secret: bytes
    durability: Literal["process", "power", "none"]
    directory: Path | None
    claim: Claim | None
    reason: str | None = None
    reserve: Reserve | None = None
    damaged: str | None = None  #: set when the journal turned out to be damaged in use

    @property
    def vanished(self) -> bool:
        """Whether somebody has removed the file: what is written to it is kept nowhere."""
        return self.claim is not None and not self.claim.path.exists()

    def met(self, trouble: JournalError) -> None:
        """Note *trouble*: damage is for the watch to see to, a full disk gets the reserve."""
        if isinstance(trouble, JournalCorrupt):
            self.damaged = str(trouble)
        elif isinstance(trouble, JournalFull):
            self.make_room()

    def make_room(self) -> bool:
        """Spend the reserve, so that outcomes can be recorded on a full disk."""
        if self.reserve is None or not self.reserve.held:
            return False
        self.reserve.release()
        log.warning("journal.nearly_full", reason="the disk is full; the reserve is used")
        return True

    def has_room(self) -> bool:
        """Whether new jobs may be taken: not while the reserve is spent."""
        return self.reserve is None or self.reserve.held or self.reserve.restore()

    def set_aside_if_damaged(self) -> None:
        """Put a journal that was damaged in use aside, and save what can be read of it."""
        if self.damaged is None:
            return
        self.journal.close()
        if self.claim is not None and self.claim.path.exists():
            aside = self.claim.set_aside("corrupt", int(time.time()))
            log.error("journal.quarantined", reason=self.damaged, file=aside.name)
            _rescue(aside, self.claim.path.parent, self.sealer)

    def close(self) -> None:
        """Close the journal and let another process have it; on the thread that opened it."""
        self.journal.close()
        if self.claim is not None:
            self.claim.release()


def open_storage(
    settings: Settings, working_directory: Path, *, known_secret: bytes | None = None
) -> Storage:
    """Open a journal on disk: an orphan's if there is one, else a new one; else one in memory.

    *known_secret* is the sealing key in use, should its file have been removed. Never raises
    for what a disk can do: the plugin must start.
    """
    data = data_directory(settings.data_dir, working_directory)
    configured = settings.journal_key.get_secret_value() if settings.journal_key else None
    try:
        prepare(data)
        directory = journal_directory(data)
        prepare(directory)
        secret = load_secret(configured, key_file(data), known=known_secret)
        sealer = Sealer(secret)
    except OSError as exc:
        reason = f"the data directory cannot be used: {exc.strerror or exc}"
        return in_memory(settings, reason, secret=known_secret)
    try:
        for claim in claim_orphans(directory):
            journal = open_claimed(claim, sealer, settings)
            if journal is not None:
                return _stored(journal, sealer, secret, settings, directory, claim)
        claim = claim_new(directory)
        journal = _journal(claim.path, sealer, settings)
    except (OSError, JournalError) as exc:
        return in_memory(settings, f"the journal cannot be opened: {exc}", secret=secret)
    log.info("journal.opened", journal_id=journal.file.journal_id)
    return _stored(journal, sealer, secret, settings, directory, claim)


def _stored(
    journal: Journal,
    sealer: Sealer,
    secret: bytes,
    settings: Settings,
    directory: Path,
    claim: Claim,
) -> Storage:
    reserve = Reserve(claim.path.with_suffix(RESERVE_SUFFIX))
    return Storage(journal, sealer, secret, settings.durability, directory, claim, None, reserve)


def in_memory(settings: Settings, reason: str, *, secret: bytes | None = None) -> Storage:
    """A journal that ends with the process, and says so."""
    log.error("journal.write_failed", reason=reason, error_type="disk_readonly")
    secret = secret or secrets.token_bytes(32)
    sealer = Sealer(secret)
    return Storage(_journal(None, sealer, settings), sealer, secret, "none", None, None, reason)


def open_claimed(claim: Claim, sealer: Sealer, settings: Settings) -> Journal | None:
    """Open an orphan. A damaged file is set aside with all its bytes; None if it is not usable.

    A file that is merely not ours to read (newer, or sealed with another key) is left as it is.
    """
    try:
        journal = _journal(claim.path, sealer, settings)
    except JournalCorrupt as exc:
        failpoints.hit("quarantine.before")
        aside = claim.set_aside("corrupt", int(time.time()))
        failpoints.hit("quarantine.renamed")
        log.error("journal.quarantined", reason=str(exc), file=aside.name)
        _rescue(aside, claim.path.parent, sealer)
        return None
    except JournalError as exc:
        log.error("journal.locked", reason=str(exc), file=claim.path.name)
        claim.release()
        return None
    log.info("journal.opened", journal_id=journal.file.journal_id, reason="taken over")
    return journal


def _rescue(aside: Path, directory: Path, sealer: Sealer) -> None:
    """Put what can be read of a damaged journal into a new one, which is adopted like any other."""
    try:
        claim = claim_new(directory)
        saved, lost = salvage(aside, claim.path, sealer=sealer)
    except (OSError, JournalError) as exc:
        log.error("journal.corrupted", file=aside.name, reason=f"nothing was saved: {exc}")
        return
    log.error("journal.corrupted", file=aside.name, jobs=saved, lost=lost)
    claim.release()


def _journal(path: Path | None, sealer: Sealer, settings: Settings) -> Journal:
    return Journal(
        path,
        sealer,
        durability=settings.durability,
        persist_keys=settings.persist_keys,
        confirmation=Confirmation(settings.confirmation),
    )
