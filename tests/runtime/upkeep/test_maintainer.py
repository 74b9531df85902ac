"""House is kept on time, and one duty's trouble does not end the others."""

import asyncio
from pathlib import Path

import pytest

from mem9_async.queue.troubles import place_of
from mem9_async.runtime.upkeep import maintainer
from mem9_async.runtime.upkeep.maintainer import Upkeep
from tests.runtime.appkit import Sending, quick


async def test_what_is_past_its_time_goes_within_a_minute_however_rare_the_reports_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention is promised within a minute; how often somebody wants a report is another thing."""
    monkeypatch.setattr(maintainer, "_TIDY_EVERY_S", 0.05)
    tidied = asyncio.Event()

    async def tidy(self: Upkeep) -> None:
        tidied.set()

    monkeypatch.setattr(Upkeep, "_tidy", tidy)
    sending = Sending(tmp_path, stats_interval_ms=3_600_000)

    await sending.run_until(tidied.is_set)

    assert maintainer._LOOK_EVERY_S <= 1.0


async def test_a_duty_that_fails_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adoption goes on although looking after the disk breaks every time."""
    rounds = []

    async def fail(self: Upkeep) -> None:
        rounds.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(maintainer, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(Upkeep, "_look", fail)
    sending = Sending(tmp_path)

    await sending.run_until(
        lambda: len(rounds) > 2 and sending.app.parts.adoption.first_round.is_set()
    )


async def test_a_removed_file_is_noticed_by_the_loop(tmp_path: Path) -> None:
    """The hub only reads a flag: asking the disk could make it wait."""
    sending = Sending(tmp_path)
    assert sending.app.storage.claim
    sending.app.storage.claim.path.unlink()
    assert not sending.app.storage.vanished

    await sending.run_until(lambda: sending.app.storage.vanished)


def test_an_unexpected_error_is_described_without_what_it_says() -> None:
    """Pydantic's errors repeat their input, which may be what a user stored."""
    try:
        quick(Path("/tmp"), linger_ms="the user's secret")  # noqa: S108
    except ValueError as exc:
        told = place_of(exc)
    try:
        raise ExceptionGroup("secret", [KeyError("secret")])
    except ExceptionGroup as exc:
        grouped = place_of(exc)

    assert "secret" not in told + grouped
    assert told.startswith("ValidationError at ")
    assert grouped == "KeyError"
