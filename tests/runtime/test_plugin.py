"""The loop's thread is watched and replaced; run in a process of its own, patched by gevent."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_START = """
import dify_plugin
import sys, time
from pathlib import Path
from pydantic import SecretStr
from mem9_async import logs
from mem9_async.models.job import Message, NewJob, QueueCommand, Turn
from mem9_async.models.space import Lane, Space
from mem9_async.runtime.plugin import Plugin
from mem9_async.settings import Settings

logs.configure(lambda level, text: None, level="error", version="test")
SPACE = Space(base_url="http://127.0.0.1:9", api_key=SecretStr("k"))
plugin = Plugin(Settings(data_dir=Path(sys.argv[1])), Path.cwd(), stalled_after_s=1.0)

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
"""


def _run(script: str, data: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _START + script, str(data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    return done.stdout


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
