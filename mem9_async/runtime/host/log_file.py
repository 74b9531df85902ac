"""The log's records in a file of their own, too: rotated, and written by a thread of its own.

Neither the hub nor the loop ever waits for that disk. The thread is native, so nothing on it may
touch what gevent has patched: no lock of `threading`, no record that asks for its thread's name.
"""

import logging
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

import gevent
import structlog
from gevent import monkey

from mem9_async import logs

log = structlog.get_logger()

MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 4
_PAUSE_S = 0.25
_END_S = 1.0

_start_native_thread: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")
_native_sleep: Callable[[float], None] = monkey.get_original("time", "sleep")


class LogFile:
    """Takes records from any thread, and has them written a moment later.

    What the process had not written when it is killed, a quarter of a second's, is in the host's
    log alone.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, backups: int = BACKUPS) -> None:
        """The file grows to *max_bytes*; *backups* older ones stay beside it: `.1`, `.2`, ..."""
        self._relay = logs.Relay()
        self._handler = _Handler(path, max_bytes=max_bytes, backups=backups)
        self._ending = self._ended = False

    def send(self, level: str, message: str) -> None:
        """Hand over one record; never waits."""
        self._relay.send(level, message)

    def start(self) -> None:
        """Begin to write."""
        _start_native_thread(self._run, ())

    def close(self) -> None:
        """Have what is left written, as far as that takes a second; blocks this greenlet only."""
        self._ending = True
        with gevent.Timeout(_END_S, exception=False):
            while not self._ended:
                gevent.sleep(0.01)

    def _run(self) -> None:
        told = False
        while not self._ended:
            ending = self._ending
            while self._relay.drain(self._handler.write):
                pass
            if self._handler.failure and not told:
                log.warning("log.write_failed", error_type="disk", reason=self._handler.failure)
            told = self._handler.failure is not None
            self._ended = ending
            if not ending:
                _native_sleep(_PAUSE_S)


class _Handler(RotatingFileHandler):
    """The standard library's handler, used by one thread. `failure` is why it cannot write now."""

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        super().__init__(
            path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8", delay=True
        )
        self.lock = None  # gevent's, and there is nobody to keep out
        self.failure: str | None = None
        self._record = logging.LogRecord("mem9_async", logging.INFO, "", 0, "", None, None)

    def write(self, level: str, message: str) -> None:
        """Write one line, which says its level itself."""
        self._record.msg = message
        self.failure = None
        self.emit(self._record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Keep why: a full disk must neither end the thread nor write to stderr each time."""
        error = sys.exc_info()[1]
        self.failure = error.strerror if isinstance(error, OSError) else type(error).__name__

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        # The process's mask leaves nothing to others; who ships logs is another user.
        os.fchmod(stream.fileno(), 0o644)
        return stream
