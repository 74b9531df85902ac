"""A refused key's jobs follow the key that replaced it, all of them or none."""

from pathlib import Path

from mem9_async.models.outcome import ErrorType
from mem9_async.queue.journal.rekeying import Readdress
from mem9_async.queue.records import Park
from tests.queue.builders import HOUR_S, START, failure, job, space
from tests.queue.desk import Desk, texts


def _owned(desk: Desk, text: str, key: str, *, owner: str = "an app") -> tuple[int, int]:
    """Store *text* as the owner does; the numbers of its space and lane."""
    (stored,) = desk.append(job(text, key=key))
    Readdress(desk.journal).note_owner(space(key), stored.space_id, owner)
    return stored.space_id, stored.lane_id


def test_a_key_first_used_after_the_last_job_is_the_successor(desk: Desk) -> None:
    """Of the same owner only, and only while something waits."""
    old, lane_id = _owned(desk, "a", "old")
    _owned(desk, "b", "of another", owner="another app")
    readdress = Readdress(desk.journal)
    assert readdress.successor(old) is None
    new, _ = _owned(desk, "c", "new")
    assert readdress.successor(old) == new
    assert readdress.successor(new) is None

    batch = desk.frozen(lane_id)
    assert readdress.successor(old) == new
    desk.journal.delivered(batch.row, redelivered=False)
    assert readdress.successor(old) is None


def test_a_key_in_use_beside_it_is_none(desk: Desk) -> None:
    """The old one was used again later; a third key may still replace both."""
    old, _ = _owned(desk, "a", "old")
    _owned(desk, "b", "beside")
    _owned(desk, "c", "old")
    readdress = Readdress(desk.journal)
    assert readdress.successor(old) is None

    third, _ = _owned(desk, "d", "third")

    assert readdress.successor(old) == third


def test_looking_for_a_successor_reads_no_backlog(desk: Desk) -> None:
    """However long it is: a few steps down the index."""
    old, _ = _owned(desk, "a", "old")
    _owned(desk, "b", "beside")
    desk.append(*(job(f"{number}", key="old") for number in range(5_000)))
    db = desk.journal.file.db
    readdress = Readdress(desk.journal)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    db.set_progress_handler(count, 100)
    assert readdress.successor(old) is None
    db.set_progress_handler(None, 0)

    assert steps < 10  # thousands of virtual machine steps would be a look at each job


def test_nothing_moves_while_a_key_is_unknown(tmp_path: Path) -> None:
    """And nothing is dropped: the jobs wait, in their batches, for the key they were made for."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    old, lane_id = _owned(desk, "a", "old")
    desk.reopen()
    new, _ = _owned(desk, "b", "new")
    readdress = Readdress(desk.journal)

    assert readdress.successor(old) == new
    assert readdress.move(old, new, now=START) is None
    assert readdress.move(new, old, now=START) is None
    assert [each.space_id for each in desk.recovery.backlogs()] == [old, new]

    desk.journal.addresses.find_space(space("old"))
    (moved,) = readdress.move(old, new, now=START) or set()
    assert texts(desk.frozen(moved)) == ["a", "b"]
    assert lane_id != moved


def test_a_damaged_lane_does_not_hold_the_others_back(desk: Desk) -> None:
    """It is set aside: nobody can tell where its jobs were to go."""
    old, _ = _owned(desk, "a", "old")
    (broken,) = desk.append(job("b", session="conv-2", key="old"))
    new, _ = _owned(desk, "c", "new")
    desk.reopen()
    desk.journal.file.db.execute(
        "UPDATE lanes SET sealed = x'00' WHERE lane_id = ?", (broken.lane_id,)
    )

    (moved,) = Readdress(desk.journal).move(old, new, now=START) or set()

    assert texts(desk.frozen(moved, now=START)) == ["a", "c"]
    assert desk.reports.dead(old) == 1
    assert desk.difference() == 0


def test_owners_are_noted_once_and_remembered_within_bounds(desk: Desk) -> None:
    """A commit for each new one, none for the same again; a forgotten space is noted anew."""
    readdress = Readdress(desk.journal)
    (one,) = desk.append(job("a"))
    assert readdress.note_owner(space(), one.space_id, "an app")
    assert not readdress.note_owner(space(), one.space_id, "an app")
    readdress.forget({one.space_id})
    assert readdress.note_owner(space(), one.space_id, "an app")

    for user in range(10_010):
        readdress.note_owner(space(), one.space_id, f"user {user}")
    assert len(readdress._noted) == 10_000


def test_waits_attempts_and_parked_time_of_the_old_address_do_not_come_along(desk: Desk) -> None:
    """The batch is due at once, from its first attempt; what may have arrived stays doubtful."""
    old, lane_id = _owned(desk, "a", "old")
    new, _ = _owned(desk, "b", "new")
    batch = desk.frozen(lane_id)
    broken = failure(ErrorType.READ_TIMEOUT, maybe_sent=True)
    desk.journal.retry(batch.row, broken, due_at=START + HOUR_S, costs_attempt=True)
    desk.journal.parks.put(Park(old, "auth", START, START + HOUR_S, 1, broken))
    now = START + 73 * HOUR_S

    (moved,) = Readdress(desk.journal).move(old, new, now=now) or set()

    (backlog,) = desk.recovery.backlogs([moved])
    assert backlog.frozen[0].due_at <= now
    # Of all that time parked, nothing counts: only the job that was not held is too old.
    assert desk.retention.expire(now, deadline_s=72 * HOUR_S)[0] == 1
    again = desk.restart(backlog.frozen[0].row, now)
    assert texts(again) == ["a"]
    assert (again.batch.attempt, again.maybe_sent, again.first_attempt_at) == (1, True, now)
    assert desk.journal.parks.all() == []
