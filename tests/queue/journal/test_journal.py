"""The journal's verbs: what each leaves behind, also for the next process."""

from pathlib import Path

import pytest
from pydantic_core import to_json

from mem9_async.models.job import Turn
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.records import Park
from tests.queue.builders import HOUR_S, START, failure, job, lane, pinned, space
from tests.queue.desk import SEALER, Desk, texts

REFUSED = failure(ErrorType.REJECTED, status=400)
UNAVAILABLE = failure(ErrorType.UNAVAILABLE, status=503, maybe_sent=True)


def _later(desk: Desk) -> list[str]:
    """What another process finds waiting in the file, in order, lane by lane."""
    desk.reopen()
    desk.recovery.recover(START, max_due_in_s=HOUR_S)
    found = []
    for backlog in list(desk.recovery.backlogs()):
        for ref in backlog.frozen:
            found += texts(desk.restart(ref.row))
        while (frozen := desk.freeze(backlog.lane_id)) is not None:
            found += texts(frozen)
    return found


def test_an_accepted_job_is_there_for_the_next_process(desk: Desk) -> None:
    """Commit, then answer: what got its id is found again without a word from us."""
    desk.append(job("one"), job("two"), job("other", session="conv-2"))

    assert _later(desk) == ["one", "two", "other"]


def test_a_job_is_committed_before_its_receipt_is_given(desk: Desk, tmp_path: Path) -> None:
    """The bytes on the disk at the moment of the answer are enough: nothing is flushed later."""
    desk.append(job("one"))
    for name in ("journal.db", "journal.db-wal"):
        (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
    (tmp_path / "copy-journal.db-wal").rename(tmp_path / "copy.db-wal")
    (tmp_path / "copy-journal.db").rename(tmp_path / "copy.db")

    assert _later(Desk(tmp_path / "copy.db")) == ["one"]


def test_jobs_are_accepted_together_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in the middle of a group takes none of it, and the next group is fine."""
    desk.append(job("before"))
    real = SEALER.digest

    def digest(data: bytes, size: int) -> bytes:
        if b"bad" in data:
            raise OSError("no entropy")
        return real(data, size)

    monkeypatch.setattr(SEALER, "digest", digest)
    with pytest.raises(OSError, match="no entropy"):
        desk.append(job("first", session="new lane"), job("bad"))
    monkeypatch.undo()
    desk.append(job("after", session="another lane"))

    assert desk.difference() == 0
    assert _later(desk) == ["before", "after"]


def test_equal_content_waiting_in_a_lane_is_taken_once(desk: Desk) -> None:
    """The second receipt names the first job; another lane is another matter."""
    first, second, other = desk.append(job("same"), job("same"), job("same", session="conv-2"))

    assert second.job_id == first.job_id
    assert [each.deduplicated for each in (first, second, other)] == [False, True, False]
    assert desk.rows() == 2
    assert desk.journal.counters()["deduplicated"] == 1


def test_equal_content_already_on_its_way_is_a_new_job(desk: Desk) -> None:
    """What is in flight may arrive before: saying it again is not the same any more."""
    (first,) = desk.append(job("same"))
    desk.frozen(first.lane_id)
    (second,) = desk.append(job("same"))

    assert not second.deduplicated
    assert second.job_id != first.job_id


def test_a_batch_takes_jobs_in_order_up_to_its_limits(desk: Desk) -> None:
    """By count, then by bytes; what is left knows since when it waits."""
    (first, *_) = desk.append(*(job(f"{number:010}") for number in range(5)))
    desk.append(job("later"), now=START + 9)

    batch = desk.frozen(first.lane_id, max_jobs=2)
    assert texts(batch) == ["0000000000", "0000000001"]
    assert (batch.size, batch.oldest_at, batch.next_at) == (20, START, START)
    by_bytes = desk.freeze(first.lane_id, max_bytes=25)
    assert by_bytes is not None
    assert len(by_bytes.batch.job_ids) == 2
    rest = desk.frozen(first.lane_id)
    assert texts(rest) == ["0000000004", "later"]
    assert rest.next_at is None
    assert desk.freeze(first.lane_id) is None


def test_a_job_larger_than_a_batch_goes_alone(desk: Desk) -> None:
    """The limit is for company; a job that was accepted is sent."""
    (big, _) = desk.append(job("x" * 500), job("y"))

    batch = desk.freeze(big.lane_id, max_bytes=100)

    assert batch is not None
    assert texts(batch) == ["x" * 500]


def test_a_pinned_job_goes_alone_and_keeps_its_place(desk: Desk) -> None:
    """mem9 takes one per request; its neighbours wait before and behind it."""
    (first, *_) = desk.append(job("a"), job("b"), pinned("P"), job("c"))

    batches = [desk.frozen(first.lane_id) for _ in range(3)]

    assert [texts(batch) for batch in batches] == [["a", "b"], ["P"], ["c"]]
    assert [batch.batch.pinned for batch in batches] == [False, True, False]


def test_a_batch_carries_its_address_and_what_it_asks_to_be_confirmed(tmp_path: Path) -> None:
    """Everything the request is built from, besides the payloads."""
    journal = Journal(tmp_path / "j.db", SEALER, confirmation=Confirmation.INGESTED)
    (appended,) = journal.append([job("one")], START)
    batch = journal.freeze(appended.lane_id, max_jobs=20, max_bytes=1_000, now=START)

    assert batch is not None
    assert batch.batch.lane == lane()
    assert batch.batch.job_ids == (appended.job_id,)
    assert batch.batch.confirmation is Confirmation.INGESTED
    assert (batch.batch.attempt, batch.maybe_sent, batch.from_split) == (1, False, False)
    assert batch.lane_name == appended.lane_name
    journal.close()


def test_every_attempt_sends_the_same_batch(desk: Desk) -> None:
    """Frozen: same id, same jobs, same payloads; only the attempt differs, whatever came since."""
    (first, *_) = desk.append(job("a"), job("b"))
    before = desk.frozen(first.lane_id)
    desk.journal.retry(before.row, UNAVAILABLE, due_at=START + 5, costs_attempt=True)
    desk.append(job("c"))
    again = desk.restart(before.row, START + 5)

    assert again.batch == before.batch.model_copy(update={"attempt": 2})
    assert again.maybe_sent
    assert again.first_attempt_at == START


def test_an_attempt_that_cost_nothing_is_not_counted(desk: Desk) -> None:
    """A park or a pause leaves the attempts where they were, and the first attempt's time too."""
    (first,) = desk.append(job("a"))
    before = desk.frozen(first.lane_id)
    desk.journal.retry(before.row, failure(ErrorType.AUTH), due_at=START, costs_attempt=False)

    again = desk.restart(before.row, START + 60)

    assert again.batch.attempt == 1
    assert not again.maybe_sent
    assert again.first_attempt_at == START + 60  # nothing was tried before that counts


def test_a_failure_that_was_surely_not_sent_does_not_undo_a_doubt(desk: Desk) -> None:
    """Once it may have arrived, every later attempt may be the second."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.retry(batch.row, UNAVAILABLE, due_at=START, costs_attempt=True)
    desk.restart(batch.row)
    refused = failure(ErrorType.CONNECTION_REFUSED)
    desk.journal.retry(batch.row, refused, due_at=START, costs_attempt=True)

    assert desk.restart(batch.row).maybe_sent


def test_delivered_jobs_are_gone_and_counted(desk: Desk) -> None:
    """No row stays; the counters say how many, and how many of them again."""
    (first, *_) = desk.append(job("a"), job("b"))
    batch = desk.frozen(first.lane_id)
    desk.journal.delivered(batch.row, redelivered=False)
    desk.append(job("c"))
    batch = desk.frozen(first.lane_id)
    desk.journal.delivered(batch.row, redelivered=True)

    counters = desk.journal.counters()
    assert desk.rows() == 0
    assert (counters["accepted"], counters["delivered"], counters["redelivered"]) == (3, 3, 1)
    assert desk.journal.restart(batch.row, START) is None


def test_halves_keep_order_attempts_and_doubts(desk: Desk) -> None:
    """Five jobs become three and two, frozen, both marked as parts."""
    (first, *_) = desk.append(job("a"), job("bb"), job("c"), job("d"), job("e"))
    batch = desk.frozen(first.lane_id)
    desk.journal.retry(batch.row, UNAVAILABLE, due_at=START, costs_attempt=True)
    desk.restart(batch.row)
    left, right = desk.journal.split(batch.row, due_at=START + 1)

    assert (left.jobs, left.size, right.jobs, right.size) == (3, 4, 2, 2)
    halves = [desk.restart(ref.row, START + 1) for ref in (left, right)]
    assert [texts(half) for half in halves] == [["a", "bb", "c"], ["d", "e"]]
    assert all(half.from_split and half.maybe_sent for half in halves)
    assert [half.batch.attempt for half in halves] == [3, 3]
    assert halves[0].batch.batch_id != halves[1].batch.batch_id
    assert desk.journal.restart(batch.row, START) is None


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_last_few_jobs_are_split_into_single_ones(desk: Desk, jobs: int) -> None:
    """Three halves of three would cost a request more than three."""
    (first, *_) = desk.append(*(job(f"{number}") for number in range(jobs)))
    batch = desk.frozen(first.lane_id)

    refs = desk.journal.split(batch.row, due_at=START)

    assert [texts(desk.restart(ref.row)) for ref in refs] == [[f"{n}"] for n in range(jobs)]


def test_halves_are_found_in_order_after_a_restart(desk: Desk) -> None:
    """A process that dies between the halves leaves them in line, before what waited behind."""
    (first, *_) = desk.append(job("a"), job("b"), job("c"))
    batch = desk.frozen(first.lane_id)
    desk.append(job("d"))
    desk.journal.split(batch.row, due_at=START)

    assert _later(desk) == ["a", "b", "c", "d"]


def test_buried_jobs_are_kept_but_not_sent(desk: Desk) -> None:
    """Dead letters: shown, counted, out of the way."""
    (first, *_) = desk.append(job("a"), job("b"))
    batch = desk.frozen(first.lane_id)

    assert desk.journal.bury(batch.row, REFUSED, now=START) == 2
    assert desk.rows() == 2
    assert desk.journal.counters()["dead"] == 2
    assert _later(desk) == []


def test_a_park_outlives_the_process(desk: Desk) -> None:
    """Reason, times, step and mem9's own words are found again; unpark forgets them."""
    space_id = desk.journal.addresses.know_space(space())
    park = Park(space_id, "quota_exhausted", START, START + 900, 2, REFUSED)
    desk.journal.parks.put(park)
    desk.reopen()
    assert desk.journal.parks.all() == [park]

    desk.journal.parks.end(space_id, START + 10)
    desk.reopen()
    assert desk.journal.parks.all() == []


@pytest.mark.parametrize(("accepted_in_s", "parked_s"), [(-100.0, 60.0), (20.0, 40.0), (70.0, 0.0)])
def test_time_in_a_park_does_not_count_as_delivery_time(
    desk: Desk, accepted_in_s: float, parked_s: float
) -> None:
    """Only the part of the park in which the job was there: deadlines move by it."""
    parked_at, resumed_at = START, START + 60.0
    accepted_at = START + accepted_in_s
    (accepted,) = desk.append(job("a"), now=accepted_at)
    desk.journal.parks.put(Park(accepted.space_id, "auth", parked_at, resumed_at, 0, REFUSED))
    desk.journal.parks.end(accepted.space_id, resumed_at)

    latest = accepted_at + parked_s
    assert desk.retention.expire(latest + 10.0, deadline_s=10.0)[0] == 0
    assert desk.retention.expire(latest + 10.1, deadline_s=10.0)[0] == 1


def test_a_retry_is_found_at_its_time_after_a_restart(desk: Desk) -> None:
    """The due time is kept, within what a clock that has jumped may do to it."""
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.retry(batch.row, UNAVAILABLE, due_at=START + 40, costs_attempt=True)
    desk.reopen()
    desk.recovery.recover(START + 10, max_due_in_s=HOUR_S)

    (backlog,) = desk.recovery.backlogs()

    assert [ref.due_at for ref in backlog.frozen] == [START + 40]


def test_a_key_that_is_not_kept_must_be_brought_again(tmp_path: Path) -> None:
    """persist_keys=False: after a restart the lane has no address until a call names the key."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    (accepted,) = desk.append(job("a"))
    desk.reopen()

    (backlog,) = desk.recovery.backlogs()
    assert backlog.endpoint is None
    with pytest.raises(JournalError, match="key"):
        desk.freeze(accepted.lane_id)
    assert desk.stats().counts is not None  # a call that brings the key
    (known,) = desk.recovery.backlogs()
    assert known.endpoint == "http://mem9.test"


def test_a_lane_whose_key_is_unknown_loses_nothing_when_it_is_asked_for(tmp_path: Path) -> None:
    """The refusal changes nothing: the job still waits, and goes once the key is there."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    (accepted,) = desk.append(job("a"))
    desk.reopen()
    with pytest.raises(JournalError):
        desk.freeze(accepted.lane_id)

    desk.append(job("b"))

    assert texts(desk.frozen(accepted.lane_id)) == ["a", "b"]


def test_a_journal_in_memory_works_the_same() -> None:
    """Where nothing can be written the queue goes on, and says what it cannot promise."""
    desk = Desk(None)
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.delivered(batch.row, redelivered=False)

    assert desk.difference() == 0
    assert desk.journal.file.wal_bytes() == 0


def test_an_outcome_is_told_as_it_was(desk: Desk) -> None:
    """What mem9 said is kept sealed and read back whole."""
    said = Outcome(error_type=ErrorType.REJECTED, http_status=400, detail="content: too long")
    (first,) = desk.append(job("a"))
    batch = desk.frozen(first.lane_id)
    desk.journal.bury(batch.row, said, now=START)
    desk.reopen()

    report = desk.reports.find(first.space_id, first.job_id, parked=False, now=START + 2)

    assert report is not None
    assert (report.error_type, report.error) == ("rejected", "content: too long")


def test_a_batch_is_of_one_mind_about_keeping_what_was_said(desk: Desk) -> None:
    """In order: a turn that must not be kept shares no request with one that may."""
    quiet = [
        each.model_copy(update={"payload": each.payload.model_copy(update={"keep_raw": False})})
        for each in (job("b"), job("c"))
    ]
    (first, *_) = desk.append(job("a"), *quiet, job("d"))

    batches = []
    while (batch := desk.freeze(first.lane_id)) is not None:
        batches.append((texts(batch), batch.batch.keeps_raw))
        desk.journal.delivered(batch.row, redelivered=False)

    assert batches == [(["a"], True), (["b", "c"], False), (["d"], True)]


def test_a_turn_that_may_be_kept_is_written_as_ever() -> None:
    """Equal content that waits in a journal of before is known as equal."""
    kept = job("a").payload
    assert isinstance(kept, Turn)

    assert b"keep_raw" not in to_json(kept)
    assert b'"keep_raw":false' in to_json(kept.model_copy(update={"keep_raw": False}))
