"""What a plugin process says back: answers to calls, log lines, and how it can fail to answer.

Answers keep the lines as they came and parse them on first use: a load test that only
counts calls must not compete with the plugin for the processor.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import from_json


class HostError(Exception):
    """The plugin process did not do what a plugin process must."""


class PluginDied(HostError):
    """The plugin process ended while somebody waited for it."""


class PluginTimeout(HostError):
    """The plugin process did not answer in time."""


class PluginRefused(HostError):
    """The plugin ended the call with an error; `error_type` is its exception's class name."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message


class _Event(BaseModel):
    """What a line of a call carries."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    data: dict[str, JsonValue]


@dataclass(frozen=True)
class Reply:
    """The end of one call: its lines as they came, and the times in seconds since it was sent.

    `first_answer_s` is None when nothing came before the end.
    """

    lines: tuple[bytes, ...]
    elapsed_s: float
    first_answer_s: float | None

    @cached_property
    def messages(self) -> tuple[dict[str, JsonValue], ...]:
        """The `data` of every `stream` message, in order."""
        return tuple(each.data for each in self._parsed if each.type == "stream")

    @cached_property
    def error(self) -> PluginRefused | None:
        """Why the call failed, None when it did not: the node fails in Dify."""
        for each in self._parsed:
            if each.type == "error":
                return PluginRefused(
                    str(each.data.get("error_type")), str(each.data.get("message"))
                )
        return None

    @cached_property
    def _parsed(self) -> tuple[_Event, ...]:
        return tuple(_Event.model_validate(from_json(line)["data"]) for line in self.lines)


@dataclass(frozen=True)
class ToolAnswer(Reply):
    """What a tool said: JSON objects, variables and text, as Dify's tool node would take them."""

    @cached_property
    def objects(self) -> tuple[JsonValue, ...]:
        """Every JSON message, in order."""
        return tuple(each["json_object"] for each in self._of_type("json"))

    @cached_property
    def json(self) -> dict[str, JsonValue]:
        """The first JSON message. Raises the call's own error, or HostError when there is none."""
        if self.error is not None:
            raise self.error
        for each in self.objects:
            if isinstance(each, dict):
                return each
        raise HostError(f"no JSON object in the answer: {self.lines!r}")

    @cached_property
    def variables(self) -> dict[str, JsonValue]:
        """Every variable by name; the last value wins."""
        return {
            str(each["variable_name"]): each["variable_value"] for each in self._of_type("variable")
        }

    @cached_property
    def text(self) -> str:
        """All text messages, joined as Dify does: without a separator."""
        return "".join(str(each["text"]) for each in self._of_type("text"))

    def _of_type(self, name: str) -> list[dict[str, JsonValue]]:
        return [
            each["message"]
            for each in self.messages
            if each.get("type") == name and isinstance(each["message"], dict)
        ]


@dataclass(frozen=True)
class EndpointAnswer:
    """One HTTP answer of the plugin's endpoint."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class LogLine:
    """One log event of the plugin. `fields` is its message parsed, {} when that is plain text."""

    raw: bytes
    received_at: float

    @cached_property
    def _data(self) -> dict[str, JsonValue]:
        data = json.loads(self.raw).get("data")
        return data if isinstance(data, dict) else {}

    @cached_property
    def level(self) -> str:
        """As the plugin names it: `INFO`, `WARNING`, ..."""
        return str(self._data.get("level", ""))

    @cached_property
    def message(self) -> str:
        """The text, a JSON object when the plugin's own logging wrote it."""
        return str(self._data.get("message", ""))

    @cached_property
    def fields(self) -> dict[str, JsonValue]:
        """The message as key-values."""
        if not self.message.startswith("{"):
            return {}
        try:
            parsed = json.loads(self.message)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def event(self) -> str:
        """The event's name, empty when the message is plain text."""
        return str(self.fields.get("event", ""))


def endpoint_answer(reply: Reply) -> EndpointAnswer:
    """The HTTP answer in *reply*: a status and headers first, then hex-encoded pieces of the body.

    Raises the call's own error, or HostError when it carries no status.
    """
    if reply.error is not None:
        raise reply.error
    status: int | None = None
    headers: dict[str, str] = {}
    body = bytearray()
    for each in reply.messages:
        given = each.get("headers")
        if isinstance(code := each.get("status"), int):
            status = code
        if isinstance(given, dict):
            headers.update({name: str(value) for name, value in given.items()})
        if isinstance(piece := each.get("result"), str):
            body += bytes.fromhex(piece)
    if status is None:
        raise HostError(f"the endpoint gave no status: {reply.lines!r}")
    return EndpointAnswer(status, headers, bytes(body))
