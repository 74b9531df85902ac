"""The daemon's pipes, as far as no SDK is needed for them."""

import os
import select
import stat
import sys

from gevent import monkey

_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | select.POLLRDHUP
_poll = monkey.get_original("select", "poll")  # gevent's would wait for the hub


def host_has_gone() -> bool:
    """Whether nobody will write to stdin any more; what stands in it may still be unread.

    A file says nothing of the kind, as there never was anybody.
    """
    poll = _poll()
    poll.register(0, _GONE)
    return any(event & _GONE for _, event in poll.poll(0))


def watchable() -> bool:
    """Whether the hub can watch stdin: a pipe or socket of the daemon's, and not stdout as well.

    A file cannot be watched; a terminal or a socket that is also stdout would turn
    non-blocking for writing too.
    """
    into = os.fstat(0)
    if not (stat.S_ISFIFO(into.st_mode) or stat.S_ISSOCK(into.st_mode)):
        return False
    return not any(_is_open_as(into, fd) for fd in (1, 2))


def _is_open_as(file: os.stat_result, fd: int) -> bool:
    try:
        return os.path.samestat(file, os.fstat(fd))
    except OSError:  # closed
        return False


def buffer_stdout() -> None:
    """Have log lines and heartbeats written whole, whatever stdout is like.

    With PYTHONUNBUFFERED Python drops what a write did not take that a signal interrupted, and
    says nothing; a non-blocking stdout takes half a line. Everyone who writes here flushes.
    """
    os.set_blocking(1, True)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
