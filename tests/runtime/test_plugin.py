"""The loop's thread is watched and replaced; run in a process of its own, patched by gevent."""

from pathlib import Path

from tests.runtime.patched import run

_START = """
import dify_plugin
import os, sys, time
from gevent import monkey
from pathlib import Path
from pydantic import SecretStr
from mem9_async import logs
from mem9_async.models.job import Message, NewJob, QueueCommand, Turn
from mem9_async.models.space import Lane, Space
from mem9_async.runtime.plugin import Plugin
from mem9_async.settings import Settings

LOGS = []
logs.configure(lambda level, text: LOGS.append(text), level="info", version="test")
native_sleep = monkey.get_original("time", "sleep")
SPACE = Space(base_url="http://127.0.0.1:9", api_key=SecretStr("k"))
settings = Settings(data_dir=Path(sys.argv[1]), confirmation="accepted")
plugin = Plugin(settings, Path.cwd(), stalled_after_s=1.0)

def store(text):
    lane = Lane(space=SPACE, agent_id="dify", session_id="s")
    payload = Turn(messages=(Message(role="user", content=text),))
    return plugin.store(NewJob(lane=lane, payload=payload))

def depth():
    return plugin.queue(QueueCommand(space=SPACE)).depth

def watch_until(condition, seconds=20):
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        plugin.watch()
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit("the condition did not come true")

def threads():
    return len(os.listdir("/proc/self/task"))

def until(condition, seconds=20):
    ends_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_at:
            raise SystemExit("the condition did not come true")
        time.sleep(0.05)
"""


def _run(script: str, data: Path) -> str:
    return run(_START + script, str(data))


def test_ended_loop_is_replaced_and_its_jobs_are_kept(tmp_path: Path) -> None:
    """Whatever ends the thread, the next one takes the journal over."""
    out = _run(
        """
store("one")
first = plugin._running
first.thread.stop()
watch_until(lambda: plugin._running is not first)
assert depth() == 1, depth()
store("two")
print("kept", depth())
""",
        tmp_path,
    )

    assert "kept 2" in out


def test_stuck_loop_is_replaced_while_stores_go_on(tmp_path: Path) -> None:
    """A thread that hangs keeps its journal until it moves; stores need not wait for it."""
    out = _run(
        """
store("one")
stuck = plugin._running

def hang():
    ends_at = time.monotonic() + 6
    while time.monotonic() < ends_at:
        pass

stuck.thread._loop.call_soon_threadsafe(hang)
time.sleep(0.2)
watch_until(lambda: plugin._running is not stuck)
store("two")
print("meanwhile", depth())
watch_until(lambda: depth() == 2, seconds=30)
print("afterwards", depth())
""",
        tmp_path,
    )

    assert "meanwhile 1" in out
    assert "afterwards 2" in out


def test_removed_directory_is_noticed_and_nothing_in_it_is_lost(tmp_path: Path) -> None:
    """The open file still has every job: they move to a new one, under the same key."""
    out = _run(
        """
import shutil
for number in range(30):
    store(f"job {number}")
before = plugin._running.app
shutil.rmtree(sys.argv[1])
watch_until(lambda: plugin._running.app is not before)
store("after")
print("held", depth(), plugin._running.app.storage.durability)
""",
        tmp_path / "data",
    )

    assert "held 31 process" in out


def test_crossing_works_with_a_thousand_greenlets(tmp_path: Path) -> None:
    """Stores from many greenlets cross together, and each gets its own receipt."""
    out = _run(
        """
import gevent
jobs = [gevent.spawn(store, f"text {number}") for number in range(1000)]
gevent.joinall(jobs, timeout=30)
print("ids", len({job.value.job_id for job in jobs}), depth())
""",
        tmp_path,
    )

    assert "ids 1000 1000" in out


def test_start_that_takes_too_long_is_given_up_and_never_delivers(tmp_path: Path) -> None:
    """The next start would have a second one beside it that nobody watches."""
    out = _run(
        """
import mem9_async.runtime.startup as beginning
import mem9_async.runtime.plugin as module
store("old")
plugin.close()
plugin._running = None
module._START_TIMEOUT_S = 0.5
before, real, slow = threads(), beginning.open_storage, [1.5]

def open_slowly(*arguments, **more):
    if slow:
        native_sleep(slow.pop())
    return real(*arguments, **more)

beginning.open_storage = open_slowly
try:
    plugin.start()
except Exception as exc:
    print("gave up:", type(exc).__name__)
module._START_TIMEOUT_S = 30.0
until(lambda: threads() <= before)
watch_until(lambda: depth() == 1)
started = [text for text in LOGS if '"worker.started"' in text]
print("started", len(started), "held", depth())
""",
        tmp_path,
    )

    assert "gave up: RuntimeUnavailable" in out
    assert "started 2 held 1" in out


def test_start_that_fails_leaves_no_thread_and_no_lock(tmp_path: Path) -> None:
    """Each second another try is made: nothing may pile up."""
    out = _run(
        """
store("one")
plugin.close()
plugin._running.thread.stop()
plugin._running = None
until(lambda: True, 0.5)
time.sleep(0.3)
from mem9_async.runtime.upkeep import lane_loader

before, real = threads(), lane_loader.LaneLoader.load

def fail(self):
    raise ZeroDivisionError("content")

lane_loader.LaneLoader.load = fail
for _ in range(5):
    try:
        plugin.start()
    except ZeroDivisionError:
        pass
until(lambda: threads() <= before)
lane_loader.LaneLoader.load = real
print("held", depth())
""",
        tmp_path,
    )

    assert "held 1" in out


def test_what_was_kept_in_memory_moves_to_the_disk_as_soon_as_it_can_be_used(
    tmp_path: Path,
) -> None:
    """A moment's trouble at the start does not end durability for the life of the process."""
    out = _run(
        """
import mem9_async.runtime.plugin as module
import mem9_async.runtime.storage.storage as storage
store("on disk")
plugin.close()
plugin._running = None
module._LOOK_AGAIN_S = 0.2
real = storage.prepare

def refuse(directory):
    raise OSError(28, "No space left on device")

storage.prepare = refuse
print("first", plugin.start().app.storage.durability)
for _ in range(5):
    plugin.watch()
    time.sleep(0.1)
print("meanwhile", plugin.start().app.storage.durability)
storage.prepare = real
watch_until(lambda: plugin.start().app.storage.durability == "process")
print("held", depth(), plugin.queue(QueueCommand(space=SPACE)).durability_reason)
print("next", store("next").durability)
""",
        tmp_path,
    )

    assert "first none" in out
    assert "meanwhile none" in out
    assert "held 1 None" in out
    assert "next process" in out


def test_a_directory_that_is_gone_for_a_while_costs_no_job(tmp_path: Path) -> None:
    """From the removed file into memory, and from there to the disk when it is back."""
    out = _run(
        """
import shutil
import mem9_async.runtime.plugin as module
import mem9_async.runtime.storage.storage as storage
for number in range(30):
    store(f"job {number}")
module._LOOK_AGAIN_S = 0.2
real = storage.prepare

def refuse(directory):
    raise OSError(28, "No space left on device")

storage.prepare = refuse
shutil.rmtree(sys.argv[1])
watch_until(lambda: plugin.start().app.storage.durability == "none")
print("in memory", depth())
storage.prepare = real
watch_until(lambda: plugin.start().app.storage.durability == "process")
print("on disk", depth())
""",
        tmp_path / "data",
    )

    assert "in memory 30" in out
    assert "on disk 30" in out


def test_three_restarts_in_five_minutes_are_a_failure_until_they_are_long_ago(
    tmp_path: Path,
) -> None:
    """Whoever stores is told that delivery keeps breaking off, and not for ever."""
    out = _run(
        """
import mem9_async.runtime.plugin as module

def health():
    return plugin.queue(QueueCommand(space=SPACE)).health

store("one")
for round in range(3):
    running = plugin._running
    running.thread.stop()
    watch_until(lambda: plugin._running is not running)
    print("after", round + 1, health())
print("answer:", store("two").durability_reason)
module._RESTART_WINDOW_S = 0.0
plugin.watch()
print("later", health(), depth())
""",
        tmp_path,
    )

    assert "after 1 ok" in out
    assert "after 2 ok" in out
    assert "after 3 failed" in out
    assert "answer: the background loop was replaced 3 times" in out
    assert "later ok 2" in out


def test_damage_that_is_met_in_use_costs_no_job(tmp_path: Path) -> None:
    """A store meets it; the watch sets the file aside and goes on with what can be read."""
    out = _run(
        """
import sqlite3
for number in range(200):
    store(f"job {number}")
file = plugin._running.app.storage.journal.file

async def damage():
    file.checkpoint()
    query = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_jobs_1'"
    root = file.db.execute(query).fetchone()[0]
    file.db.execute("PRAGMA shrink_memory")
    descriptor = os.open(file.path, os.O_WRONLY)
    os.pwrite(descriptor, b"\\xde" * 4096, (root - 1) * 4096)
    # Not closed: that would drop SQLite's own lock on the file.

before = plugin._running.app
plugin._thread.call(damage, timeout_s=5)
for number in range(50):
    try:
        store(f"more {number}")
    except Exception as exc:
        print("refused:", type(exc).__name__)
        break
watch_until(lambda: plugin._running.app is not before)
store("after")
print("held", depth() >= 201, plugin._running.app.storage.durability)
""",
        tmp_path,
    )

    assert "refused: QueueFull" in out
    assert "held True process" in out


def test_one_answer_that_cannot_be_given_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """An error on the hub's side of the crossing would have stalled every later call."""
    out = _run(
        """
plugin.start()

class Broken:
    def switch(self, value):
        raise ZeroDivisionError

async def answer_all():
    plugin._thread._answer(Broken(), 1)

plugin._thread.call(answer_all, timeout_s=5)
print("then", store("one").durability, depth())
""",
        tmp_path,
    )

    assert "then process 1" in out


def test_a_call_to_a_loop_that_has_ended_is_refused_at_once(tmp_path: Path) -> None:
    """It would wait out its whole time; the watch needs up to a second to replace the loop."""
    out = _run(
        """
from mem9_async.models.errors import RuntimeUnavailable
store("one")
plugin._thread.stop()
until(lambda: plugin._thread.ended)
for call in (lambda: store("two"), depth):
    try:
        call()
    except RuntimeUnavailable as exc:
        print("refused", "is replaced" in str(exc))
""",
        tmp_path,
    )

    assert out.split("\n")[:2] == ["refused True", "refused True"]


def test_a_call_that_breaks_off_is_answered_whatever_it_raised(tmp_path: Path) -> None:
    """And the loop goes on."""
    out = _run(
        """
import asyncio
from mem9_async.models.errors import RuntimeUnavailable
plugin.start()

class Panic(BaseException):
    pass

for error in (Panic, SystemExit, asyncio.CancelledError):
    async def fail():
        raise error

    try:
        plugin._thread.call(fail, timeout_s=5)
    except RuntimeUnavailable as exc:
        print(exc)
print("then", store("one").durability)
""",
        tmp_path,
    )

    names = ("Panic", "SystemExit", "CancelledError")
    assert out.splitlines() == [*(f"the call broke off: {each}" for each in names), "then process"]


def test_where_nothing_is_kept_by_design_no_fault_of_the_disk_is_told(tmp_path: Path) -> None:
    """A serverless start is told as what it is, once, and at info."""
    out = _run(
        """
serverless = Plugin(settings, Path.cwd(), lasting=False)
serverless.start()
until(lambda: any("storage.ephemeral" in line for line in LOGS))
told = [line for line in LOGS if "storage.ephemeral" in line]
print(len(told), '"level": "info"' in told[0] or '"level":"info"' in told[0])
print(any("journal.write_failed" in line for line in LOGS))
""",
        tmp_path,
    )

    assert out.split() == ["1", "True", "False"]


def test_an_event_is_journalled_or_refused_and_waits_for_nothing(tmp_path: Path) -> None:
    """Not for room, where stores do; and not for mem9, where nothing can be kept."""
    out = _run(
        """
from mem9_async.models.agent_memory import Observation
from mem9_async.models.errors import Mem9AsyncError

def event(number, text="said"):
    lane = Lane(space=SPACE, agent_id="dify", session_id="run")
    payload = Turn(messages=(Message(role="user", content=text),))
    job = NewJob(lane=lane, payload=payload, event_id=f"run:{number}") if text else None
    return Observation(lane, number, job)

def tried(plugin, seen):
    try:
        plugin.observe(seen)
        return "taken"
    except Mem9AsyncError as exc:
        return exc.code

full = settings.model_copy(update={"journal_max_jobs": 4, "overflow": "block",
                                   "accept_timeout_ms": 600_000})
blocking = Plugin(full, Path.cwd())
print(*(tried(blocking, event(n)) for n in (1, 2, 4, 2)))
print(tried(blocking, event(5, "")), tried(blocking, event(8, "")), tried(blocking, event(7, "")))
until(lambda: len(blocking._running.app.tally.work({}).out_of_sequence) == 2)
print(*((each.reason, each.count) for each in blocking._running.app.tally.work({}).out_of_sequence))
blocking.close()
serverless = Plugin(settings, Path.cwd(), lasting=False)
print(tried(serverless, event(1)), tried(serverless, event(2, "")))
""",
        tmp_path,
    )

    assert out.splitlines() == [
        "taken taken queue_full taken",
        "taken taken taken",
        "('gap', 2) ('step_back', 1)",
        "nothing_kept taken",
    ]


def test_figures_are_written_beside_the_loop_and_go_at_the_end(tmp_path: Path) -> None:
    """By a thread that gevent knows nothing of; callers' waits are in them."""
    out = _run(
        """
from mem9_async.boot import BOOT_ID
from mem9_async.models.status_snapshot import from_json
from mem9_async.runtime.status import publisher
publisher.INTERVAL_S = publisher._TICK_S = 0.1
data = Path(sys.argv[1])
store("one")
snapshot = data / "status" / f"{BOOT_ID}.json"
metrics = data / "metrics" / "mem9_async.prom"
until(metrics.exists)
until(lambda: from_json(snapshot.read_bytes()).work.accept_s.count == 1)
until(lambda: b"mem9_async_jobs_accepted_total 1.0" in metrics.read_bytes())
told = from_json(snapshot.read_bytes())
print("told", told.depth, told.totals.unaccounted, told.pid == os.getpid(), told.sdk.version)
plugin.close()
print("left", list(data.glob("status/*")) + list(data.glob("metrics/*")))
""",
        tmp_path,
    )

    assert "told 1 0 True 0." in out
    assert "left []" in out
