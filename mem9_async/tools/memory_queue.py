"""The tool memory_queue. The SDK runs a copy of this file of its own: no state, one class."""

from collections.abc import Iterable
from typing import Any

from dify_plugin import Tool

from mem9_async.runtime import current
from mem9_async.tools import handlers, invocation
from mem9_async.tools.answers.queue import QueueAnswer


class MemoryQueueTool(Tool):
    """Shows and nudges the write queue."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Iterable[Any]:
        return invocation.reply(self, tool_parameters, handlers.queue, QueueAnswer, current.get)
