"""One recall: asked within a deadline, mapped, ranked, cut to the best."""

import asyncio
import random

from mem9_async.client.encoding import RECALL_FACTOR, search_params
from mem9_async.client.mapping import found, of_app, ranked
from mem9_async.client.pool import SEARCH_BODY_MAX, Request, Response
from mem9_async.client.reader import Asker, addresses_of, unreadable
from mem9_async.client.responses.notices import spoken_notice, usage_notice
from mem9_async.client.search_retry import is_too_slow, pause_s
from mem9_async.client.urls import read_headers
from mem9_async.client.wire import parse_list
from mem9_async.models.capability import Feature
from mem9_async.models.errors import NotOffered, RequestFailed
from mem9_async.models.memory import SearchQuery, SearchResult
from mem9_async.models.outcome import Meter


async def search(asker: Asker, query: SearchQuery, *, timeout_s: float) -> SearchResult:
    """Ask mem9 and return the best `query.limit` memories.

    Waits at most *timeout_s* in all; what may pass is tried again within it.
    Raises RequestFailed: an empty result means that mem9 looked and found nothing.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    deadline = began + timeout_s
    tries = 0
    factor = RECALL_FACTOR
    while True:
        tries += 1
        try:
            answer = await _recall(asker, query, factor, timeout_s=deadline - clock())
        except RequestFailed as exc:
            pause = pause_s(
                exc.outcome,
                tries=tries,
                left_s=deadline - clock(),
                jitter=random.random(),  # noqa: S311  # spreads load, hides nothing
            )
            if pause is None:
                raise
            if is_too_slow(exc.outcome):
                factor = 1
            await asyncio.sleep(pause)
        else:
            return _result(answer, query, attempts=tries, elapsed_s=clock() - began)


async def _recall(asker: Asker, query: SearchQuery, factor: int, *, timeout_s: float) -> Response:
    request = Request(
        method="GET",
        url=addresses_of(query.space.base_url).memories,
        headers=read_headers(query.space, query.caller_agent_id),
        params=search_params(query, factor=factor),
        body_max=SEARCH_BODY_MAX,
    )
    return await asker.ask(request, meter=Meter.RECALL, timeout_s=timeout_s)


def _result(
    answer: Response, query: SearchQuery, *, attempts: int, elapsed_s: float
) -> SearchResult:
    body = parse_list(answer.body) if answer.whole else None
    if body is None:
        raise unreadable(answer)
    if query.keyword and any(each.confidence is not None for each in body.memories):
        raise NotOffered(Feature.KEYWORD, known=True)  # it was a recall
    # Ranked as they came: of three times the limit, most are never shown, nor need be made ours.
    mine = of_app(body.memories, query.app_id)
    best = ranked(mine)[: max(1, query.limit)]
    return SearchResult(
        effective_query=query.query,
        memories=tuple(found(item) for item in best),
        available=len(mine),
        notice=spoken_notice(body, answer.key),
        usage_notice=usage_notice(body),
        attempts=attempts,
        elapsed_s=elapsed_s,
        warnings=body.cut_short,
        total=body.total if query.keyword else None,
        withheld=len(body.memories) - len(mine),
    )
