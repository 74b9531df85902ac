"""Named places where a test may end the process, as the daemon does: with SIGKILL.

MEM9_ASYNC_FAILPOINT=name:count kills at the count-th hit of that name. Without the
variable `hit` does nothing but one comparison.
"""

import os
import signal

NAMES = (
    "append.before",
    "append.written",
    "append.committed",
    "answer.before",
    "freeze.before",
    "freeze.committed",
    "send.before",
    "send.after",
    "settle.before",
    "settle.written",
    "settle.committed",
    "retry.committed",
    "park.committed",
    "dead.committed",
    "split.written",
    "recover.written",
    "recover.committed",
    "adopt.copied",
    "adopt.committed",
    "adopt.removed",
    "checkpoint.before",
    "checkpoint.after",
    "migrate.written",
    "migrate.committed",
    "quarantine.before",
    "quarantine.salvaged",
    "quarantine.renamed",
)

_name, _, _count = os.environ.get("MEM9_ASYNC_FAILPOINT", "").partition(":")
_hits_left = int(_count or "1") if _name else 0


def hit(name: str) -> None:
    """End this process here if the environment asks for it."""
    global _hits_left
    if name != _name:
        return
    _hits_left -= 1
    if _hits_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
