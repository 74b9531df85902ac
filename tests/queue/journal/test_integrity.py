"""What lies on the disk: unreadable to others, and never sent when it was changed."""

import math
import random
import sqlite3
import struct
from pathlib import Path

import pytest

from mem9_async.models.job import JobState
from mem9_async.models.outcome import ErrorType
from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.census import Census
from mem9_async.queue.records import Frozen, Park
from tests.queue.builders import HOUR_S, KEY, START, failure, job, pinned, space
from tests.queue.desk import SEALER, Desk, texts

CONTENT = "canary content"
FLIPS = 200  # of each kind; the long run does ten thousand


def _flip(desk: Desk, table: str, column: str, where: str, rng: random.Random) -> None:
    """Change one bit of a stored value, as a failing disk would."""
    db = desk.journal.file.db
    rowid, value = db.execute(
        f"SELECT rowid, {column} FROM {table} WHERE {where} LIMIT 1"  # noqa: S608
    ).fetchone()
    db.execute(
        f"UPDATE {table} SET {column} = ? WHERE rowid = ?",  # noqa: S608
        (_flipped(value, rng), rowid),
    )


def _bit_flipped(value: bytes, rng: random.Random) -> bytes:
    changed = bytearray(value)
    bit = rng.randrange(len(changed) * 8)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def _flipped(value: bytes | int | float, rng: random.Random) -> bytes | int | float:
    if isinstance(value, bytes):
        return _bit_flipped(value, rng)
    form = ">q" if isinstance(value, int) else ">d"
    while True:
        changed_number: int | float
        (changed_number,) = struct.unpack(form, _bit_flipped(struct.pack(form, value), rng))
        if math.isfinite(changed_number):  # SQLite keeps no other
            return changed_number


def _drain(desk: Desk) -> list[str]:
    """Everything that can still be sent, delivered lane by lane."""
    sent = []
    for backlog in list(desk.recovery.backlogs()):
        for ref in backlog.frozen:
            frozen = desk.journal.restart(ref.row, START)
            sent += _delivered(desk, frozen)
        while (frozen := desk.freeze(backlog.lane_id)) is not None:
            sent += _delivered(desk, frozen)
    return sent


def _delivered(desk: Desk, frozen: Frozen | None) -> list[str]:
    if frozen is None:
        return []
    desk.journal.delivered(frozen.row, redelivered=False)
    return texts(frozen)


@pytest.mark.parametrize("state", ["waiting", "frozen"])
@pytest.mark.parametrize("column", ["sealed", "job_id", "size", "accepted_at", "pinned"])
def test_a_flipped_bit_sets_that_job_aside_and_the_others_go(column: str, state: str) -> None:
    """Detected every time, never sent, counted as a dead letter; its neighbours arrive."""
    rng = random.Random(1)
    for _ in range(FLIPS):
        desk = Desk(None)
        (first, *_) = desk.append(*(job(f"job {number}") for number in range(4)))
        if state == "frozen":
            batch = desk.frozen(first.lane_id)
            desk.journal.retry(
                batch.row, failure(ErrorType.UNAVAILABLE), due_at=START, costs_attempt=True
            )
        _flip(desk, "jobs", column, "seq = (SELECT min(seq) + 1 FROM jobs)", rng)

        assert _drain(desk) == ["job 0", "job 2", "job 3"]
        assert desk.journal.counters()["dead"] == 1
        assert desk.difference() == 0
        desk.journal.close()


@pytest.mark.parametrize("bit", range(40))
def test_a_job_whose_number_was_changed_is_not_sent_out_of_turn(bit: int) -> None:
    """The number is the order: wherever a flipped bit puts the job, it is set aside there."""
    desk = Desk(None)
    desk.append(*(job(f"job {number}") for number in range(4)))
    db = desk.journal.file.db
    (seq,) = db.execute("SELECT min(seq) + 1 FROM jobs").fetchone()
    if not db.execute("SELECT 1 FROM jobs WHERE seq = ?", (seq ^ 1 << bit,)).fetchone():
        db.execute("UPDATE jobs SET seq = ? WHERE seq = ?", (seq ^ 1 << bit, seq))
        expected = ["job 0", "job 2", "job 3"]
    else:  # the place of another: as if the two had been swapped
        other = seq ^ 1 << bit
        db.execute("UPDATE jobs SET seq = -1 WHERE seq = ?", (seq,))
        db.execute("UPDATE jobs SET seq = ? WHERE seq = ?", (seq, other))
        db.execute("UPDATE jobs SET seq = ? WHERE seq = -1", (other,))
        swapped = {1, (other - seq) + 1}
        expected = [f"job {number}" for number in range(4) if number not in swapped]

    assert _drain(desk) == expected
    assert desk.journal.counters()["dead"] == 4 - len(expected)
    assert desk.difference() == 0


def test_a_batch_says_how_many_of_its_jobs_were_set_aside(desk: Desk) -> None:
    """The waiting lines must know: jobs and bytes, over everything that was passed on the way."""
    rng = random.Random(2)
    (first, *_) = desk.append(*(job(f"job {number}") for number in range(6)))
    for number in (0, 1, 2, 4):
        chosen = f"seq = (SELECT min(seq) + {number} FROM jobs)"  # noqa: S608
        _flip(desk, "jobs", "sealed", chosen, rng)

    batch = desk.frozen(first.lane_id, max_jobs=3)

    assert texts(batch) == ["job 3", "job 5"]
    assert (batch.lost, batch.lost_size) == (4, 4 * len("job 0"))
    assert batch.size == 2 * len("job 0")


def test_a_lane_in_which_nothing_can_be_read_has_nothing_to_send(desk: Desk) -> None:
    """Also when it was frozen before: no empty request is made of it."""
    rng = random.Random(3)
    (first, *_) = desk.append(job("a"), job("b"))
    _flip(desk, "jobs", "sealed", "seq % 2 = 0", rng)
    _flip(desk, "jobs", "sealed", "seq % 2 = 1", rng)
    assert desk.freeze(first.lane_id) is None

    (again,) = desk.append(job("c"))
    batch = desk.frozen(again.lane_id)
    desk.journal.retry(batch.row, failure(ErrorType.UNAVAILABLE), due_at=START, costs_attempt=True)
    _flip(desk, "jobs", "sealed", "state = 1", rng)
    assert desk.journal.restart(batch.row, START) is None

    assert desk.stats().counts[JobState.DEAD] == 3
    assert desk.difference() == 0


@pytest.mark.parametrize(
    ("table", "column"),
    [("lanes", "sealed"), ("lanes", "digest"), ("spaces", "sealed"), ("spaces", "digest")],
)
def test_a_damaged_address_sets_its_jobs_aside_and_no_others(table: str, column: str) -> None:
    """Nobody can tell where they were to go; another space's jobs go as if nothing were."""
    rng = random.Random(4)
    for _ in range(FLIPS):
        desk = Desk(None)
        desk.append(job("lost", key="key-1"), job("kept", key="key-2"))
        _flip(desk, table, column, f"{table[:-1]}_id = 1", rng)
        desk.journal.addresses.forget()

        assert _drain(desk) == ["kept"]
        assert desk.journal.counters()["dead"] == 1
        assert desk.difference() == 0
        desk.journal.close()


def test_a_lane_damaged_while_we_run_is_noticed_when_its_turn_comes(desk: Desk) -> None:
    """Not only at the start: what is read anew is checked anew."""
    (accepted,) = desk.append(job("lost"))
    _flip(desk, "lanes", "sealed", "lane_id = 1", random.Random(5))
    desk.journal.addresses.forget()

    assert desk.freeze(accepted.lane_id) is None
    assert desk.journal.counters()["dead"] == 1


def test_a_job_whose_lane_is_gone_is_set_aside(desk: Desk) -> None:
    """A damaged number points nowhere."""
    desk.append(job("lost"), job("kept", session="conv-2"))
    db = desk.journal.file.db
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("UPDATE jobs SET lane_id = 77 WHERE lane_id = 1")

    assert _drain(desk) == ["kept"]
    assert desk.difference() == 0


def test_content_moved_to_another_lane_is_not_sent_there(desk: Desk) -> None:
    """The seal covers the address: a swapped lane number never tells one person's facts to another.

    mem9 would take them for the other one's.
    """
    desk.append(job("Ana's secret", session="ana"), job("Bo's secret", session="bo"))
    db = desk.journal.file.db
    db.execute("UPDATE jobs SET lane_id = 3 - lane_id")

    assert _drain(desk) == []
    assert desk.journal.counters()["dead"] == 2


def test_a_payload_of_another_kind_than_its_row_says_is_not_sent(desk: Desk) -> None:
    """A pinned memory in the middle of a batch has no request that could carry it."""
    (first, *_) = desk.append(job("a"), pinned("P"), job("b"))
    desk.journal.file.db.execute("UPDATE jobs SET pinned = 0")

    batch = desk.frozen(first.lane_id)

    assert texts(batch) == ["a", "b"]
    assert batch.lost == 1


@pytest.mark.parametrize("column", ["sealed_outcome"])
def test_a_damaged_outcome_costs_only_the_words(desk: Desk, column: str) -> None:
    """The dead letter is shown without its reason, and can be sent again."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.bury(batch.row, failure(ErrorType.REJECTED), now=START)
    _flip(desk, "jobs", column, "state = 4", random.Random(6))

    report = desk.reports.find(first.space_id, first.job_id, parked=False, now=START)
    assert report is not None
    assert report.state is JobState.DEAD
    assert report.error is None
    assert [each.job_id for each in desk.stats().last_errors] == [first.job_id]
    assert [letter.content for letter in Census(desk.journal).dead_letters()] == ["a"]
    assert desk.reports.replay(first.space_id, None, START)[0] == 1


def test_a_dead_letter_of_a_damaged_lane_is_still_listed(desk: Desk) -> None:
    """Its content and session cannot be told any more; that it exists can."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.bury(batch.row, failure(ErrorType.REJECTED), now=START)
    _flip(desk, "lanes", "sealed", "lane_id = 1", random.Random(7))
    desk.journal.addresses.forget()

    (letter,) = Census(desk.journal).dead_letters()

    assert (letter.job_id, letter.session_id, letter.content) == (first.job_id, None, None)


def test_a_search_passes_over_what_it_cannot_read(desk: Desk) -> None:
    """A damaged lane or job hides only itself from the pending writes."""
    (first, _, _) = desk.append(job("a"), job("b"), job("c", session="conv-2"))
    _flip(desk, "jobs", "sealed", "seq % 2 = 0 AND lane_id = 1", random.Random(8))
    _flip(desk, "lanes", "sealed", "lane_id = 2", random.Random(8))
    desk.journal.addresses.forget()

    newest = desk.reports.newest(first.space_id, limit=10)

    assert [each.payload.text for each in newest] == ["b"]


def test_a_damaged_park_does_not_stop_the_start(desk: Desk) -> None:
    """Its space is asked at once, which tells the same; the other parks hold."""
    ids = [desk.journal.addresses.know_space(space(key)) for key in ("key-1", "key-2")]
    for space_id in ids:
        desk.journal.parks.put(
            Park(space_id, "auth", START, START + 60, 0, failure(ErrorType.AUTH))
        )
    _flip(desk, "parks", "sealed", f"space_id = {ids[0]}", random.Random(9))
    desk.reopen()

    assert [park.space_id for park in desk.journal.parks.all()] == [ids[1]]


def test_any_flipped_bit_of_the_file_is_harmless_or_noticed(tmp_path: Path) -> None:
    """Whatever page it hits: no content is sent that was not accepted, and opening never hangs."""
    path = tmp_path / "journal.db"
    desk = Desk(path)
    accepted = [f"job {number} " + "x" * 50 for number in range(30)]
    desk.append(*(job(content, session=f"s{n % 3}") for n, content in enumerate(accepted)))
    desk.journal.file.checkpoint()
    desk.journal.close()
    clean = path.read_bytes()
    rng, noticed = random.Random(10), 0
    for _ in range(FLIPS):
        damaged = bytearray(clean)
        bit = rng.randrange(len(damaged) * 8)
        damaged[bit // 8] ^= 1 << (bit % 8)
        Path(f"{path}-wal").unlink(missing_ok=True)
        path.write_bytes(damaged)
        try:
            broken = Desk(path)
        except JournalError:
            noticed += 1
            continue
        try:
            sent = _drain(broken)
        except (JournalError, sqlite3.DatabaseError):
            noticed += 1
        else:
            assert set(sent) <= set(accepted)
            noticed += len(sent) < len(accepted)
        broken.journal.close()
    assert noticed > 5, "the flips hit nothing: this test proves nothing"


def _bytes_of(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_keys_and_content_are_nowhere_on_the_disk(desk: Desk, tmp_path: Path) -> None:
    """In no file, at no stage: waiting, frozen, failed, parked, dead, checkpointed, replayed."""
    hidden = [
        text.encode(encoding)
        for text in (KEY, CONTENT, "conv-canary", "user-1")
        for encoding in ("utf-8", "utf-16-le")
    ]

    def clean() -> bool:
        stored = _bytes_of(tmp_path)
        return not any(needle in stored for needle in hidden)

    (first, *_) = desk.append(
        job(CONTENT, session="conv-canary"), pinned(f"{CONTENT} P", session="conv-canary")
    )
    assert clean()
    said = failure(ErrorType.REJECTED).model_copy(
        update={"detail": f"{CONTENT} is refused for {KEY}"}
    )
    batch = desk.frozen(first.lane_id)
    desk.journal.retry(batch.row, said, due_at=START, costs_attempt=True)
    desk.journal.parks.put(Park(first.space_id, "auth", START, START + 9, 0, said))
    assert clean()
    desk.restart(batch.row)
    desk.journal.bury(batch.row, said, now=START)
    desk.journal.file.checkpoint()
    assert clean()
    desk.reports.replay(first.space_id, None, START)
    desk.reopen()
    desk.recovery.recover(START, max_due_in_s=HOUR_S)
    assert sorted(_drain(desk)) == [CONTENT, f"{CONTENT} P"]
    desk.journal.file.checkpoint()
    desk.journal.close()
    assert clean()


def test_a_key_that_is_not_to_be_kept_is_not_even_sealed(tmp_path: Path) -> None:
    """persist_keys=False: with the sealing key in hand there is still nothing to find."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    desk.append(job("a"))
    digest, sealed = desk.journal.file.db.execute("SELECT digest, sealed FROM spaces").fetchone()

    assert KEY.encode() not in SEALER.unseal(sealed, b"space" + digest)
