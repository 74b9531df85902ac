"""Requests as the daemon writes them to a plugin's stdin."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue
from pydantic_core import to_json

Parameters = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Request:
    """One call; `what` names it in errors. The other fields are Dify's, None where it has none."""

    what: str
    data: Mapping[str, object]
    conversation_id: str | None = None
    message_id: str | None = None
    app_id: str | None = None
    endpoint_id: str | None = None

    def line(self, call_id: str) -> bytes:
        """The request as one line; answers carry *call_id*."""
        return (
            to_json(
                {
                    "session_id": call_id,
                    "conversation_id": self.conversation_id,
                    "message_id": self.message_id,
                    "app_id": self.app_id,
                    "endpoint_id": self.endpoint_id,
                    "context": {},
                    "event": "request",
                    "data": self.data,
                }
            )
            + b"\n"
        )


def tool_call(
    provider: str, tool: str, parameters: Parameters, credentials: Parameters, *, user_id: str
) -> dict[str, object]:
    """The data of a tool call."""
    return {
        "type": "tool",
        "action": "invoke_tool",
        "user_id": user_id,
        "provider": provider,
        "tool": tool,
        "tool_parameters": parameters,
        "credentials": credentials,
        "credential_type": "api-key",
    }


def validation(provider: str, credentials: Parameters) -> Request:
    """Ask the provider whether *credentials* can be saved."""
    return Request(
        "the validation of the credentials",
        {
            "type": "tool",
            "action": "validate_tool_credentials",
            "user_id": "user-1",
            "provider": provider,
            "credentials": credentials,
        },
    )


def endpoint_call(
    method: str, path: str, headers: Mapping[str, str], body: bytes, settings: Parameters
) -> Request:
    """One HTTP request, forwarded to the plugin's endpoint in hex."""
    lines = [f"{method} {path} HTTP/1.1", "Host: dify.invalid"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    raw = "\r\n".join([*lines, "", ""]).encode() + body
    return Request(
        f"{method} {path}",
        {
            "type": "endpoint",
            "action": "invoke_endpoint",
            "settings": settings,
            "raw_http_request": raw.hex(),
        },
        endpoint_id="endpoint-1",
    )
