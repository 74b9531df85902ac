"""From when to when, and in which order."""

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools.requests import memories
from tests.tools.fakes import call


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2026-11-01", "2026-11-01T00:00:00Z"),
        ("2026-11-01T09:30:00", "2026-11-01T09:30:00Z"),
        ("2026-11-01T09:30:00+02:00", "2026-11-01T07:30:00Z"),
        ("2026-11-01T09:30:00Z", "2026-11-01T09:30:00Z"),
    ],
)
def test_a_time_is_read_as_people_write_it(given: str, sent: str) -> None:
    """And asks for raw turns, the only ones that mem9 knows it for."""
    query = memories.page(call({"created_after": given}))

    assert (query.created_after, query.created_before) == (sent, None)
    assert query.memory_type == "session"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"created_after": "yesterday"}, "created_after_invalid"),
        ({"created_before": "11/01/2026"}, "created_before_invalid"),
        (
            {"created_after": "2026-11-02", "created_before": "2026-11-01"},
            "created_after_invalid",
        ),
        ({"created_after": "2026-11-02", "memory_type": "insight"}, "window_needs_session"),
        ({"sort_by": "size"}, "sort_by_invalid"),
        ({"sort_by": "content up"}, "sort_by_invalid"),
        ({"sort_by": "content asc desc"}, "sort_by_invalid"),
    ],
)
def test_what_mem9_would_refuse_or_pass_over_is_refused(
    parameters: dict[str, object], code: str
) -> None:
    """Before anything is asked of it."""
    with pytest.raises(InvalidRequest) as refused:
        memories.page(call(parameters))

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("given", "column", "direction"),
    [
        (None, None, None),
        (" ", None, None),
        ("content", "content", None),
        ("Updated_At ASC", "updated_at", "asc"),
        ("tags  desc", "tags", "desc"),
    ],
)
def test_an_order_is_a_column_and_a_direction(
    given: object, column: str | None, direction: str | None
) -> None:
    """Without one it is mem9's own, newest first."""
    query = memories.page(call({"sort_by": given}))

    assert (query.sort_by, query.sort_dir) == (column, direction)
