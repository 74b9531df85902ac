"""Runs a script in a process of its own, which gevent may patch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

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
        [sys.executable, "-c", script + _END, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}{done.stdout}"
    return done.stdout
