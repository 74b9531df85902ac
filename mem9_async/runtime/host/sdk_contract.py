"""What of the SDK's inside our server stands in for, and whether it is still like that.

These names are private: another version of the SDK may mean something else by them. Then the
SDK's own server runs the tools, which is slower and works all the same.
"""

import inspect
from collections.abc import Callable
from functools import partial
from importlib import import_module, metadata

TESTED = "0.10.2"  #: the version that the stand-ins were tested with

_CALL = (
    *("session_id", "data", "reader", "writer", "conversation_id", "message_id"),
    *("app_id", "endpoint_id", "context"),
)
#: Module and qualified name of everything that is replaced or called, with its parameters.
REPLACED: dict[str, tuple[str, ...]] = {
    "dify_plugin.plugin:Plugin.__init__": ("self", "config"),
    "dify_plugin.plugin:Plugin._launch_local_stream": ("self", "config"),
    "dify_plugin.plugin:Plugin._execute_request": ("self", *_CALL),
    "dify_plugin.core.server.io_server:IOServer.__init__": (
        *("self", "config", "request_reader", "default_writer"),
    ),
    "dify_plugin.core.server.io_server:IOServer._execute_request": ("self", *_CALL),
    "dify_plugin.core.server.io_server:IOServer._execute_request_in_thread": ("self", *_CALL),
    "dify_plugin.core.server.router:Router.dispatch": ("self", "session", "data"),
    "dify_plugin.core.server.__base.request_reader:RequestReader.event_loop": ("self",),
    "dify_plugin.core.server.__base.request_reader:RequestReader._process_line": ("self", "data"),
    "dify_plugin.core.server.stdio.request_reader:StdioRequestReader.__init__": ("self",),
    "dify_plugin.core.server.stdio.request_reader:StdioRequestReader._read_async": ("self",),
    "dify_plugin.core.server.stdio.response_writer:StdioResponseWriter.write": ("self", "data"),
    "dify_plugin.core.server.__base.response_writer:ResponseWriter.error": (
        *("self", "session_id", "data"),
    ),
    "dify_plugin.core.server.__base.response_writer:ResponseWriter.session_message": (
        *("self", "session_id", "data"),
    ),
    "dify_plugin.core.server.__base.response_writer:ResponseWriter.stream_object": ("self", "data"),
    "dify_plugin.core.server.__base.response_writer:ResponseWriter.stream_error_object": (
        *("self", "data"),
    ),
    "dify_plugin.core.server.__base.response_writer:ResponseWriter.stream_end_object": ("self",),
    "dify_plugin.core.entities.plugin.io:PluginInStream.__init__": (
        *("self", "session_id", "event", "data", "reader", "writer", "conversation_id"),
        *("message_id", "app_id", "endpoint_id", "context"),
    ),
    "dify_plugin.core.runtime:Session.__init__": (
        *("self", "session_id", "executor", "reader", "writer", "install_method"),
        *("dify_plugin_daemon_url", "conversation_id", "message_id", "app_id", "endpoint_id"),
        *("context", "max_invocation_timeout"),
    ),
    "dify_plugin.core.runtime:Session._register_invocations": ("self",),
}


def differences() -> list[str]:
    """Where the installed SDK is another than the tested one; empty when it is not."""
    try:
        version = metadata.version("dify_plugin")
    except metadata.PackageNotFoundError:
        return ["its version is not known"]
    if version != TESTED:
        return [f"its version is {version}, tested is {TESTED}"]
    return [told for name, wanted in REPLACED.items() if (told := _difference(name, wanted))]


def _difference(name: str, wanted: tuple[str, ...]) -> str | None:
    module, _, qualified = name.partition(":")
    try:
        found: object = import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part)
        parameters = tuple(inspect.signature(_callable(found)).parameters)
    except (ImportError, AttributeError, TypeError, ValueError) as exc:
        return f"{qualified} is not there: {exc}"
    if parameters != wanted:
        return f"{qualified} takes {', '.join(parameters)}"
    return None


def _callable(found: object) -> Callable[..., object]:
    if callable(found):
        return partial(found) if not inspect.isroutine(found) else found
    raise TypeError("not a function")
