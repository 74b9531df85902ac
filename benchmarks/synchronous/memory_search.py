"""A search on a new connection each time."""

from collections.abc import Generator

import requests
from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage


class MemorySearch(Tool):
    def _invoke(self, tool_parameters: dict[str, object]) -> Generator[ToolInvokeMessage]:
        response = requests.get(
            f"{self.runtime.credentials['mem9_base_url']}/v1alpha2/mem9s/memories",
            params={"q": str(tool_parameters["query"]), "limit": "30"},
            headers={
                "X-API-Key": self.runtime.credentials["mem9_api_key"],
                "X-Mnemo-Agent-Id": "dify",
            },
            timeout=30,
        )
        response.raise_for_status()
        found = response.json()["memories"]
        ranked = sorted(found, key=lambda each: each.get("confidence") or 0, reverse=True)[:10]
        yield self.create_json_message(
            {
                "ok": True,
                "effective_query": tool_parameters["query"],
                "total": len(ranked),
                "memories": [
                    {
                        "content": each.get("content"),
                        "confidence": each.get("confidence"),
                        "score": each.get("score"),
                        "memory_type": each.get("memory_type"),
                        "relative_age": each.get("relative_age"),
                    }
                    for each in ranked
                ],
            }
        )
