"""What is on its way is found by a search of its scope, until recall shows it."""

import pytest

from mem9_async.models.job import Message, Pinned, Turn
from mem9_async.models.memory import SearchQuery
from mem9_async.runtime.recall import pending_writes
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.text.matching import Matcher
from tests.queue.builders import KEY, START, lane, space, turn
from tests.queue.clock import FakeClock

WINDOW_S = 120.0


@pytest.fixture
def clock() -> FakeClock:
    """A clock that only a test moves."""
    return FakeClock(START)


@pytest.fixture
def jobs(clock: FakeClock) -> Underway:
    """What is on its way: nothing yet."""
    return Underway(window_s=WINDOW_S, now=clock.now)


def store(
    jobs: Underway,
    clock: FakeClock,
    job_id: str,
    content: str,
    *,
    session: str | None = "conv-1",
    key: str = KEY,
) -> None:
    """Accept one job now."""
    jobs.accepted(job_id, lane(session, key), turn(content), clock.now())


def deliver(jobs: Underway, clock: FakeClock, job_id: str, content: str) -> None:
    """mem9 has taken the job of conv-1."""
    jobs.delivered(job_id, lane(), turn(content), clock.now())


def found(
    jobs: Underway,
    query: str,
    *,
    recalled: tuple[str, ...] = (),
    session: str | None = None,
    agent: str | None = None,
    memory_type: str | None = None,
    tags: tuple[str, ...] = (),
    key: str = KEY,
    limit: int = 10,
) -> list[str]:
    """The ids of the matching jobs."""
    asked = SearchQuery(
        space=space(key),
        caller_agent_id="dify",
        query=query,
        limit=10,
        session_id=session,
        agent_id=agent,
        memory_type=memory_type,
        tags=tags,
    )
    return [each.job_id for each in jobs.find(asked, Matcher(query), recalled, limit=limit)]


def test_an_accepted_job_is_found_by_its_words_in_its_scope(
    jobs: Underway, clock: FakeClock
) -> None:
    """By space always, by session and agent where they are given."""
    store(jobs, clock, "j1", "The user likes green tea")
    store(jobs, clock, "j2", "The user likes black coffee", session="conv-2")
    store(jobs, clock, "j3", "Somebody else likes tea", key="another-key")

    assert found(jobs, "green tea") == ["j1"]
    assert found(jobs, "tea", key="another-key") == ["j3"]
    assert found(jobs, "likes") == ["j2", "j1"]
    assert found(jobs, "likes", session="conv-2") == ["j2"]
    assert found(jobs, "likes", agent="dify", limit=1) == ["j2"]
    assert found(jobs, "likes", agent="other") == []
    assert found(jobs, "mountain bikes") == []


def test_a_filter_leaves_out_what_mem9_would_never_show_under_it(
    jobs: Underway, clock: FakeClock
) -> None:
    """mem9 keeps no agent on a pinned memory, and no tags on what it extracts."""
    store(jobs, clock, "turn", "green tea")
    pinned = Pinned(content="black tea", tags=("work", "drinks"))
    jobs.accepted("pinned", lane(), pinned, clock.now())

    assert found(jobs, "tea", tags=("work",)) == ["pinned"]
    assert found(jobs, "tea", tags=("work", "home")) == []
    assert found(jobs, "tea", memory_type="pinned") == ["pinned"]
    assert found(jobs, "tea", memory_type="insight") == ["turn"]
    assert found(jobs, "tea", memory_type="pinned,session") == ["pinned", "turn"]
    assert found(jobs, "tea", agent="dify") == ["turn"]


def test_only_what_the_user_said_becomes_a_memory(jobs: Underway, clock: FakeClock) -> None:
    """mem9 takes no facts from what the assistant answered."""
    said = (
        Message(role="user", content="Where do I fly from?"),
        Message(role="assistant", content="Your flight leaves from Narita"),
    )
    jobs.accepted("j1", lane(), Turn(messages=said), clock.now())

    assert found(jobs, "Narita flight") == []
    assert found(jobs, "fly") == ["j1"]


def test_a_delivered_job_stays_until_recall_tells_it_or_its_time_is_up(
    jobs: Underway, clock: FakeClock
) -> None:
    """In mem9's words as well as in its own; an undelivered one stays whatever recall says."""
    for job_id, content in (("j1", "I prefer the Helix editor"), ("j2", "My cat is called Mia")):
        store(jobs, clock, job_id, content)
    assert found(jobs, "Helix editor", recalled=("User prefers the Helix editor",)) == ["j1"]

    deliver(jobs, clock, "j1", "I prefer the Helix editor")
    deliver(jobs, clock, "j2", "My cat is called Mia")
    assert found(jobs, "editor", recalled=("User owns a cat",)) == ["j1"]
    assert found(jobs, "editor", recalled=("User prefers the Helix editor",)) == []
    assert found(jobs, "editor") == [], "it has arrived: it does not come back"

    clock.advance(WINDOW_S)
    assert found(jobs, "cat") == ["j2"]
    clock.advance(1)
    jobs.expire()
    assert len(jobs) == 0
    assert found(jobs, "cat") == []


def test_a_refused_job_is_not_on_its_way(jobs: Underway, clock: FakeClock) -> None:
    """It is a dead letter, which memory_queue shows; ids that are not known are passed over."""
    store(jobs, clock, "j1", "green tea")

    jobs.gone(["j1", "unknown"])

    assert found(jobs, "tea") == []


def test_without_a_window_nothing_delivered_is_kept(clock: FakeClock) -> None:
    """recent_window_ms=0: only what is still in the queue is shown."""
    jobs = Underway(window_s=0.0, now=clock.now)
    store(jobs, clock, "j1", "green tea")
    assert found(jobs, "tea") == ["j1"]

    deliver(jobs, clock, "j1", "green tea")

    assert found(jobs, "tea") == []


def test_what_an_earlier_process_accepted_is_loaded_once_and_is_older(
    jobs: Underway, clock: FakeClock
) -> None:
    """Newest first in, and behind what this process has accepted; known jobs stay as they are."""
    assert jobs.must_load(space())
    store(jobs, clock, "new", "tea today")
    loaded = [
        (job_id, lane(), turn(f"tea {job_id}"), clock.now() - 10)
        for job_id in ("new", "older", "oldest")
    ]

    jobs.load(space(), loaded)

    assert found(jobs, "tea") == ["new", "older", "oldest"]
    assert not jobs.must_load(space())
    assert jobs.must_load(space("another-key"))
    jobs.reload()
    assert jobs.must_load(space())
    jobs.load(space("nothing-there"), [])
    assert found(jobs, "tea", key="nothing-there") == []


def test_a_busy_space_pushes_out_its_own_jobs_first(
    jobs: Underway, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded per space, in jobs and in characters; the oldest go."""
    monkeypatch.setattr(pending_writes, "_MAX_JOBS_OF_A_SPACE", 3)
    monkeypatch.setattr(pending_writes, "_MAX_JOBS", 5)
    store(jobs, clock, "quiet", "tea of the quiet", key="quiet-key")
    for number in range(10):
        store(jobs, clock, f"busy-{number}", f"tea number {number}")

    assert found(jobs, "tea", key="quiet-key") == ["quiet"]
    assert found(jobs, "tea") == ["busy-9", "busy-8", "busy-7"]

    for number in range(3):
        store(jobs, clock, f"third-{number}", "tea", key="third-key")
    assert len(jobs) == 5
    assert found(jobs, "tea", key="quiet-key") == []

    monkeypatch.setattr(pending_writes, "_MAX_CHARS", 10)
    store(jobs, clock, "long", "tea " * 10, key="third-key")
    assert len(jobs) == 0


def test_a_search_compares_a_bounded_number_of_jobs(jobs: Underway, clock: FakeClock) -> None:
    """The newest of its scope: a long queue does not slow it down."""
    store(jobs, clock, "first", "green tea")
    for number in range(pending_writes.LOOKED_AT):
        store(jobs, clock, f"j{number}", f"fact {number}", session="conv-2")

    assert found(jobs, "tea") == []
    assert found(jobs, "tea", session="conv-1") == ["first"]


def test_without_a_query_all_that_a_fact_may_come_of_is_found(
    jobs: Underway, clock: FakeClock
) -> None:
    """Newest first, in its scope; not what an agent said or did."""
    store(jobs, clock, "j1", "I like green tea")
    store(jobs, clock, "j2", "Good morning")
    answer = Turn(messages=(Message(role="assistant", content="Good morning!"),))
    jobs.accepted("j3", lane(), answer, clock.now())
    jobs.accepted("j4", lane().model_copy(update={"agent_id": "another"}), turn("x"), clock.now())
    asked = SearchQuery(space=space(), caller_agent_id="dify", query="tea", agent_id="dify")

    assert [each.job_id for each in jobs.find(asked, None, (), limit=10)] == ["j2", "j1"]


def test_another_apps_writes_are_not_shown_for_an_app(jobs: Underway, clock: FakeClock) -> None:
    """Without one, those of every app are."""
    for app_id in (None, "shop", "desk"):
        told = lane().model_copy(update={"app_id": app_id})
        jobs.accepted(str(app_id), told, turn("I keep bees"), clock.now())
    asked = SearchQuery(space=space(), caller_agent_id="dify", query="bees")

    def shown(query: SearchQuery) -> set[str]:
        return {each.job_id for each in jobs.find(query, Matcher("bees"), (), limit=10)}

    assert shown(asked) == {"None", "shop", "desk"}
    assert shown(asked.model_copy(update={"app_id": "shop"})) == {"shop"}
