"""What one space may see of the journal: its own jobs, and no other's."""

from mem9_async.models.job import JobState
from mem9_async.models.outcome import ErrorType
from tests.queue.builders import START, failure, job, pinned
from tests.queue.desk import Desk, texts

REFUSED = failure(ErrorType.REJECTED, status=400)
UNAVAILABLE = failure(ErrorType.UNAVAILABLE, status=503)


def test_jobs_are_counted_by_state(desk: Desk) -> None:
    """Waiting, in flight, to be retried, dead: each once; a delivered one not at all."""
    states = ("gone", "flying", "retry", "dead", "waiting")
    accepted = desk.append(*(job(name, session=name) for name in states))
    gone, flying, retry, dead = (desk.frozen(each.lane_id) for each in accepted[:4])
    desk.journal.delivered(gone.row, redelivered=False)
    desk.journal.retry(retry.row, UNAVAILABLE, due_at=START + 5, costs_attempt=True)
    desk.journal.bury(dead.row, REFUSED, now=START)

    stats = desk.stats()

    assert {state: n for state, n in stats.counts.items() if n} == {
        JobState.AVAILABLE: 1,
        JobState.IN_FLIGHT: 1,
        JobState.RETRYABLE: 1,
        JobState.DEAD: 1,
    }
    assert stats.oldest_at == START
    assert {lane_id for lane_id, _, _ in stats.lanes} == {
        accepted[1].lane_id,
        accepted[2].lane_id,
        accepted[4].lane_id,
    }
    assert {each.error_type for each in stats.last_errors} == {"rejected", "unavailable"}
    assert flying.batch.attempt == 1


def test_what_waits_in_a_parked_space_is_parked(desk: Desk) -> None:
    """Seen from outside there is one reason for it to wait."""
    (first, _) = desk.append(job("a"), job("b", session="conv-2"))
    batch = desk.frozen(first.lane_id)
    desk.journal.retry(batch.row, UNAVAILABLE, due_at=START, costs_attempt=False)

    counts = desk.stats(parked=True).counts

    assert (counts[JobState.PARKED], counts[JobState.AVAILABLE]) == (2, 0)


def test_a_space_sees_nothing_of_another(desk: Desk) -> None:
    """Counts, jobs, pending writes, dead letters, replay: by the key that asks."""
    (mine, theirs) = desk.append(job("mine", key="key-1"), job("theirs", key="key-2"))
    batch = desk.frozen(theirs.lane_id)
    desk.journal.bury(batch.row, REFUSED, now=START)
    reports, mine_id = desk.reports, mine.space_id

    assert sum(desk.stats("key-1").counts.values()) == 1
    assert reports.find(mine_id, theirs.job_id, parked=False, now=START) is None
    assert reports.dead(mine_id) == 0
    assert reports.replay(mine_id, None, START) == (0, [])
    assert reports.replay(mine_id, theirs.job_id, START) == (0, [])
    assert [each.payload.text for each in reports.newest(mine_id, limit=9)] == ["mine"]
    assert reports.states(mine_id, [theirs.job_id], parked=False) == {}


def test_one_job_is_found_by_its_id(desk: Desk) -> None:
    """State, age, attempts and the next attempt's time; unknown ids and no ids are not here."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.retry(batch.row, UNAVAILABLE, due_at=START + 30, costs_attempt=True)

    report = desk.reports.find(first.space_id, first.job_id, parked=False, now=START + 10)

    assert report is not None
    assert (report.state, report.age_s, report.attempts) == (JobState.RETRYABLE, 10.0, 1)
    assert report.next_attempt_in_s == 20.0
    for job_id in ("00" * 16, "no hex", ""):
        assert desk.reports.find(first.space_id, job_id, parked=False, now=START) is None


def test_the_newest_undelivered_jobs_are_opened_newest_first(desk: Desk) -> None:
    """Waiting, frozen and pinned ones of every lane, at most as many as asked for."""
    (first, *_, dead) = desk.append(
        job("old"),
        job("new"),
        job("other session", session="conv-2"),
        pinned("pinned"),
        job("dead", session="conv-3"),
    )
    desk.frozen(first.lane_id, max_jobs=1)
    desk.journal.bury(desk.frozen(dead.lane_id).row, REFUSED, now=START)

    def newest(limit: int) -> list[str]:
        return [each.payload.text for each in desk.reports.newest(first.space_id, limit=limit)]

    assert newest(10) == ["pinned", "other session", "new", "old"]
    assert newest(2) == ["pinned", "other session"]


def test_states_are_told_of_what_is_still_on_its_way(desk: Desk) -> None:
    """Dead, delivered and unknown jobs have none."""
    names = ("gone", "flying", "retry", "dead", "waiting")
    accepted = desk.append(*(job(name, session=name) for name in names))
    gone, _, retry, dead = (desk.frozen(each.lane_id) for each in accepted[:4])
    desk.journal.delivered(gone.row, redelivered=False)
    desk.journal.retry(retry.row, UNAVAILABLE, due_at=START + 5, costs_attempt=True)
    desk.journal.bury(dead.row, REFUSED, now=START)
    ids = {each.job_id: name for each, name in zip(accepted, names, strict=True)}

    states = desk.reports.states(accepted[0].space_id, [*ids, "00" * 16], parked=False)

    assert {ids[job_id]: state for job_id, state in states.items()} == {
        "flying": JobState.IN_FLIGHT,
        "retry": JobState.RETRYABLE,
        "waiting": JobState.AVAILABLE,
    }


def test_dead_letters_go_again_one_or_all(desk: Desk) -> None:
    """With a clean slate, in their old order, before what was accepted after them."""
    (first, second, _) = desk.append(job("1"), job("2"), job("3"))
    for _ in range(3):
        batch = desk.frozen(first.lane_id, max_jobs=1)
        desk.journal.bury(batch.row, REFUSED, now=START)
    desk.append(job("4"))

    assert desk.reports.replay(first.space_id, second.job_id, START) == (1, [first.lane_id])
    assert desk.reports.dead(first.space_id) == 2
    assert texts(desk.frozen(first.lane_id)) == ["2", "4"]
    assert desk.reports.replay(first.space_id, "no hex", START) == (0, [])
    assert desk.reports.replay(first.space_id, None, START) == (2, [first.lane_id])
    again = desk.frozen(first.lane_id)
    assert texts(again) == ["1", "3"]
    assert (again.batch.attempt, again.maybe_sent, again.from_split) == (1, False, False)
    assert desk.journal.counters()["replayed"] == 3
    assert desk.difference() == 0
