"""Runs a script in a process of its own, which gevent may patch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Where lines are counted (`make coverage`), the loop's native thread counts as well: Python tells
# only threads of its own to. Before gevent comes, which keeps the original.
_BEGIN = """
import _thread, sys, threading
if trace := threading.gettrace():
    def _start(run, arguments, start=_thread.start_new_thread):
        def traced(*given):
            sys.settrace(trace)
            run(*given)
        return start(traced, arguments)
    _thread.start_new_thread = _start
"""

# As the plugin itself ends: the loop's native thread still runs, and Python, taken down in
# good order under it, crashes now and then.
_END = """
import os, sys
sys.stdout.flush()
os._exit(0)
"""


def run(script: str, *arguments: str) -> str:
    """Return what *script* printed; it has to end well, within a minute."""
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN + script + _END, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}{done.stdout}"
    return done.stdout
