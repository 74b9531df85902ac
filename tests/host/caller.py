"""One who calls tools with one key, and reads the JSON of the answers."""

from typing import Any

from pydantic import JsonValue

from mem9_async.cli.answers import ToolAnswer
from mem9_async.cli.host import PluginHost
from mem9_async.devserver.server import DevServer
from tests.host.process import credentials

#: JSON as it came: what is missing fails the test that looks for it.
Answer = dict[str, Any]


def said(answer: ToolAnswer) -> Answer:
    """The JSON of *answer*, to look deeper into."""
    return answer.json


class Caller:
    """Calls tools with one key."""

    def __init__(self, host: PluginHost, server: DevServer, key: str) -> None:
        self._host = host
        self._keys = credentials(server.base_url, key)

    async def __call__(self, tool: str, **parameters: JsonValue) -> Answer:
        """The answer's JSON."""
        return (await self._host.invoke(f"memory_{tool}", parameters, self._keys)).json

    async def done(self, tool: str, **parameters: JsonValue) -> Answer:
        """The answer's JSON, which says ok."""
        answer = await self(tool, **parameters)
        assert answer["ok"] is True, answer
        return answer

    async def job(self, job_id: JsonValue) -> Answer:
        """What the queue says of one job."""
        job = (await self.done("queue", job_id=job_id))["job"]
        assert isinstance(job, dict)
        return job
