"""What the watch decides, by a clock and evidence of our own making."""

from dataclasses import dataclass, field

import pytest

from mem9_async.models.evidence import Fact, ModelCalls, Process, fingerprint
from mem9_async.queue.watch.spaces import SpaceNews
from mem9_async.queue.watch.watch import End, Look, Verdict, Watch
from mem9_async.queue.watch.watched import Schedule, Watched

URL = "http://mem9.test"
LOOK = Look(1, "agent", URL)
START = 1_000.0


@dataclass
class Rig:
    """A watch, and a clock that moves when it is told to."""

    watch: Watch = field(
        default_factory=lambda: Watch(Schedule(600), max_jobs=10_000, max_bytes=10_000)
    )
    now: float = START
    rows: int = 0

    def take(self, *texts: str, session: str | None = "s", resends: int = 0) -> Watched:
        """mem9 takes a batch of these messages."""
        self.rows += 1
        batch = Watched(
            row=self.rows, lane_id=10, space_id=1, endpoint=URL, agent_id="agent",
            session_id=session, job_ids=tuple(f"job-{self.rows}-{n}" for n in range(len(texts))),
            size=1, taken_at=self.now, resends=resends, texts=frozenset(map(fingerprint, texts)),
        )  # fmt: skip
        self.watch.took(batch, self.now)
        return batch

    def see(self, text: str, *turns: str, session: str | None = "s") -> set[int]:
        """A look finds one fact, of these messages."""
        fact = Fact(session, self.now, fingerprint(text), frozenset(map(fingerprint, turns)))
        return self.watch.facts(LOOK, [fact], self.now)

    def look(self) -> None:
        """A look finds nothing."""
        self.watch.facts(LOOK, [], self.now)

    def after(self, seconds: float) -> list[Verdict]:
        """Let time pass; what is decided then."""
        self.now += seconds
        return self.watch.verdicts(self.now)

    def ends(self, seconds: float) -> list[tuple[End, str | None]]:
        """The same, as ends and reasons."""
        return [(verdict.end, verdict.reason) for verdict in self.after(seconds)]


def _began(at: float) -> Process:
    return Process(at, at)


@pytest.fixture
def rig() -> Rig:
    """A fresh watch."""
    return Rig()


def test_a_batch_whose_every_message_is_named_is_remembered_at_once(rig: Rig) -> None:
    """And its lane may go on when the first of them is seen."""
    rig.take("I row.", "I keep bees.")
    rig.now += 2
    assert rig.see("Rows", "I row.") == {10}
    assert rig.see("Rows", "I row.") == set()
    assert rig.ends(0) == []
    rig.see("Keeps bees", "I keep bees.")

    assert rig.ends(0) == [(End.REMEMBERED, None)]
    assert len(rig.watch) == 0


def test_a_batch_that_is_seen_in_part_is_whole_when_it_is_quiet(rig: Rig) -> None:
    """Small talk beside a fact leaves no trace."""
    rig.take("I row.", "How are you?")
    rig.now += 2
    rig.see("Rows", "I row.")

    assert rig.ends(19) == []
    assert rig.ends(2) == [(End.REMEMBERED, None)]


def test_without_turns_a_fact_of_the_session_will_do(rig: Rig) -> None:
    """One of another session, or of before, will not."""
    rig.take("I row.")
    rig.now += 2
    rig.see("Rows", session="other")
    old = Fact("s", START - 10, fingerprint("Rows"), frozenset())
    assert rig.watch.facts(LOOK, [old], rig.now) == set()

    assert rig.see("Rows") == {10}


def test_a_fact_of_other_messages_says_nothing(rig: Rig) -> None:
    """Where mem9 names where a fact came from, that is what counts."""
    rig.take("I row.")

    assert rig.see("Keeps bees", "I keep bees.") == set()


def test_silence_ends_unconfirmed_and_sends_nothing_again(rig: Rig) -> None:
    """A turn without anything worth keeping leaves no trace either."""
    rig.watch.process(URL, _began(START - 100), START)
    rig.watch.model(URL, ModelCalls(good=5, failed=0, stores=5), START)
    rig.take("How are you?")
    rig.watch.model(URL, ModelCalls(good=9, failed=0, stores=9), START + 100)

    assert rig.ends(599) == []
    assert rig.ends(2) == [(End.UNCONFIRMED, None)]


class TestRestart:
    """The server's process is younger than what it took."""

    def test_what_was_in_its_hands_goes_again_after_a_minute(self, rig: Rig) -> None:
        """Once it was looked whether it came through after all."""
        rig.take("I row.")
        rig.watch.process(URL, _began(START + 5), START + 6)
        assert rig.ends(70) == []  # not looked at since
        rig.look()

        assert rig.ends(0) == [(End.LOST, "server_restarted")]

    def test_what_is_whole_stays(self, rig: Rig) -> None:
        """Every message of it is there."""
        rig.take("I row.")
        rig.watch.process(URL, _began(START + 5), START + 6)
        rig.now += 7
        rig.see("Rows", "I row.")

        assert rig.ends(0) == [(End.REMEMBERED, None)]

    def test_what_is_seen_in_part_goes_again(self, rig: Rig) -> None:
        """The process may have died between two rows; mem9 compares doubles."""
        rig.take("I row.", "I keep bees.")
        rig.now += 2
        rig.see("Rows", "I row.")
        rig.watch.process(URL, _began(rig.now + 1), rig.now + 2)
        rig.now += 70
        rig.look()

        assert rig.ends(0) == [(End.LOST, "server_restarted")]

    def test_an_older_process_lost_nothing(self, rig: Rig) -> None:
        """It has been there all the time."""
        rig.watch.process(URL, _began(START - 5), START)
        rig.take("I row.")
        rig.now += 70
        rig.look()

        assert rig.ends(0) == []

    def test_a_process_that_began_a_moment_before_lost_nothing(self, rig: Rig) -> None:
        """Where it was known before, that it is the same; else by its time, with some room."""
        rig.watch.process(URL, _began(START - 0.2), START)
        rig.take("I row.")
        rig.watch.process(URL, Process(START - 0.2, START + 0.6), START + 1)  # by a coarse Date
        rig.now += 70
        rig.look()
        assert rig.ends(0) == []
        rig.watch.process(URL, _began(START + 20), START + 71)
        rig.now += 70
        rig.look()

        assert rig.ends(0) == [(End.LOST, "server_restarted")]

    def test_where_processes_take_turns_it_waits_twice_as_long(self, rig: Rig) -> None:
        """Behind a balancer, an older one may still be at work on it."""
        rig.take("I row.")
        rig.watch.process(URL, _began(START + 5), START + 6)
        rig.watch.process(URL, _began(START - 500), START + 7)
        rig.now += 70
        rig.look()
        assert rig.ends(0) == []
        rig.now += 60
        rig.look()

        assert rig.ends(0) == [(End.LOST, "server_restarted")]

    def test_at_most_three_times(self, rig: Rig) -> None:
        """Then it is let go."""
        rig.take("I row.", resends=3)
        rig.watch.process(URL, _began(START + 5), START + 6)
        rig.now += 300
        rig.look()
        assert rig.ends(0) == []

        assert rig.ends(301) == [(End.UNCONFIRMED, None)]


class TestModel:
    """The language model fails, or is not there."""

    def test_an_outage_is_waited_out_and_all_goes_again_once_one_is_seen(self, rig: Rig) -> None:
        """Kept beyond the window; new stores are the probes."""
        rig.watch.model(URL, ModelCalls(good=5, failed=0, stores=5), START)
        rig.take("one")
        rig.take("two")
        rig.watch.model(URL, ModelCalls(good=5, failed=2, stores=7), START + 5)
        assert rig.ends(61) == []
        assert rig.watch.news(rig.now) == [SpaceNews(1, "llm_failing")]
        assert rig.watch.not_remembering(1) == "llm_failing"
        rig.take("three", session="s3")
        rig.now += 5
        rig.see("3", "three", session="s3")

        lost = (End.LOST, "llm_failing")
        assert rig.ends(0) == [lost, lost, (End.REMEMBERED, None)]
        assert rig.watch.news(rig.now) == [SpaceNews(1, None)]

    def test_without_new_stores_one_goes_again_at_growing_intervals(self, rig: Rig) -> None:
        """1 minute, 2, 4, ... at most 16; the others wait."""
        rig.watch.model(URL, ModelCalls(good=5, failed=0, stores=5), START)
        for number in range(3):
            rig.take(f"{number}")
        rig.watch.model(URL, ModelCalls(good=5, failed=3, stores=8), START + 5)
        assert rig.ends(61) == []
        assert rig.ends(59) == []

        assert rig.ends(2) == [(End.LOST, "llm_failing")]
        assert rig.ends(60) == []
        assert rig.ends(61) == [(End.LOST, "llm_failing")]
        assert rig.ends(1_000) == [(End.LOST, "llm_failing")]

    def test_one_that_fails_now_and_then_has_each_sent_again_once(self, rig: Rig) -> None:
        """Else chatter would go round for ever."""
        rig.watch.model(URL, ModelCalls(good=5, failed=0, stores=5), START)
        rig.take("one")
        rig.take("two", resends=1)
        rig.watch.model(URL, ModelCalls(good=8, failed=1, stores=9), START + 5)

        assert rig.ends(61) == [(End.LOST, "llm_failing")]
        assert rig.ends(600) == [(End.UNCONFIRMED, None)]
        assert rig.watch.not_remembering(1) is None

    def test_failures_of_before_are_not_counted(self, rig: Rig) -> None:
        """What it failed at then was something else."""
        rig.watch.model(URL, ModelCalls(good=5, failed=50, stores=55), START)
        rig.take("one")
        rig.watch.model(URL, ModelCalls(good=6, failed=50, stores=56), START + 5)

        assert rig.ends(61) == []

    def test_where_there_is_none_all_goes_again_word_for_word(self, rig: Rig) -> None:
        """Stores came, and the model was never called."""
        rig.take("one")
        for second in (5, 40):
            rig.watch.model(URL, ModelCalls(good=0, failed=0, stores=1), START + second)
            assert not rig.watch.server(URL).has_no_model  # its first call may still be under way
        rig.watch.model(URL, ModelCalls(good=0, failed=0, stores=1), START + 66)

        assert rig.ends(66) == [(End.LOST, "not_remembering")]
        assert rig.watch.server(URL).has_no_model
        assert rig.watch.news(rig.now) == [SpaceNews(1, "no_llm")]

    def test_a_server_that_was_asked_nothing_yet_may_have_one(self, rig: Rig) -> None:
        """Counters begin at nothing."""
        rig.watch.model(URL, ModelCalls(good=0, failed=0, stores=0), START)

        assert not rig.watch.server(URL).has_no_model


def test_silence_of_several_batches_is_told_and_nothing_else(rig: Rig) -> None:
    """Three where none was ever seen; ended when one is."""
    for number in range(3):
        rig.take(f"{number}", session=None)
    assert rig.ends(301) == []
    assert rig.watch.news(rig.now) == [SpaceNews(1, "unknown")]
    assert rig.watch.news(rig.now) == []
    rig.take("seen", session=None)
    rig.now += 2
    rig.see("Seen", "seen", session=None)

    assert rig.watch.news(rig.now) == [SpaceNews(1, None)]


def test_looks_come_at_growing_intervals_after_the_newest_take(rig: Rig) -> None:
    """One look for all of an agent."""
    rig.take("one")
    rig.take("two", session="other")
    found = []
    for _ in range(3_100):
        rig.now += 0.1
        found += [round(rig.now - START, 1) for _ in rig.watch.due(rig.now)]

    assert found == [pytest.approx(at, abs=0.11) for at in (2, 5, 10, 20, 40, 80, 160, 300)]


def test_a_steady_stream_of_takes_is_looked_at_too(rig: Rig) -> None:
    """The newest take does not put off the look for ever."""
    looks = 0
    for _ in range(60):
        rig.take("x")
        rig.now += 1
        looks += len(rig.watch.due(rig.now))

    assert looks >= 20


@pytest.mark.parametrize(
    "limits", [{"max_jobs": 3, "max_bytes": 9}, {"max_jobs": 9, "max_bytes": 1}]
)
def test_the_oldest_leave_first_where_there_are_too_many(limits: dict[str, int]) -> None:
    """As unconfirmed, by jobs and by bytes."""
    rig = Rig(Watch(Schedule(600), **limits))
    first = rig.take("1", "2")
    rig.take("3", "4")

    assert [(each.end, each.batch) for each in rig.after(1)] == [(End.UNCONFIRMED, first)]
    assert len(rig.watch) == 2


def test_a_fact_of_another_app_is_no_sign_of_it(rig: Rig) -> None:
    """Nor in the same words."""
    batch = rig.take("I row.")
    batch.app_id = "shop"
    said = frozenset({fingerprint("I row.")})
    elsewhere = Fact("s", rig.now, fingerprint("User rows"), said, app_id="desk")

    assert rig.watch.facts(LOOK, [elsewhere], rig.now) == set()
    here = Fact("s", rig.now, fingerprint("User rows"), said, app_id="shop")
    assert rig.watch.facts(LOOK, [here], rig.now) == {10}
