"""The tool memory_prepare. The SDK runs a copy of this file of its own: no state, one class."""

from collections.abc import Iterable
from typing import Any

from dify_plugin import Tool

from mem9_async.runtime import current
from mem9_async.tools import handlers, invocation
from mem9_async.tools.answers.agent_memory import PrepareAnswer


class MemoryPrepareTool(Tool):
    """Tells an agent what is known of its subject, before its run begins."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Iterable[Any]:
        return invocation.reply(self, tool_parameters, handlers.prepare, PrepareAnswer, current.get)
