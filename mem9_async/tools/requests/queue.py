"""memory_queue: what a call asks of its space's queue."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from mem9_async.models.errors import InvalidRequest
from mem9_async.models.job import QueueCommand
from mem9_async.tools import caller
from mem9_async.tools.call import Call
from mem9_async.tools.caller import Isolation
from mem9_async.tools.requests import fields


class QueueQuestion(BaseModel):
    """What memory_queue asks; `shared` is False where the space's jobs belong to several people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: QueueCommand
    shared: bool


def question_of(call: Call) -> QueueQuestion:
    """Return what *call* asks of the write queue. Raises InvalidRequest, CredentialsMissing."""
    command = QueueCommand(
        space=caller.space(call),
        action=_action(call),
        job_id=caller.identifier("job_id", fields.text(call.parameters, "job_id")),
        owner=caller.owner(call),
    )
    shared = caller.isolation(call) is Isolation.SHARED
    if not shared and command.action == "retry_dead" and command.job_id is None:
        raise InvalidRequest(
            "retry_dead needs a job_id while isolation keeps callers apart: without one it would "
            "send other people's memories. An operator can send all of them again from the "
            "command line.",
            code="job_id_required",
        )
    return QueueQuestion(command=command, shared=shared)


def _action(call: Call) -> Literal["status", "flush", "retry_dead"]:
    match fields.text(call.parameters, "action"):
        case None | "status":
            return "status"
        case "flush":
            return "flush"
        case "retry_dead":
            return "retry_dead"
    raise InvalidRequest("action must be status, flush or retry_dead", code="action_invalid")
