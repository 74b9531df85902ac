"""The tool memory_get. The SDK runs a copy of this file of its own: no state, one class."""

from collections.abc import Iterable
from typing import Any

from dify_plugin import Tool

from mem9_async.runtime import current
from mem9_async.tools import handlers, invocation
from mem9_async.tools.answers.memories import GetAnswer


class MemoryGetTool(Tool):
    """Reads one memory."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Iterable[Any]:
        return invocation.reply(self, tool_parameters, handlers.get, GetAnswer, current.get)
