"""The tool memory_observe. The SDK runs a copy of this file of its own: no state, one class."""

from collections.abc import Iterable
from typing import Any

from dify_plugin import Tool

from mem9_async.runtime import current
from mem9_async.tools import handlers, invocation
from mem9_async.tools.answers.agent_memory import ObserveAnswer


class MemoryObserveTool(Tool):
    """Takes an event of an agent's run into the write queue."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Iterable[Any]:
        return invocation.reply(self, tool_parameters, handlers.observe, ObserveAnswer, current.get)
