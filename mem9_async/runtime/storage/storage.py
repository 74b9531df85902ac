"""Opens the process's journal, whatever state the place is in, and says what it can promise."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import structlog

from mem9_async.models.outcome import Confirmation
from mem9_async.queue.claims import (
    RESERVE_SUFFIX,
    Claim,
    claim_file,
    claim_new,
    claim_orphans,
    prepare,
)
from mem9_async.queue.disk_reserve import Reserve
from mem9_async.queue.journal import Journal, JournalCorrupt, JournalError, JournalFull
from mem9_async.queue.journal.adoption import leaving_to
from mem9_async.queue.sealing import Sealer, load_secret
from mem9_async.runtime.storage import mounts
from mem9_async.runtime.storage.paths import data_directory, journal_directory, key_file
from mem9_async.runtime.storage.quarantine import Rescues
from mem9_async.settings import Settings

log = structlog.get_logger()

_FOLLOWED_MOST = 8  # one journal was to be taken over by another, and that by a third


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
    #: Why the directory may not last; told, though what a killed process needs is kept.
    weakness: str | None = None
    reserve: Reserve | None = None
    damaged: str | None = None  #: set when the journal turned out to be damaged in use
    adopts: bool = True  #: not after a hand over: what was let go of is another's
    vanished: bool = False  #: somebody has removed the file: what is written is kept nowhere
    rescues: Rescues = field(default_factory=Rescues)

    def look(self) -> None:
        """See whether the file is still there; the answer is in `vanished`."""
        self.vanished = self.claim is not None and not self.claim.path.exists()

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

    def rescue_if_damaged(self) -> None:
        """Close a journal that is damaged, and leave what can be read of it for open_storage()."""
        if self.damaged is None:
            return
        self.journal.close()
        if self.claim is not None:
            if self.claim.path.exists():
                self.rescues.rescue(self.claim, self.sealer, self.damaged)
            self.claim.release()

    def close(self) -> None:
        """Close the journal and let another process have it; on the thread that opened it."""
        self.journal.close()
        if self.claim is not None:
            self.claim.release()


def open_storage(
    settings: Settings,
    working_directory: Path,
    *,
    known_secret: bytes | None = None,
    rescues: Rescues | None = None,
) -> Storage:
    """Open a journal on disk: an orphan's if there is one, else a new one; else one in memory.

    *known_secret* is the sealing key in use, should its file have been removed. Never raises
    for what a disk can do: the plugin must start.
    """
    rescues = rescues or Rescues()
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
        found = _newest_orphan(directory, sealer, settings, rescues)
        if found is None:
            claim = claim_new(directory)
            try:
                found = _journal(claim.path, sealer, settings), claim
            except BaseException:
                claim.release()
                raise
    except (OSError, JournalError) as exc:
        return in_memory(settings, f"the journal cannot be opened: {exc}", secret=secret)
    journal, claim = found
    log.info("journal.opened", journal_id=journal.file.journal_id)
    storage = _stored(journal, sealer, secret, settings, directory, claim, rescues)
    storage.weakness = mounts.weakness(directory)
    if storage.weakness:
        log.warning("storage.not_lasting", reason=storage.weakness)
    return storage


def fresh_storage(
    settings: Settings, working_directory: Path, *, former: Storage
) -> Storage | None:
    """A new journal on disk beside *former*, with its key; None where there can be none.

    It takes over nobody's: what *former* lets go of is another's.
    """
    if former.directory is None or not can_be_kept(settings, working_directory):
        return None
    try:
        claim = claim_new(former.directory)
        try:
            journal = _journal(claim.path, former.sealer, settings)
        except BaseException:
            claim.release()
            raise
    except (OSError, JournalError):
        return None
    storage = _stored(
        journal, former.sealer, former.secret, settings, former.directory, claim, former.rescues
    )
    storage.adopts = False
    storage.weakness = former.weakness
    return storage


def can_be_kept(settings: Settings, working_directory: Path) -> bool:
    """Whether the place can be written now; costs a few file operations, and opens nothing."""
    data = data_directory(settings.data_dir, working_directory)
    try:
        prepare(data)
        prepare(journal_directory(data))
    except OSError:
        return False
    return True


def _newest_orphan(
    directory: Path, sealer: Sealer, settings: Settings, rescues: Rescues
) -> tuple[Journal, Claim] | None:
    """The orphan to go on with; the others are taken over by it, newest to oldest.

    One that another had begun to take over is never chosen before that other: its jobs are
    older, and some of them are in both.
    """
    for orphan in claim_orphans(directory):
        claim: Claim | None = orphan
        for _ in range(_FOLLOWED_MOST):
            journal = open_claimed(claim, sealer, settings, rescues) if claim else None
            if journal is None or claim is None:
                break
            taker = taker_of(journal, claim)
            if taker is None:
                return journal, claim
            journal.close()
            claim.release()
            claim = claim_file(taker)
    return None


def taker_of(journal: Journal, claim: Claim) -> Path | None:
    """The journal that had begun to take this one over; None when there is none any more.

    Closes and releases this one before an error is raised.
    """
    try:
        name = leaving_to(journal)
    except BaseException:
        journal.close()
        claim.release()
        raise
    path = claim.path.with_name(f"{name}.db")
    return path if name and path != claim.path and path.exists() else None


def _stored(
    journal: Journal,
    sealer: Sealer,
    secret: bytes,
    settings: Settings,
    directory: Path,
    claim: Claim,
    rescues: Rescues,
) -> Storage:
    return Storage(
        journal=journal,
        sealer=sealer,
        secret=secret,
        durability=settings.durability,
        directory=directory,
        claim=claim,
        reserve=Reserve(claim.path.with_suffix(RESERVE_SUFFIX)),
        rescues=rescues,
    )


def in_memory(settings: Settings, reason: str, *, secret: bytes | None = None) -> Storage:
    """A journal that ends with the process, because none on disk can be used; told as an error."""
    log.error("journal.write_failed", reason=reason, error_type="disk_readonly")
    return _in_memory(settings, reason, secret=secret)


def ephemeral(settings: Settings) -> Storage:
    """A journal that ends with the process, where the host is made so: no fault of the disk."""
    reason = "this runtime keeps nothing between answers"
    log.info("storage.ephemeral", reason=reason)
    return _in_memory(settings, reason, secret=None)


def _in_memory(settings: Settings, reason: str, *, secret: bytes | None) -> Storage:
    secret = secret or secrets.token_bytes(32)
    sealer = Sealer(secret)
    return Storage(_journal(None, sealer, settings), sealer, secret, "none", None, None, reason)


def open_claimed(
    claim: Claim, sealer: Sealer, settings: Settings, rescues: Rescues
) -> Journal | None:
    """Open an orphan, what can be read of it if it is damaged; None if it is not usable now.

    A file that is merely not ours to read (newer, or sealed with another key) is left as it
    is. Unless it is given back open, the claim is released.
    """
    try:
        if rescues.put_off(claim.path):
            claim.release()
            return None
        try:
            journal = _journal(claim.path, sealer, settings)
        except JournalCorrupt as exc:
            if not rescues.rescue(claim, sealer, str(exc)):
                claim.release()
                return None
            journal = _journal(claim.path, sealer, settings)
    except JournalError as exc:
        log.error("journal.locked", reason=str(exc), file=claim.path.name)
        claim.release()
        return None
    except BaseException:
        claim.release()
        raise
    return journal


def _journal(path: Path | None, sealer: Sealer, settings: Settings) -> Journal:
    return Journal(
        path,
        sealer,
        durability=settings.durability,
        persist_keys=settings.persist_keys,
        confirmation=Confirmation(settings.confirmation),
    )
