"""Whose memory an agent's run has: by Dify's `memory_context`, not by what a model wrote."""

from dataclasses import dataclass

from pydantic import JsonValue

from mem9_async.models.errors import InvalidRequest
from mem9_async.models.space import Lane
from mem9_async.tools import caller
from mem9_async.tools.call import Call
from mem9_async.tools.caller import Isolation
from mem9_async.tools.requests import fields

MAX_CHARS = 256  # Dify's own limit for a subject's id (docs/reference/dify-agent-memory.md, 2)
_KINDS = frozenset({"user", "business"})


@dataclass(frozen=True, slots=True)
class Subject:
    """The user, or the business, that an app's agent speaks with."""

    app_id: str
    kind: str
    subject_id: str


def read(call: Call) -> Subject:
    """Return the subject of *call*; raises InvalidRequest when the context does not name one."""
    context = fields.json_object(call.parameters, "memory_context")
    if not context:
        raise InvalidRequest("memory_context is required", code="memory_context_required")
    kind = fields.text(context, "subject_kind")
    if kind not in _KINDS:
        # Guessing could mix people whose memories were meant to stay apart.
        raise InvalidRequest(
            "memory_context.subject_kind must be user or business", code="subject_kind_invalid"
        )
    return Subject(_required(context, "app_id"), kind, _required(context, "subject_id"))


def agent_id(call: Call, subject: Subject) -> str:
    """Return the agent id of *subject*: one for each subject in each app.

    Where isolation is `per_user`, a user's is the one that all tools use for that user, so that
    what the runtime observed is found by memory_search.
    """
    configured, kept_apart = caller.configured_agent_id(call), caller.isolation(call)
    if subject.kind == "user" and kept_apart is Isolation.PER_USER:
        return caller.derived(configured, "u", subject.subject_id)
    who = "\0".join((subject.app_id, subject.kind, subject.subject_id))
    return caller.derived(configured, "s", who)


def lane(call: Call, subject: Subject, run_id: str) -> Lane:
    """Return where the events of a run go: in order, and never with another subject's."""
    return Lane(
        space=caller.space(call),
        agent_id=agent_id(call, subject),
        session_id=run_id,
        user_id=f"{subject.kind} {subject.subject_id}",
        # The agent id alone may be one for several apps.
        conversation_id=f"app {subject.app_id}",
        app_id=caller.own_app(call, subject.app_id),
    )


def _required(context: dict[str, JsonValue], name: str) -> str:
    value = fields.text(context, name)
    if value is None:
        raise InvalidRequest(f"memory_context.{name} is required", code=f"{name}_required")
    if len(value) > MAX_CHARS:
        raise InvalidRequest(
            f"memory_context.{name} has {len(value)} characters; at most {MAX_CHARS} are taken",
            code=f"{name}_too_long",
        )
    return value
