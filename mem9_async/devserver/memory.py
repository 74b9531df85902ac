"""One stored memory, and how mem9 writes it on the wire."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import JsonValue

_AGES = (
    (3_600, 60, "minute"),
    (86_400, 3_600, "hour"),
    (604_800, 86_400, "day"),
    (2_592_000, 604_800, "week"),
    (31_536_000, 2_592_000, "month"),
)
_YEAR_S = 31_536_000


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """A memory, or a raw message shown as one (type `session`). Times in UTC epoch seconds."""

    id: str
    content: str
    memory_type: str
    created_at: float
    updated_at: float
    state: str = "active"
    version: int = 1
    source: str = ""
    agent_id: str = ""
    session_id: str = ""
    tags: tuple[str, ...] = ()
    metadata: JsonValue = None
    updated_by: str = ""
    tenant: str = ""
    app_id: str = ""

    def wire(self) -> dict[str, JsonValue]:
        """The object mem9 sends; empty optional fields are left out."""
        optional: dict[str, JsonValue] = {
            "source": self.source,
            "agent_id": self.agent_id,
            "session_id": self.session_id,
            "appId": self.app_id,
            "updated_by": self.updated_by,
            "tags": list(self.tags),
        }
        body: dict[str, JsonValue] = {
            "id": self.id,
            "content": self.content,
            "memory_type": self.memory_type,
            "state": self.state,
            "version": self.version,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }
        body.update((name, value) for name, value in optional.items() if value)
        if self.metadata is not None:
            body["metadata"] = self.metadata
        return body


def timestamp(epoch_s: float) -> str:
    """RFC 3339 in UTC, with as many digits of a microsecond as there are."""
    return timestamp_ns(round(epoch_s * 1_000_000) * 1_000)


def timestamp_ns(epoch_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds, as mem9's own clock prints it."""
    seconds, nanoseconds = divmod(epoch_ns, 1_000_000_000)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}{fraction}Z"


def relative_age(updated_at: float, now_s: float) -> str:
    """How long ago in words: `just now` under a minute or in the future, then whole units."""
    age_s = now_s - updated_at
    if age_s < 60:
        return "just now"
    for bound_s, unit_s, name in _AGES:
        if age_s < bound_s:
            return _ago(int(age_s // unit_s), name)
    return _ago(int(age_s // _YEAR_S), "year")


def _ago(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'} ago"
