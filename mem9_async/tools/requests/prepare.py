"""memory_prepare's parameters: whose memory, what for, how much of it, and within which time."""

from urllib.parse import quote

from mem9_async.client.recalled_text import strip_recalled
from mem9_async.models.agent_memory import Preparation
from mem9_async.models.errors import InvalidRequest
from mem9_async.models.memory import SearchQuery
from mem9_async.tools import caller, subject
from mem9_async.tools.call import Call
from mem9_async.tools.requests import fields
from mem9_async.tools.requests.search import (
    MAX_QUERY_BYTES,
    MAX_QUERY_CHARS,
    SEARCH_DEFAULT,
    SEARCH_MAX,
)

DEFAULT_BYTES, MAX_BYTES = 8_000, 32_768  # docs/reference/dify-agent-memory.md, 2
DEFAULT_S, MAX_S = 8, 30  # Dify waits for 10 s, or for 30 at most
# A prompt is no search phrase: of the default recall, mem9 shows what nearly repeats the query,
# and of facts alone what comes nearest (docs/reference/real-mem9.md, 3). For the same one unit.
_FACTS = "insight,pinned"


def preparation_of(call: Call) -> Preparation:
    """Return what *call* wants prepared. Raises InvalidRequest, CredentialsMissing."""
    whose = subject.read(call)
    space = caller.space(call)
    request = fields.json_object(call.parameters, "request")
    prompt = strip_recalled(fields.text(request or {}, "query") or "").strip()
    if request is None or not prompt:
        raise InvalidRequest("request.query is required", code="query_required")
    agent_id = subject.agent_id(call, whose)
    return Preparation(
        query=SearchQuery(
            space=space,
            caller_agent_id=agent_id,
            query=shortened(prompt),
            limit=fields.bounded(
                call.parameters, "limit", default=SEARCH_DEFAULT, low=1, high=SEARCH_MAX
            ),
            memory_type=_FACTS,
            agent_id=agent_id,
            app_id=caller.own_app(call, whose.app_id),
        ),
        max_bytes=fields.bounded(
            request, "max_bytes", default=DEFAULT_BYTES, low=0, high=MAX_BYTES
        ),
        timeout_s=fields.bounded(
            call.parameters, "timeout_s", default=DEFAULT_S, low=1, high=MAX_S
        ),
    )


def shortened(prompt: str) -> str:
    """Return *prompt* as long as it can travel in an address; of a longer one, both ends.

    What is asked stands before a pasted text, or after it.
    """
    chars = min(len(prompt), MAX_QUERY_CHARS)
    while True:
        half = chars // 2
        query = prompt if chars == len(prompt) else f"{prompt[:half]} {prompt[-half:]}".strip()
        if len(query) <= MAX_QUERY_CHARS and len(quote(query, safe="")) <= MAX_QUERY_BYTES:
            return query
        chars = chars * 9 // 10
