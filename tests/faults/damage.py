"""Damages a journal as disks, people and copies do, and starts on it."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from structlog.testing import capture_logs

from mem9_async.queue.claims import claim_orphans
from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.adoption import Takeover
from mem9_async.queue.journal.recovery import Recovery
from mem9_async.runtime.storage.paths import journal_directory
from mem9_async.runtime.storage.storage import Storage, open_claimed, open_storage
from mem9_async.settings import Settings
from tests.queue.builders import HOUR_S, START, job

_JOBS, _SESSIONS = 120, 5
_PAGE_BYTES = 4096
_LOSS_TOLD = frozenset(
    {"journal.corrupted", "journal.quarantined", "journal.locked", "job.dead_lettered"}
)


def _flip_bits(path: Path, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 64)):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)


def _cut_anywhere(path: Path, rng: random.Random) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: rng.randrange(len(raw))])


def _cut_at_a_page(path: Path, rng: random.Random) -> None:
    raw = path.read_bytes()
    pages = len(raw) // _PAGE_BYTES
    path.write_bytes(raw[: rng.randrange(1, pages + 1) * _PAGE_BYTES + rng.randint(-1, 1)])


def _zero_the_header(path: Path, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    length = rng.randint(1, 200)
    raw[:length] = bytes(length)
    path.write_bytes(raw)


def _overwrite_a_page(path: Path, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    at = rng.randrange(0, len(raw), _PAGE_BYTES)
    raw[at : at + _PAGE_BYTES] = rng.choice((bytes(_PAGE_BYTES), rng.randbytes(_PAGE_BYTES)))
    path.write_bytes(raw)


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _put_something_else(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(rng.randint(1, 100_000)))


def _put_a_strange_log(path: Path, rng: random.Random) -> None:
    Path(f"{path}-wal").write_bytes(rng.randbytes(rng.randint(1, 50_000)))


def _leave_a_part_of_the_log(path: Path, rng: random.Random) -> None:
    wal = Path(f"{path}-wal")
    raw = wal.read_bytes()
    wal.write_bytes(raw[: rng.randrange(len(raw))])


def _flip_the_log(path: Path, rng: random.Random) -> None:
    _flip_bits(Path(f"{path}-wal"), rng)


def _put_a_directory(path: Path, rng: random.Random) -> None:
    path.unlink()
    Path(f"{path}-wal").unlink(missing_ok=True)
    path.mkdir()
    (path / "something").write_bytes(b"of somebody's")


_IN_THE_FILE: tuple[Callable[[Path, random.Random], None], ...] = (
    _flip_bits,
    _cut_anywhere,
    _cut_at_a_page,
    _zero_the_header,
    _overwrite_a_page,
    _empty,
    _put_something_else,
    _put_a_strange_log,
    _put_a_directory,
)
_IN_THE_LOG = (_leave_a_part_of_the_log, _flip_the_log)


@dataclass(frozen=True)
class Damaged:
    """One damaged journal: what was done, and what became of its jobs. `problems`: see faults."""

    how: str
    start_s: float
    accepted: int
    kept: int
    problems: tuple[str, ...]


def overwrite_root(path: Path, name: str) -> None:
    """Overwrite the root page of a table or index of a journal that nobody has open."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)
        ).fetchone()
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * _PAGE_BYTES : root * _PAGE_BYTES] = b"\xde\xad" * (_PAGE_BYTES // 2)
    path.write_bytes(raw)


def damage_once(directory: Path, seed: int) -> Damaged:
    """Fill a journal in *directory*, damage it, and open the place again as a start does."""
    rng = random.Random(seed)
    accepted, path = _filled(directory, rng)
    # After a kill, the newest commits are in the log only.
    wal = Path(f"{path}-wal")
    in_the_log = wal.exists() and wal.stat().st_size > 0
    how = rng.choice(_IN_THE_FILE + _IN_THE_LOG if in_the_log else _IN_THE_FILE)
    how(path, rng)
    problems: list[str] = []
    with _plain_logs() as events:
        began = time.monotonic()
        storage = open_storage(Settings(data_dir=directory), directory)
        start_s = time.monotonic() - began
        if storage.durability != "process":
            problems.append(f"durability {storage.durability}: {storage.reason}")
        storage.journal.append([job("a new one")], START)
        sent, dead = _sent(storage, directory)
    aside = list(journal_directory(directory).glob("*.corrupt-*[0-9]"))
    if len(aside) > 2:  # the start's, and one more where the damage was met only in use
        problems.append(f"{len(aside)} files set aside")
    if strange := sent - accepted - {"a new one"}:
        problems.append(f"{len(strange)} contents sent that nobody stored")
    if "a new one" not in sent:
        problems.append("the new job was lost")
    kept = len(sent & accepted)
    # What fails its integrity check is a dead letter: counted, and shown to whoever asks.
    told = any(event["event"] in _LOSS_TOLD for event in events) or dead > 0
    # A log that lost its newest commits, or a file that is empty, looks like one that has none.
    silent = how in (_leave_a_part_of_the_log, _flip_the_log, _empty, _put_a_strange_log)
    if kept < len(accepted) and not told and not silent:
        problems.append(f"{len(accepted) - kept} jobs are gone and nothing was said")
    return Damaged(how.__name__.strip("_"), start_s, len(accepted), kept, tuple(problems))


def _filled(directory: Path, rng: random.Random) -> tuple[set[str], Path]:
    storage = open_storage(Settings(data_dir=directory), directory)
    if storage.claim is None:
        raise AssertionError("a healthy place has a journal")
    texts = [f"content {number} " + "x" * rng.randint(10, 600) for number in range(_JOBS)]
    half = rng.randrange(_JOBS)
    for part in (texts[:half], texts[half:]):
        if part:
            jobs = [job(text, session=f"s{n % _SESSIONS}") for n, text in enumerate(part)]
            storage.journal.append(jobs, START)
        if rng.random() < 0.5:
            storage.journal.file.checkpoint()
    path = storage.claim.path
    if rng.random() < 0.5:  # killed: the log stays as it is
        files = {each: each.read_bytes() for each in (path, Path(f"{path}-wal")) if each.exists()}
        storage.close()
        for each, raw in files.items():
            each.write_bytes(raw)
    else:
        storage.close()
    return set(texts), path


def _sent(storage: Storage, directory: Path) -> tuple[set[str], int]:
    """Everything that can still be sent, from our own journal and from those left beside it.

    And how many jobs are dead letters in the end.
    """
    sent: set[str] = set()
    settings = Settings(data_dir=directory)
    try:
        sent |= _drained(storage)
        for claim in claim_orphans(journal_directory(directory)):
            orphan = open_claimed(claim, storage.sealer, settings, storage.rescues)
            if orphan is None:
                continue
            Recovery(orphan).recover(START, max_due_in_s=HOUR_S)
            for _ in Takeover(storage.journal, orphan).chunks():
                pass
            orphan.close()
            claim.remove()
        sent |= _drained(storage)
        dead = storage.journal.counters().get("dead", 0)
        storage.close()
    except JournalError as exc:
        # Damage that is met only in use: set aside and rescued, as the watch does.
        storage.damaged = str(exc)
        storage.rescue_if_damaged()
        again = open_storage(settings, directory, rescues=storage.rescues)
        more, dead = _sent(again, directory)
        sent |= more
    return sent, dead


def _drained(storage: Storage) -> set[str]:
    journal, sent = storage.journal, set[str]()
    recovery = Recovery(journal)
    recovery.recover(START, max_due_in_s=HOUR_S)
    for backlog in list(recovery.backlogs()):
        for ref in backlog.frozen:
            if (frozen := journal.restart(ref.row, START)) is not None:
                sent |= {payload.text for payload in frozen.batch.payloads}
        while True:
            frozen = journal.freeze(backlog.lane_id, max_jobs=20, max_bytes=65_536, now=START)
            if frozen is None:
                break
            sent |= {payload.text for payload in frozen.batch.payloads}
            journal.delivered(frozen.row, redelivered=False)
    return sent


@contextmanager
def _plain_logs() -> Iterator[list[dict[str, object]]]:
    before = structlog.get_config()
    structlog.reset_defaults()
    try:
        with capture_logs() as events:
            yield events  # type: ignore[misc]
    finally:
        structlog.configure(**before)
