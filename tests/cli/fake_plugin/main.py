"""A plugin process without the SDK: answers in the SDK's form, and misbehaves when asked to."""

from typing import Any
import json
import os
import sys
import time


def say(event: dict[str, object]) -> None:
    """Write one line as the SDK does: compact JSON and a blank line."""
    sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n\n")
    sys.stdout.flush()


def stream(call_id: str, kind: str, data: dict[str, object]) -> None:
    """Write one message of a call."""
    say({"event": "session", "session_id": call_id, "data": {"type": kind, "data": data}})


def answer(call_id: str, data: dict[str, Any]) -> None:
    """Do what the tool's name says."""
    if data["action"] == "validate_tool_credentials":
        if data["credentials"].get("key") == "good":
            stream(call_id, "stream", {"result": True})
        else:
            stream(call_id, "error", {"error_type": "BadKey", "message": "no such key"})
        return
    if data["action"] == "invoke_endpoint":
        request = bytes.fromhex(data["raw_http_request"])
        stream(call_id, "stream", {"status": 201, "headers": {"X-Seen": "yes"}})
        stream(call_id, "stream", {"result": request.split(b"\r\n")[0].hex()})
        stream(call_id, "stream", {"result": request.rpartition(b"\r\n\r\n")[2].hex()})
        return
    tool, parameters = data["tool"], data["tool_parameters"]
    if tool == "die":
        sys.stderr.write("the disk is on fire\n")
        sys.stderr.flush()
        os._exit(3)
    if tool == "tear":
        sys.stdout.write('{"event":"log","da\n[1]\nnull\n')
    if tool == "log":
        message = json.dumps({"event": "batch.delivered", "jobs": 3})
        say({"event": "log", "data": {"level": "INFO", "message": message, "timestamp": 1.5}})
        say({"event": "log", "data": {"level": "WARNING", "message": "plain", "timestamp": 2.5}})
    if tool == "wait":
        time.sleep(60)
    if tool == "fail":
        stream(call_id, "error", {"error_type": "ValueError", "message": "boom"})
        return
    messages: tuple[tuple[str, dict[str, object]], ...] = (
        ("text", {"text": "one "}),
        ("text", {"text": "two"}),
        ("variable", {"variable_name": "ok", "variable_value": False, "stream": False}),
        ("variable", {"variable_name": "ok", "variable_value": True, "stream": False}),
        ("json", {"json_object": {"tool": tool, "got": parameters, "user": data["user_id"]}}),
        ("json", {"json_object": {"env": os.environ.get("MEM9_ASYNC_LINGER_MS")}}),
    )
    for kind, said in messages:
        stream(call_id, "stream", {"type": kind, "message": said, "meta": None})


say({"version": "0.1.0", "type": "plugin", "name": "fake"})
say({"event": "heartbeat", "session_id": None, "data": {}})
for line in sys.stdin:
    request = json.loads(line)
    answer(request["session_id"], request["data"])
    stream(request["session_id"], "end", {})
