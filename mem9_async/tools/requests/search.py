"""memory_search: the recall that a call asks for, and how far it may go."""

from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from mem9_async.models.errors import InvalidRequest
from mem9_async.models.memory import SearchQuery
from mem9_async.text.rephrase import suggest_queries
from mem9_async.tools import caller
from mem9_async.tools.call import Call
from mem9_async.tools.requests import fields, filters

SEARCH_DEFAULT = 10
SEARCH_MAX = 20
MAX_QUERY_CHARS = 4_000  # the query travels in the address line
# Encoded. Gateways and many servers take 8,190 bytes of address line; filters need some of them.
MAX_QUERY_BYTES = 7_000
_ALL_FACTS = "insight,pinned"


class SearchCommand(BaseModel):
    """A recall and how far it may go: `second` is asked when the first finds nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: SearchQuery
    include_pending: bool = True
    second: SearchQuery | None = None


def search_of(call: Call) -> SearchCommand:
    """Return the recall *call* asks for. Raises InvalidRequest, CredentialsMissing."""
    asker = caller.read(call)
    query = fields.text(call.parameters, "query")
    if query is None:
        raise InvalidRequest("query is required", code="query_required")
    if len(query) > MAX_QUERY_CHARS:
        raise InvalidRequest(
            f"query has {len(query)} characters; the limit is {MAX_QUERY_CHARS}. Search with a "
            "short phrase instead.",
            code="query_too_long",
        )
    in_address = len(quote(query, safe=""))
    if in_address > MAX_QUERY_BYTES:
        raise InvalidRequest(
            f"query has {in_address} bytes as it travels in the address, where most characters "
            f"beyond ASCII take nine or six; the limit is {MAX_QUERY_BYTES}. Search with a short "
            "phrase instead.",
            code="query_too_long",
        )
    keyword = _keyword(call)
    first = SearchQuery(
        space=asker.space,
        caller_agent_id=asker.agent_id,
        query=query,
        limit=fields.bounded(
            call.parameters, "limit", default=SEARCH_DEFAULT, low=1, high=SEARCH_MAX
        ),
        session_id=asker.session_id,
        scan_all=fields.flag(call.parameters, "scanAll") and not keyword,
        memory_type=filters.memory_type(call),
        tags=fields.items(call.parameters, "tags") or (),
        agent_id=filters.agent(call, asker),
        app_id=filters.app(call, asker),
        keyword=keyword,
        offset=_offset(call, keyword=keyword),
    )
    retried = fields.flag(call.parameters, "auto_retry") and not keyword
    return SearchCommand(
        query=first,
        include_pending=fields.flag(call.parameters, "include_pending", default=True),
        second=_second(first) if retried else None,
    )


def _keyword(call: Call) -> bool:
    mode = (fields.text(call.parameters, "mode") or "recall").lower()
    if mode not in ("recall", "keyword"):
        raise InvalidRequest("mode must be recall or keyword", code="mode_invalid")
    return mode == "keyword"


def _offset(call: Call, *, keyword: bool) -> int:
    offset = fields.whole(call.parameters, "offset") or 0
    if offset and not keyword:
        # mem9 would answer with the first page again, for another unit.
        raise InvalidRequest(
            "a recall has no pages: leave offset out, or search with mode keyword",
            code="offset_needs_keyword",
        )
    return offset


def _second(first: SearchQuery) -> SearchQuery | None:
    """The one search to make when *first* finds nothing.

    Asked for both kinds of fact at once, mem9 leaves out its cut-off and searches by meaning
    alone: loose questions and two bare words then find what they mean. Where that was asked for
    already, or no fact is wanted, other words are all there is.
    """
    if first.memory_type in (None, "insight", "pinned"):
        return first.model_copy(update={"memory_type": _ALL_FACTS, "limit": SEARCH_MAX})
    suggested = next(iter(suggest_queries(first.query)), None)
    return None if suggested is None else first.model_copy(update={"query": suggested})
