"""What only later mem9 servers have, and whether one of them is known to have it."""

from dataclasses import dataclass
from enum import StrEnum

from mem9_async.models.job import Payload
from mem9_async.models.memory import ListQuery, SearchQuery
from mem9_async.models.space import Lane

RAW_TURNS = "session"


class Feature(StrEnum):
    """What a call may ask for, by the name that its parameter has."""

    APP_ID = "app_id"
    KEEP_RAW = "keep_raw"
    KEYWORD = "keyword"
    WINDOW = "created_after"
    SORT = "sort_by"
    RAW_TURNS = "memory_type session"


class Support(StrEnum):
    """Whether a server has something."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one space's server was seen to have. What has no proof of its own follows from both."""

    app_id: Support = Support.UNKNOWN
    window: Support = Support.UNKNOWN
    no_keyword: bool = False  #: a search for words was answered by meaning

    def of(self, feature: Feature) -> Support:
        """Whether the server has *feature*."""
        match feature:
            case Feature.APP_ID:
                return self.app_id
            case Feature.WINDOW | Feature.RAW_TURNS:
                return self.window
            case Feature.KEYWORD if self.no_keyword:
                return Support.NO
        both = {self.app_id, self.window}
        if Support.NO in both:
            return Support.NO
        return Support.UNKNOWN if Support.UNKNOWN in both else Support.YES


def needed_by_job(lane: Lane, payload: Payload) -> tuple[Feature, ...]:
    """What a store asks for that would be dropped in silence by a server without it."""
    needed = []
    if lane.app_id is not None:
        needed.append(Feature.APP_ID)
    if payload.kind == "turn" and not payload.keep_raw:
        needed.append(Feature.KEEP_RAW)
    return tuple(needed)


def needed_by_search(query: SearchQuery) -> tuple[Feature, ...]:
    """What *query* asks for that a server without it would answer another question for."""
    needed = []
    if query.app_id is not None:
        needed.append(Feature.APP_ID)
    if query.keyword:
        needed.append(Feature.KEYWORD)
    return tuple(needed)


def needed_by_list(query: ListQuery) -> tuple[Feature, ...]:
    """The same of a list."""
    needed = []
    if query.app_id is not None:
        needed.append(Feature.APP_ID)
    if query.created_after is not None or query.created_before is not None:
        needed.append(Feature.WINDOW)
    if RAW_TURNS in (query.memory_type or "").split(","):
        needed.append(Feature.RAW_TURNS)
    if query.sort_by is not None:
        needed.append(Feature.SORT)
    return tuple(needed)
