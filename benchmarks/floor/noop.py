"""The floor: what a call through the SDK costs when the tool does nothing."""

from collections.abc import Generator

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage


class Noop(Tool):
    def _invoke(self, tool_parameters: dict[str, object]) -> Generator[ToolInvokeMessage]:
        yield self.create_json_message({"ok": True})
