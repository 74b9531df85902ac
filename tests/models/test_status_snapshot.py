"""A snapshot is read as it was written, and says when nobody writes it any more."""

import json
from dataclasses import fields, replace

import pytest

from mem9_async.models.status_snapshot import (
    Circuit,
    Disk,
    History,
    JobCounts,
    ParkedSpace,
    Point,
    Rates,
    Sdk,
    SilentSpace,
    StatusSnapshot,
    Totals,
    from_json,
    to_json,
)

SNAPSHOT = StatusSnapshot(
    boot_id="0f3a91c2",
    pid=7,
    version="0.1.0",
    started_at=1_000.0,
    taken_at=2_000.0,
    interval_s=15.0,
    durability="process",
    health="ok",
    depth=3,
    counts=JobCounts(available=1, parked=2, dead=4),
    oldest_age_s=None,
    totals=Totals(accepted=9, delivered=2, dead=4, present=3),
    rates=Rates(window_s=60.0, accepted_per_s=0.5),
    disk=Disk(journal_bytes=4_096),
    sdk=Sdk("0.10.2"),
    parked_spaces=(ParkedSpace("ab12cd34", "quota_exhausted", 1_500.0, 2_400.0, 2),),
    silent_spaces=(SilentSpace("ab12cd34", "no_llm"),),
    circuits=(Circuit("https://api.mem9.ai", "open", 0, 1, 5, 2_010.0),),
    history=History(points=(Point(at=1_990.0, depth=3, accepted=5, accept_p50_s=0.001),)),
)


def test_a_snapshot_is_read_as_it_was_written() -> None:
    """Every field, and the keys are the fields' names."""
    text = to_json(SNAPSHOT)

    assert from_json(text) == SNAPSHOT
    assert list(json.loads(text)) == [field.name for field in fields(StatusSnapshot)]


def test_a_newer_version_may_say_more() -> None:
    """During an upgrade the older process's tools meet the newer one's file."""
    told = json.loads(to_json(SNAPSHOT))
    told["moon_phase"] = told["counts"]["waxing"] = 1

    assert from_json(json.dumps(told)) == SNAPSHOT


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"boot_id": 1}'])
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    """Half a file, or another one."""
    with pytest.raises(ValueError):  # noqa: PT011  pydantic's own words
        from_json(text)


def test_a_snapshot_is_stale_after_three_intervals() -> None:
    """Then its process is gone, or stuck."""
    assert not SNAPSHOT.stale(2_000.0 + 45.0)
    assert SNAPSHOT.stale(2_000.0 + 45.1)


def test_the_depth_is_what_is_on_its_way() -> None:
    """What mem9 has taken, and dead letters, wait for nothing."""
    assert JobCounts(1, 2, 4, 8, taken=16, dead=32).depth == 15


def test_a_job_that_is_nowhere_shows() -> None:
    """What came in has left, or is there."""
    totals = Totals(accepted=9, adopted=1, delivered=3, dead=2, discarded=1, expired=1, present=3)

    assert totals.unaccounted == 0
    assert replace(totals, accepted=10).unaccounted == 1
