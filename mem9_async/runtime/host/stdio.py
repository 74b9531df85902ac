"""The daemon's pipes: calls come in on stdin, answers go out on stdout, the hub does both itself.

The SDK's own reader has a thread of gevent's pool read stdin, which then fights the hub for
the interpreter, and hands each call on through a queue and an emulated thread pool. That is
117 microseconds of a call that does nothing, at 64 callers; read here, it is 30.
"""

import os
import re
from collections.abc import Callable

import gevent
import structlog
from dify_plugin.core.entities.plugin.io import PluginInStream, PluginInStreamEvent
from dify_plugin.core.server.stdio.request_reader import StdioRequestReader
from dify_plugin.core.server.stdio.response_writer import StdioResponseWriter

from mem9_async.client.decoding import json_object
from mem9_async.queue.troubles import place_of
from mem9_async.runtime.host.line_splitter import LineSplitter

log = structlog.get_logger()

_READ = 1  # libev's flag
_PIECE_BYTES = 65_536
_REST_S = 1.0
_SESSION = re.compile(rb'"session_id"\s*:\s*"([^"\\]{1,200})"')

Take = Callable[[PluginInStream], None]


class FileReader(StdioRequestReader):
    """Reads calls as the SDK does, from what cannot be watched; rests at the end of it."""

    def _read_async(self) -> bytes:
        piece: bytes = super()._read_async()
        if not piece:
            gevent.sleep(_REST_S)
        return piece


class PipeReader(StdioRequestReader):
    """Reads calls from stdin on the hub."""

    def __init__(self, take: Take) -> None:
        """*take* is called on the hub with each call, in the order of their lines."""
        super().__init__()
        self._take = take
        self._writer = PipeWriter()
        self._splitter = LineSplitter()
        self._watcher = gevent.get_hub().loop.io(0, _READ)

    def event_loop(self) -> None:
        """Take calls until the process ends."""
        os.set_blocking(0, False)
        self._watcher.start(self._readable)
        while True:
            gevent.sleep(3600)

    def _readable(self) -> None:
        try:
            piece = os.read(0, _PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            log.error("worker.failed", stage="reading", reason=str(exc))
            piece = b""
        if not piece:
            # The daemon has gone and will end us; what is journalled is delivered until then.
            self._watcher.stop()
        for line in self._splitter.feed(piece):
            try:
                self._line(line)
            except Exception as exc:
                # gevent would stop watching, and no call would ever be read again.
                log.error("worker.crashed", stage="reading", reason=place_of(exc))

    def _line(self, line: bytes) -> None:
        try:
            given = json_object(line)
            call = PluginInStream(
                session_id=given["session_id"],
                conversation_id=given.get("conversation_id"),
                message_id=given.get("message_id"),
                app_id=given.get("app_id"),
                endpoint_id=given.get("endpoint_id"),
                event=PluginInStreamEvent.value_of(given["event"]),
                data=given["data"],
                context=given.get("context"),
                reader=self,
                writer=self._writer,
            )
        except Exception as exc:
            self._refuse(line, exc)
            return
        if call.event is PluginInStreamEvent.Request:
            self._take(call)
        else:
            self._process_line(call)  # the answer to a question of the SDK's to Dify

    def _refuse(self, line: bytes, why: Exception) -> None:
        """End the call that *line* was meant to be: the daemon would wait for it without end."""
        told = f"no call can be read from this line: {why}"
        self._writer.error(data={"error": told})
        if named := _SESSION.search(line):
            session_id = named[1].decode("utf-8", "replace")
            error = {"error_type": type(why).__name__, "message": told, "args": {}}
            for data in (
                self._writer.stream_error_object(data=error),
                self._writer.stream_end_object(),
            ):
                self._writer.session_message(session_id=session_id, data=data)


class PipeWriter(StdioResponseWriter):
    """Writes what one turn of the hub has to say in one piece: a write costs as much as a call.

    A call's lines stay together and in order.
    """

    def __init__(self) -> None:
        self._loop = gevent.get_hub().loop
        self._held: list[bytes] = []

    def write(self, data: str) -> None:
        """Have *data* leave in this turn of the hub, behind what is held already."""
        if not self._held:
            self._loop.run_callback(self._leave)
        self._held.append(data.encode())

    def _leave(self) -> None:
        held = b"".join(self._held)
        self._held.clear()
        _write_all(held)


def _write_all(data: bytes) -> None:
    """Write every byte of *data* to stdout, in as many pieces as it takes."""
    left = memoryview(data)
    while left:
        left = left[os.write(1, left) :]
