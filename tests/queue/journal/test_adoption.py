"""Jobs change journals: nothing is lost or doubled, whenever the process dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mem9_async.models.outcome import ErrorType
from mem9_async.queue.journal.adoption import Takeover
from mem9_async.queue.records import Park
from tests.queue.builders import HOUR_S, START, failure, job, lane
from tests.queue.desk import Desk, texts

REFUSED = failure(ErrorType.REJECTED)
UNAVAILABLE = failure(ErrorType.UNAVAILABLE, maybe_sent=True)


@pytest.fixture
def orphan(tmp_path: Path) -> Desk:
    """A journal whose owner is gone."""
    return Desk(tmp_path / "orphan.db")


def _adopt(own: Desk, orphan: Desk) -> list[int]:
    """Take everything over; how many jobs came with each step."""
    orphan.recovery.recover(START, max_due_in_s=HOUR_S)
    return [jobs for jobs, _ in Takeover(own.journal, orphan.journal).chunks()]


def _drain(desk: Desk) -> list[str]:
    sent = []
    for backlog in list(desk.recovery.backlogs()):
        for ref in backlog.frozen:
            batch = desk.restart(ref.row)
            sent += texts(batch)
            desk.journal.delivered(batch.row, redelivered=False)
        while (frozen := desk.freeze(backlog.lane_id)) is not None:
            sent += texts(frozen)
            desk.journal.delivered(frozen.row, redelivered=False)
    return sent


def test_an_orphans_jobs_come_over_with_everything_they_carry(desk: Desk, orphan: Desk) -> None:
    """Waiting, frozen, dead and parked: as they were, under the same ids."""
    (first, *_) = orphan.append(job("frozen"), job("waiting"))
    batch = orphan.frozen(first.lane_id, max_jobs=1)
    orphan.journal.retry(batch.row, UNAVAILABLE, due_at=START + 5, costs_attempt=True)
    (dead,) = orphan.append(job("dead", session="conv-2"))
    buried = orphan.frozen(dead.lane_id)
    orphan.journal.bury(buried.row, REFUSED, now=START)
    park = Park(first.space_id, "quota_exhausted", START, START + 900, 1, REFUSED)
    orphan.journal.parks.put(park)
    desk.append(job("own", session="conv-9", key="another key"))

    assert sum(_adopt(desk, orphan)) == 3

    assert orphan.rows() == 0
    space_id = desk.journal.addresses.know_space(lane().space)
    assert desk.journal.parks.all() == [
        Park(space_id, "quota_exhausted", START, START + 900, 1, REFUSED)
    ]
    report = desk.reports.find(space_id, dead.job_id, parked=False, now=START)
    assert report is not None
    assert report.state == "dead"
    mine = next(each for each in desk.recovery.backlogs() if each.frozen)
    again = desk.restart(mine.frozen[0].row, START + 5)
    assert again.batch == batch.batch.model_copy(update={"attempt": 2})
    assert again.maybe_sent
    assert desk.difference() == 0


def test_adopted_jobs_go_before_the_lanes_own(desk: Desk, orphan: Desk) -> None:
    """They were accepted by the process before this one."""
    orphan.append(job("1"), job("2"))
    desk.append(job("3"))
    _adopt(desk, orphan)

    assert _drain(desk) == ["1", "2", "3"]


def test_equal_content_waiting_here_is_taken_once(desk: Desk, orphan: Desk) -> None:
    """The orphan's job and ours say the same: one is sent."""
    orphan.append(job("same"), job("other"))
    desk.append(job("same"))
    _adopt(desk, orphan)

    assert sorted(_drain(desk)) == ["other", "same"]
    assert desk.journal.counters()["adopted"] == 1
    assert desk.difference() == 0


def test_a_batch_comes_over_whole(desk: Desk, orphan: Desk) -> None:
    """A step never ends inside a batch: its first half could be on its way when the rest comes.

    Then the rest would be taken for delivered with it.
    """
    lanes = [f"s{number}" for number in range(40)]
    for number in range(20):
        orphan.append(*(job(f"{session} {number}", session=session) for session in lanes))
    for backlog in list(orphan.recovery.backlogs()):
        batch = orphan.frozen(backlog.lane_id)
        orphan.journal.retry(batch.row, UNAVAILABLE, due_at=START, costs_attempt=True)
    orphan.append(*(job(f"{session} last", session=session) for session in lanes))

    sent: list[str] = []
    for _ in Takeover(desk.journal, orphan.journal).chunks():
        for backlog in list(desk.recovery.backlogs()):
            for ref in backlog.frozen:  # sent at once, while the rest is still being moved
                batch = desk.restart(ref.row)
                assert len(batch.batch.job_ids) == 20
                sent += texts(batch)
                desk.journal.delivered(batch.row, redelivered=True)
    sent += _drain(desk)

    assert len(sent) == len(set(sent)) == 40 * 21
    for session in lanes:
        mine = [text.split()[1] for text in sent if text.startswith(f"{session} ")]
        assert mine == [*map(str, range(20)), "last"]
    assert desk.difference() == 0


def test_a_takeover_that_breaks_off_is_finished_later(desk: Desk, orphan: Desk) -> None:
    """Half of it is ours; the second attempt brings the rest, and nothing twice."""
    orphan.append(*(job(f"{number}") for number in range(1_200)))
    steps = Takeover(desk.journal, orphan.journal).chunks()
    next(steps)
    del steps

    assert _adopt(desk, orphan) == [500, 200]

    assert _drain(desk) == [f"{number}" for number in range(1_200)]
    assert desk.journal.counters()["adopted"] == 1_200


def test_jobs_copied_but_not_yet_removed_are_not_taken_again(
    desk: Desk, orphan: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orphan's disk refused the removal, and what was copied has been delivered meanwhile."""
    orphan.append(*(job(f"{number}") for number in range(600)))
    steps = Takeover(desk.journal, orphan.journal).chunks()
    with monkeypatch.context() as broken:
        broken.setattr(Takeover, "_remove", _refuse)
        with pytest.raises(OSError, match="read-only"):
            next(steps)
    assert orphan.rows() == 600
    assert len(_drain(desk)) == 500

    assert _adopt(desk, orphan) == [100]

    assert _drain(desk) == [f"{number}" for number in range(500, 600)]
    assert desk.journal.counters()["adopted"] == 600
    assert desk.difference() == 0


def test_the_rest_of_an_orphan_never_takes_a_number_that_is_in_use(
    desk: Desk, orphan: Desk, tmp_path: Path
) -> None:
    """What came first has left, another orphan has its numbers now: both arrive whole."""
    orphan.append(*(job(f"a{number}") for number in range(900)))
    steps = Takeover(desk.journal, orphan.journal).chunks()
    next(steps)
    del steps
    assert len(_drain(desk)) == 500
    desk.reopen()
    second = Desk(tmp_path / "second.db")
    second.append(*(job(f"b{number}") for number in range(600)))
    _adopt(desk, second)

    _adopt(desk, orphan)

    assert len(_drain(desk)) == 400 + 600
    assert desk.difference() == 0


def _refuse(takeover: Takeover, last_seq: object) -> None:
    raise OSError("read-only")


def test_two_orphans_of_one_lane_do_not_get_in_each_others_way(
    desk: Desk, orphan: Desk, tmp_path: Path
) -> None:
    """Their numbers never meet: every job of both arrives, each orphan's in order."""
    second = Desk(tmp_path / "second.db")
    orphan.append(*(job(f"a{number}") for number in range(700)))
    second.append(*(job(f"b{number}") for number in range(300)))
    _adopt(desk, orphan)
    desk.reopen()
    _adopt(desk, second)

    sent = _drain(desk)

    assert len(sent) == 1_000
    for name in "ab":
        mine = [int(text[1:]) for text in sent if text.startswith(name)]
        assert mine == sorted(mine)


_TAKEOVER = """
import sys
from pathlib import Path
from mem9_async.queue.journal.adoption import Takeover
from tests.queue.desk import Desk
own, orphan = (Desk(Path(each)) for each in sys.argv[1:3])
orphan.recovery.recover(0.0, max_due_in_s=1.0)
for _ in Takeover(own.journal, orphan.journal).chunks():
    pass
"""


@pytest.mark.parametrize("hit", [1, 2, 3])
@pytest.mark.parametrize("name", ["adopt.copied", "adopt.committed", "adopt.removed"])
def test_a_process_killed_while_adopting_loses_and_doubles_nothing(
    tmp_path: Path, orphan: Desk, name: str, hit: int
) -> None:
    """SIGKILL between the copy, its commit and the removal, in each of three steps."""
    (first, *_) = orphan.append(*(job(f"{number}") for number in range(1_100)))
    batch = orphan.frozen(first.lane_id)
    orphan.journal.retry(batch.row, UNAVAILABLE, due_at=START, costs_attempt=True)
    orphan.journal.close()
    arguments = [sys.executable, "-c", _TAKEOVER, str(tmp_path / "own.db"), str(orphan.path)]
    killed = subprocess.run(
        arguments,
        env={**os.environ, "MEM9_ASYNC_FAILPOINT": f"{name}:{hit}"},
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL, "the failpoint was not reached"

    own = Desk(tmp_path / "own.db")
    sent = _drain(own)  # what is ours already leaves before the adoption goes on
    _adopt(own, Desk(orphan.path))
    sent += _drain(own)

    assert sorted(sent, key=int) == [f"{number}" for number in range(1_100)]
    assert own.difference() == 0


def test_a_job_whose_lane_is_gone_does_not_stop_the_others(desk: Desk, orphan: Desk) -> None:
    """Nobody can tell where it was to go; it is not counted as taken over."""
    orphan.append(job("lost", session="conv-2"), job("kept"))
    db = orphan.journal.file.db
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("DELETE FROM lanes WHERE lane_id = 1")

    _adopt(desk, orphan)

    assert (_drain(desk), orphan.rows()) == (["kept"], 0)
    assert desk.journal.counters()["adopted"] == 1
    assert desk.difference() == 0


def test_what_was_changed_on_the_disk_is_not_sealed_anew(desk: Desk, orphan: Desk) -> None:
    """The seal covers the number, which changes here: a broken one must stay broken."""
    orphan.append(job("changed"), job("whole"))
    orphan.journal.file.db.execute("UPDATE jobs SET size = size + 1 WHERE seq % 2 = 0")

    _adopt(desk, orphan)

    assert _drain(desk) == ["whole"]
    assert desk.journal.counters()["dead"] == 1
