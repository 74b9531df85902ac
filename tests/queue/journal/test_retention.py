"""Ages by a clock that may be wrong: what is too old to be believed is kept as long again."""

import pytest

from mem9_async.models.outcome import ErrorType
from mem9_async.queue.journal.retention import Retention
from tests.queue.builders import HOUR_S, START, failure, job
from tests.queue.desk import Desk

DAY_S = 24 * HOUR_S
IN_2099 = 4_070_908_800.0
DEADLINE_S = 72 * HOUR_S


class _Running:
    """The monotonic clock of a process."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def _letters(desk: Desk) -> int:
    return desk.rows() - desk.pending()


def _bury(desk: Desk, *, now: float) -> None:
    (accepted,) = desk.append(job("refused", session="refused"), now=now)
    batch = desk.frozen(accepted.lane_id, now=now)
    desk.journal.bury(batch.row, failure(ErrorType.REJECTED, status=400), now=now)


def test_a_clock_that_starts_in_2099_makes_no_dead_letter(desk: Desk) -> None:
    """Nor does it forget any, until the process has lived through a whole deadline."""
    _bury(desk, now=START)
    desk.append(job("waiting"), now=START)
    running = _Running()
    retention = Retention(desk.journal, monotonic=running)

    for minutes in range(0, 71 * 60, 30):
        running.at = minutes * 60.0
        now = IN_2099 + running.at
        assert retention.expire(now, deadline_s=DEADLINE_S) == (0, set())
        assert retention.forget_dead(now, retention_s=14 * DAY_S, max_bytes=1 << 20) == (0, 0)
    running.at = DEADLINE_S
    assert retention.expire(IN_2099 + DEADLINE_S, deadline_s=DEADLINE_S)[0] == 1
    assert _letters(desk) == 2


def test_restarts_do_not_begin_the_wait_anew(desk: Desk) -> None:
    """A plugin that was away for a month, and is restarted every day, forgets in the end."""
    _bury(desk, now=START)
    forgotten, days = 0, 0
    while not forgotten:
        running = _Running()
        retention = Retention(desk.journal, monotonic=running)
        for hour in range(24):
            running.at = hour * HOUR_S
            now = START + (30 + days) * DAY_S + running.at
            forgotten += retention.forget_dead(now, retention_s=2 * DAY_S, max_bytes=1 << 20)[0]
        days += 1
        desk.reopen()

    assert days == 3


def test_a_job_accepted_in_1970_is_tried_for_a_whole_deadline(desk: Desk) -> None:
    """By a machine that got its time from the network a little later; the others keep theirs."""
    desk.append(job("in 1970"), now=60.0)
    desk.append(job("yesterday", session="conv-2"), now=START - DEADLINE_S - 60.0)
    running = _Running()
    retention = Retention(desk.journal, monotonic=running)

    assert retention.expire(START, deadline_s=DEADLINE_S)[0] == 1
    running.at = DEADLINE_S - 60.0
    assert retention.expire(START + running.at, deadline_s=DEADLINE_S)[0] == 0
    running.at = DEADLINE_S
    assert retention.expire(START + running.at, deadline_s=DEADLINE_S)[0] == 1
    assert desk.pending() == 0


def test_a_doubt_that_is_over_leaves_nothing_behind(desk: Desk) -> None:
    """The next one begins at the beginning."""
    (accepted,) = desk.append(job("old"), now=60.0)
    running = _Running()
    retention = Retention(desk.journal, monotonic=running)
    for running.at in (0.0, DEADLINE_S - 1.0):
        assert retention.expire(START, deadline_s=DEADLINE_S)[0] == 0
    batch = desk.frozen(accepted.lane_id)
    desk.journal.delivered(batch.row, redelivered=False)
    retention.expire(START, deadline_s=DEADLINE_S)

    desk.append(job("old again"), now=60.0)
    running.at += HOUR_S
    assert retention.expire(START, deadline_s=DEADLINE_S)[0] == 0
    running.at += HOUR_S
    assert retention.expire(START, deadline_s=DEADLINE_S)[0] == 0
    assert desk.pending() == 1


@pytest.mark.parametrize("late_s", [1.0, HOUR_S, DAY_S - 60.0])
def test_what_is_a_little_late_goes_at_once(desk: Desk, late_s: float) -> None:
    """A restart, or a night switched off, is no reason to doubt the clock."""
    desk.append(job("waiting"))
    _bury(desk, now=START)
    now = START + DEADLINE_S + late_s

    assert desk.retention.expire(now, deadline_s=DEADLINE_S)[0] == 1
    aged, _ = desk.retention.forget_dead(now, retention_s=DEADLINE_S, max_bytes=1 << 20)
    assert aged == 1


def test_a_space_parked_for_a_month_is_no_doubt(desk: Desk) -> None:
    """Its jobs do not age; those of others go as ever."""
    (parked,) = desk.append(job("parked", key="parked-key"), now=START)
    desk.journal.file.db.execute(
        "INSERT INTO parks VALUES (?, 'auth', ?, ?, 0, x'00')", (parked.space_id, START, START)
    )
    now = START + 30 * DAY_S
    desk.append(job("due"), now=now - DEADLINE_S - 60.0)

    assert desk.retention.expire(now, deadline_s=DEADLINE_S)[0] == 1
    found = desk.journal.file.db.execute("SELECT count(*) FROM meta WHERE name LIKE 'late%'")
    assert found.fetchone()[0] == 0
