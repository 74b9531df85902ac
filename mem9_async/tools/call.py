"""One tool call as Dify hands it over, before anything in it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Writer(Protocol):
    """Where the lines for Dify's daemon go."""

    def write(self, data: str) -> None:
        """Write *data* as it is."""


class Session(Protocol):
    """The part of the SDK's session that an answer needs."""

    session_id: str
    conversation_id: str | None
    app_id: str | None

    @property
    def writer(self) -> Writer:
        """Where its lines go."""


class Runtime(Protocol):
    """The part of the SDK's tool runtime that a call needs."""

    credentials: dict[str, object]
    user_id: str | None


class ToolCall(Protocol):
    """An SDK tool instance: made by the SDK for one call."""

    @property
    def session(self) -> Session:
        """Which call this is, and where its answer goes."""

    @property
    def runtime(self) -> Runtime:
        """Who calls, and with which credentials."""


# No repr: it would show keys and contents wherever a call is printed.
@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """What was asked, with which credentials, by whom. Values are unchecked."""

    parameters: Mapping[str, object]
    credentials: Mapping[str, object]
    user_id: str | None = None
    conversation_id: str | None = None
    app_id: str | None = None
