"""memory_observe's parameters: whose run, which event of it, and whether it is to be kept."""

from pydantic import JsonValue

from mem9_async.models.agent_memory import Observation
from mem9_async.models.errors import InvalidRequest
from mem9_async.models.job import NewJob, Turn
from mem9_async.tools import caller, subject
from mem9_async.tools.call import Call
from mem9_async.tools.requests import events, fields

CAPTURED = (events.USER_PROMPT, events.MODEL_RESPONSE)  # tools' traffic is noise, often private
MAX_EVENT_ID_CHARS = 300


def observation_of(call: Call, *, max_bytes: int) -> Observation:
    """Return the event that *call* tells, as a job if it is to be kept.

    Content of more than *max_bytes* (UTF-8) is cut. Raises InvalidRequest, CredentialsMissing.
    """
    captured = _captured(call)
    whose = subject.read(call)
    request = fields.json_object(call.parameters, "request")
    if not request:
        raise InvalidRequest("request is required", code="request_required")
    event_id, event = _required(request, "event_id"), _required(request, "event")
    if len(event_id) > MAX_EVENT_ID_CHARS:
        raise InvalidRequest(
            f"request.event_id has more than {MAX_EVENT_ID_CHARS} characters",
            code="event_id_too_long",
        )
    lane = subject.lane(call, whose, _run_id(request, event_id))
    sequence = _sequence(request, event_id)
    if event not in captured:
        return Observation(lane, sequence, None)
    payload = fields.json_object(request, "payload")
    if payload is None:
        raise InvalidRequest("request.payload is required", code="payload_required")
    message = events.told(event, payload, max_bytes=max_bytes)
    if message is None:
        return Observation(lane, sequence, None)
    job = NewJob(
        lane=lane,
        payload=Turn(messages=(message,)),
        owner=caller.owner(call),
        event_id=event_id,
    )
    return Observation(lane, sequence, job)


def _captured(call: Call) -> frozenset[str]:
    wanted = fields.items(call.parameters, "capture_events") or CAPTURED
    unknown = sorted(set(wanted).difference(events.KINDS))
    if unknown:
        # A slip of the pen would otherwise keep nothing, and nobody would see why.
        raise InvalidRequest(
            f"capture_events knows {', '.join(events.KINDS)}", code="capture_events_invalid"
        )
    return frozenset(wanted)


def _run_id(request: dict[str, JsonValue], event_id: str) -> str:
    metadata = fields.json_object(request, "metadata") or {}
    run_id = fields.text(metadata, "run_id") or event_id.rpartition(":")[0].strip()
    if not run_id:
        raise InvalidRequest(
            "request.metadata.run_id is required, or an event_id of the form <run_id>:<sequence>",
            code="run_id_required",
        )
    return caller.identifier("run_id", run_id) or run_id


def _sequence(request: dict[str, JsonValue], event_id: str) -> int | None:
    number = fields.whole(request, "sequence")
    if number is not None:
        return number
    tail = event_id.rpartition(":")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else None


def _required(request: dict[str, JsonValue], name: str) -> str:
    value = fields.text(request, name)
    if value is None:
        raise InvalidRequest(f"request.{name} is required", code=f"{name}_required")
    return value
