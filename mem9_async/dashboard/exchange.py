"""A request and a response, as far as the page needs them: whoever serves it translates."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a browser asked. Names and values are decoded; the first value of a name counts."""

    method: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageResponse:
    """What goes back: at most one value for each header, so one cookie."""

    status: int
    body: str
    headers: Mapping[str, str]
