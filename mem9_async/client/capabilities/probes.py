"""Questions that cost nothing and write nothing, and what an answer to one proves. Pure.

An older mem9 ignores what it does not know, with an ordinary success; a later one refuses a value
that makes no sense (docs/reference/mem9-newer.md, 6). Whatever else comes, from a proxy or from a
server in trouble, proves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mem9_async.client.pool import Response
from mem9_async.client.wire import ErrorBody, parse, parse_list
from mem9_async.models.capability import Feature, Support

_TOO_LONG = "a" * 101  # mem9 takes 100 bytes


@dataclass(frozen=True, slots=True)
class Probe:
    """A list that is asked for, and how a refusal begins that only a later mem9 gives."""

    params: Mapping[str, str]
    refusal: str


APP_ID = Probe({"limit": "1", "appId": _TOO_LONG}, "appid: ")
WINDOW = Probe({"limit": "1", "memory_type": "session", "created_after": "x"}, "created_after: ")
PROBES = (APP_ID, WINDOW)


def proving(feature: Feature) -> tuple[Probe, ...]:
    """The probes by which *feature* is known; both, for one that has none of its own."""
    match feature:
        case Feature.APP_ID:
            return (APP_ID,)
        case Feature.WINDOW | Feature.RAW_TURNS:
            return (WINDOW,)
    return PROBES


def proves(probe: Probe, answer: Response) -> Support:
    """What *answer* to *probe* says."""
    if answer.status == 400:
        body = parse(ErrorBody, answer.body)
        refused = body is not None and (body.error or "").lower().startswith(probe.refusal)
        return Support.YES if refused else Support.UNKNOWN
    if answer.status == 200 and answer.whole and parse_list(answer.body) is not None:
        return Support.NO
    return Support.UNKNOWN
