"""The SDK's server, without what costs more than it does for us.

Where it can, it has the hub read the daemon's pipe; calls run in greenlets that are used again;
sessions hold no more than a tool needs.
"""

from collections.abc import Generator

from dify_plugin import DifyPluginEnv, Plugin
from dify_plugin.core.entities.plugin.io import PluginInStream
from dify_plugin.core.runtime import Session
from dify_plugin.core.server.__base.request_reader import RequestReader
from dify_plugin.core.server.__base.response_writer import ResponseWriter

from mem9_async.runtime.host import pipes, stdio
from mem9_async.runtime.host.greenlet_pool import Greenlets


class Server(Plugin):
    """Reads calls and answers them with the plugin's tools, as `run()` of the SDK's Plugin does."""

    def __init__(self, config: DifyPluginEnv) -> None:
        self._greenlets = Greenlets(config.MAX_WORKER)
        super().__init__(config)

    def _launch_local_stream(
        self, config: DifyPluginEnv
    ) -> tuple[RequestReader, ResponseWriter | None]:
        _, writer = super()._launch_local_stream(config)
        return stdio.PipeReader(self._take) if pipes.watchable() else stdio.FileReader(), writer

    def _take(self, call: PluginInStream) -> None:
        def work() -> None:
            try:
                self._execute_request_in_thread(
                    call.session_id,
                    call.data,
                    call.reader,
                    call.writer,
                    call.conversation_id,
                    call.message_id,
                    call.app_id,
                    call.endpoint_id,
                    call.context,
                )
            except BaseException as exc:
                # The SDK answers for an Exception; the daemon waits for an end whatever it was.
                _break_off(call, type(exc).__name__)
                raise

        self._greenlets.begin(work)

    def _execute_request(
        self,
        session_id: str,
        data: dict[str, object],
        reader: RequestReader,
        writer: ResponseWriter,
        conversation_id: str | None = None,
        message_id: str | None = None,
        app_id: str | None = None,
        endpoint_id: str | None = None,
        context: dict[str, object] | None = None,
    ) -> None:
        """Answer one request, as the SDK does, but for files: no tool of ours sends any."""
        session = _Session(
            session_id=session_id,
            executor=self.executer,
            reader=reader,
            writer=writer,
            install_method=self.config.INSTALL_METHOD,
            dify_plugin_daemon_url=self.config.DIFY_PLUGIN_DAEMON_URL,
            conversation_id=conversation_id,
            message_id=message_id,
            app_id=app_id,
            endpoint_id=endpoint_id,
            context=context,
            max_invocation_timeout=self.config.MAX_INVOCATION_TIMEOUT,
        )
        response = self.dispatch(session, data)
        if response is None:
            return
        for message in response if isinstance(response, Generator) else (response,):
            writer.session_message(session_id=session_id, data=writer.stream_object(data=message))


def _break_off(call: PluginInStream, error_type: str) -> None:
    writer = call.writer
    told = {"error_type": error_type, "message": "the call broke off", "args": {}}
    for data in (writer.stream_error_object(data=told), writer.stream_end_object()):
        writer.session_message(session_id=call.session_id, data=data)


class _Session(Session):
    """One request's session, without the twenty objects through which a plugin can ask Dify.

    We ask for nothing, and making them is a fifth of a call that does nothing.
    """

    def _register_invocations(self) -> None:
        return
