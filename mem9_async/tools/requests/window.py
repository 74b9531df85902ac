"""memory_list: from when to when, and in which order."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools.call import Call
from mem9_async.tools.requests import fields

Column = Literal["content", "memory_type", "tags", "updated_at"]
Direction = Literal["asc", "desc"]
_COLUMNS: dict[str, Column] = {name: name for name in get_args(Column)}
_DIRECTIONS: dict[str, Direction] = {name: name for name in get_args(Direction)}


@dataclass(frozen=True, slots=True)
class Window:
    """Two times in RFC 3339, each None where that side is open."""

    after: str | None
    before: str | None

    @property
    def is_open(self) -> bool:
        """Whether any time was asked for."""
        return self.after is not None or self.before is not None


def wanted(call: Call) -> Window:
    """Return the window of time that *call* asks for. Raises InvalidRequest."""
    after, before = _time(call, "created_after"), _time(call, "created_before")
    if after is not None and before is not None and after > before:
        raise InvalidRequest(
            "created_after must not be later than created_before", code="created_after_invalid"
        )
    return Window(_told(after), _told(before))


def order(call: Call) -> tuple[Column | None, Direction | None]:
    """Return by what, and which way, *call* wants the list sorted; None for newest first."""
    words = (fields.text(call.parameters, "sort_by") or "").lower().split()
    if not words:
        return None, None
    column = _COLUMNS.get(words[0])
    direction = _DIRECTIONS.get(words[1]) if len(words) == 2 else None
    if column is None or (len(words) > 1 and direction is None):
        raise InvalidRequest(
            "sort_by must be content, memory_type, tags or updated_at, and may be followed by asc "
            "or desc",
            code="sort_by_invalid",
        )
    return column, direction


def _time(call: Call, name: str) -> datetime | None:
    given = fields.text(call.parameters, name)
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidRequest(
            f"{name} must be a date or a time such as 2026-11-01 or 2026-11-01T09:30:00Z",
            code=f"{name}_invalid",
        ) from None
    # Without a zone it is one of mem9's, which are UTC.
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _told(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
