"""A store that waits for mem9: one new connection, one request, then the answer."""

from collections.abc import Generator
from typing import Any

import requests
from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage


class MemoryStore(Tool):
    def _invoke(self, tool_parameters: dict[str, object]) -> Generator[ToolInvokeMessage]:
        session_id = tool_parameters.get("session_id")
        body: dict[str, Any] = {
            "messages": [{"role": "user", "content": tool_parameters["content"]}],
            "agent_id": "dify",
            "mode": "smart",
        }
        if session_id:
            body["session_id"] = session_id
        response = requests.post(
            f"{self.runtime.credentials['mem9_base_url']}/v1alpha2/mem9s/memories",
            json=body,
            headers={
                "X-API-Key": self.runtime.credentials["mem9_api_key"],
                "X-Mnemo-Agent-Id": "dify",
            },
            timeout=30,
        )
        response.raise_for_status()
        yield self.create_json_message(
            {
                "ok": True,
                "status": response.json().get("status", "ok"),
                "accepted": response.status_code == 202,
                "searchable_now": response.status_code != 202,
                "session_id": session_id,
                "hint": "Accepted; do not search for it in this turn.",
            }
        )
