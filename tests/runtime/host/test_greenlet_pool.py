"""Calls begin at once, in greenlets used again; run in a process of its own, patched by gevent."""

from tests.runtime.patched import run

_START = """
import dify_plugin
import gevent
from mem9_async import logs
from mem9_async.runtime.host.greenlet_pool import Greenlets

LOGS = []
logs.configure(lambda level, text: LOGS.append(text), level="info", version="test")

def on_hub(function):
    # Work is begun from the hub's own callbacks, as a readable pipe does it.
    gevent.get_hub().loop.run_callback(function)
    gevent.sleep(0.05)
"""


def _run(script: str) -> str:
    return run(_START + script)


def test_work_begins_at_once_and_its_greenlet_is_used_again() -> None:
    """Two that wait need two greenlets; the next two need no new one."""
    out = _run(
        """
seen, order = set(), []
pool = Greenlets(10)

def wait():
    seen.add(gevent.getcurrent())
    order.append("begun")
    gevent.sleep(0.01)
    order.append("ended")

def begin():
    for _ in range(2):
        pool.begin(wait)
        order.append("back")

on_hub(begin)
on_hub(begin)
print(len(seen), *order[:6])
"""
    )

    assert out.split() == ["2", "begun", "back", "begun", "back", "ended", "ended"]


def test_no_more_than_the_limit_run_and_the_others_keep_their_order() -> None:
    """Also when far more come than may run."""
    out = _run(
        """
running, most, done = 0, 0, []
pool = Greenlets(3)

def work(number):
    def run():
        global running, most
        running += 1
        most = max(most, running)
        gevent.sleep(0.001)
        running -= 1
        done.append(number)
    return run

on_hub(lambda: [pool.begin(work(number)) for number in range(50)])
gevent.sleep(0.5)
print(most, done == sorted(done), len(done))
"""
    )

    assert out.split() == ["3", "True", "50"]


def test_what_work_raises_is_logged_and_takes_nothing_with_it() -> None:
    """Not even what would end a greenlet: the next work finds it ready."""
    out = _run(
        """
done = []
pool = Greenlets(1)

def fails():
    gevent.sleep(0)
    raise ZeroDivisionError

def is_killed():
    gevent.sleep(0)
    raise gevent.GreenletExit

on_hub(lambda: [pool.begin(each) for each in (fails, is_killed, lambda: done.append(1))])
on_hub(lambda: pool.begin(lambda: done.append(2)))
print(done, len(LOGS), "ZeroDivisionError" in LOGS[0])
"""
    )

    assert out.strip() == "[1, 2] 1 True"  # one line: the second of a kind is counted, not told


def test_a_burst_leaves_few_greenlets_behind() -> None:
    """Idle ones are kept for the next calls, but not a thousand of them."""
    out = _run(
        """
import gc
import greenlet
pool = Greenlets(1000)
on_hub(lambda: [pool.begin(lambda: gevent.sleep(0.01)) for _ in range(500)])
gevent.sleep(0.3)
gc.collect()
left = sum(type(each) is greenlet.greenlet and not each.dead for each in gc.get_objects())
print(50 < left < 150)
done = []
on_hub(lambda: [pool.begin(lambda: done.append(1)) for _ in range(500)])
print(len(done))
"""
    )

    assert out.split() == ["True", "500"]


def test_a_pile_of_work_that_never_waits_leaves_the_hub_its_turns() -> None:
    """Heartbeats and the answers of the pile itself are the hub's to give."""
    out = _run(
        """
done, seen = [], set()
pool = Greenlets(1)

def look():
    while len(done) < 1000:
        seen.add(len(done))
        gevent.sleep(0)

looking = gevent.spawn(look)
on_hub(lambda: pool.begin(lambda: gevent.sleep(0.1)))
on_hub(lambda: [pool.begin(lambda: done.append(1)) for _ in range(1000)])
looking.join(timeout=5)
print(len(done), len(seen) > 100)
"""
    )

    assert out.split() == ["1000", "True"]


def test_what_work_leaves_behind_cannot_take_the_next_one_with_it() -> None:
    """A timeout that was left running strikes while nothing is done."""
    out = _run(
        """
done = []
pool = Greenlets(2)
on_hub(lambda: pool.begin(lambda: gevent.Timeout(0.01).start()))
gevent.sleep(0.1)
on_hub(lambda: [pool.begin(lambda: done.append(1)) for _ in range(3)])
on_hub(lambda: [pool.begin(lambda: (gevent.sleep(0.01), done.append(1))) for _ in range(4)])
gevent.sleep(0.1)
print(len(done))
"""
    )

    assert out.split() == ["7"]
