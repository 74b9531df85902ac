"""Filters that a search and a list have in common."""

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools import caller
from mem9_async.tools.call import Call
from mem9_async.tools.caller import Access
from mem9_async.tools.requests import fields

_MEMORY_TYPES = frozenset({"insight", "pinned", "session"})


def memory_type(call: Call) -> str | None:
    """The kinds asked for, as mem9 takes them; None for all. Raises InvalidRequest."""
    given = fields.items(call.parameters, "memory_type")
    if given and not _MEMORY_TYPES.issuperset(given):
        raise InvalidRequest(
            "memory_type must be insight, pinned or session", code="memory_type_invalid"
        )
    return ",".join(given) if given else None


def app(call: Call, asker: Access) -> str | None:
    """The app that is written and read in; where apps are kept apart the caller's own."""
    wanted = caller.app("app_id", fields.text(call.parameters, "app_id"))
    if asker.app_id is None:
        return wanted
    if wanted not in (None, asker.app_id):
        raise InvalidRequest(
            "app_id cannot be chosen while isolation keeps apps apart: leave it empty",
            code="app_id_not_allowed",
        )
    return asker.app_id


def agent(call: Call, asker: Access) -> str | None:
    """Whose memories are wanted; under isolation the caller's own. Raises InvalidRequest."""
    wanted = caller.identifier("agent_id", fields.text(call.parameters, "agent_id"))
    if asker.own_agent_id is None:
        return wanted
    if wanted not in (None, asker.own_agent_id):
        raise InvalidRequest(
            "agent_id cannot be chosen while isolation keeps callers apart: leave it empty",
            code="agent_id_not_allowed",
        )
    return asker.own_agent_id
