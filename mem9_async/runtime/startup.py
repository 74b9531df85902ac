"""Builds the app on a journal that can be used, whatever is met while its jobs are loaded."""

from pathlib import Path

import structlog

from mem9_async.queue.journal import JournalCorrupt, JournalError
from mem9_async.queue.journal.adoption import Takeover
from mem9_async.runtime.app import App
from mem9_async.runtime.status.tally import Tally
from mem9_async.runtime.storage.storage import Storage, can_be_kept, in_memory, open_storage
from mem9_async.settings import Settings

log = structlog.get_logger()

_TRIES = 3


def begun(
    settings: Settings,
    working_directory: Path,
    *,
    former: Storage | None = None,
    tally: Tally | None = None,
) -> App:
    """An app that is ready to start; its journal is on disk, or in memory where none will do.

    *former* is what was in use until now: its key is used on, and so is what it knows of
    damaged journals; *tally* is what was counted with it. Damage that shows only now is set
    aside, and what can be read is rescued.
    """
    secret = former.secret if former else None
    rescues = former.rescues if former else None
    reason = ""
    for _ in range(_TRIES):
        storage = open_storage(settings, working_directory, known_secret=secret, rescues=rescues)
        secret, rescues = storage.secret, storage.rescues
        try:
            return App(settings, storage, tally=tally)
        except JournalError as exc:
            reason = str(exc)
            log.error("journal.write_failed", error_type=_kind(exc), reason=reason)
            if isinstance(exc, JournalCorrupt):
                storage.damaged = reason
                storage.rescue_if_damaged()
            else:
                # On a full disk there may be room for the second try.
                storage.make_room()
                storage.close()
        except BaseException:
            storage.close()
            raise
    nowhere = in_memory(settings, f"the journal cannot be used: {reason}", secret=secret)
    return App(settings, nowhere, tally=tally)


def place_for(old: App, settings: Settings, working_directory: Path) -> Storage | None:
    """The journal that *old* can move to; None when there is none yet that would be better."""
    former = old.storage
    if former.claim is None and not can_be_kept(settings, working_directory):
        return None
    storage = open_storage(
        settings, working_directory, known_secret=former.secret, rescues=former.rescues
    )
    better = storage.claim is not None or former.claim is not None
    # Under another key, what the old one holds has to be sent first.
    if better and (not old.lanes.depth or storage.sealer.check == former.sealer.check):
        return storage
    storage.close()
    return None


def moved(old: App, settings: Settings, storage: Storage) -> App:
    """An app on *storage* with all that *old* holds; *old* must be halted, and is closed.

    After an error *storage* is closed, and *old* still has what had not been moved.
    """
    former = old.storage
    try:
        if storage.sealer.check == former.sealer.check:
            for _ in Takeover(storage.journal, former.journal).chunks():
                pass
        app = App(settings, storage, tally=old.tally)
    except BaseException:
        storage.close()
        raise
    former.close()
    return app


def _kind(exc: JournalError) -> str:
    return "journal_corrupt" if isinstance(exc, JournalCorrupt) else "journal_error"
