"""A snapshot shows every job once, in its state, whatever happens to it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.job import NewJob, Receipt
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.models.status_snapshot import JobCounts, Sdk, StatusSnapshot
from mem9_async.queue.journal.retention import Retention
from mem9_async.queue.journal.takes import Takes
from mem9_async.runtime.app import App
from mem9_async.runtime.startup import begun
from mem9_async.runtime.status.process import Process
from tests.queue.builders import failure, job, space
from tests.runtime.appkit import left_behind, quick

PROCESS = Process("b007", 1, "0.1.0", 1_000.0, Sdk(None))
TAKEN = Outcome(confirmation=Confirmation.ACCEPTED, http_status=202, duration_s=0.05)
REFUSED = failure(ErrorType.REJECTED, status=400)
AWAY = failure(ErrorType.UNAVAILABLE, status=503)
DENIED = failure(ErrorType.QUOTA_EXHAUSTED, status=402)
SOON: dict[str, object] = {
    "retry_initial_backoff_ms": 1,
    "retry_max_backoff_ms": 2,
    "park_quota_initial": 0.01,
    "park_quota_max": 0.02,
    "circuit_max_open_ms": 2,
    "retry_budget_ratio": 1.0,
    "retry_budget_tokens": 1_000.0,
}
HANG_S = 120.0

Answer = Callable[[Batch], Outcome]


class _Stage:
    """An app whose mem9 answers as it is told; *looks* at a snapshot with each request."""

    def __init__(self, data: Path, answer: Answer, **more: object) -> None:
        self.app: App = begun(quick(data, **more), data)
        self.answer = answer
        self.seen: list[StatusSnapshot] = []
        self.app.client.send = self._send  # type: ignore[method-assign]

    async def _send(self, batch: Batch) -> Outcome:
        await asyncio.sleep(0)
        self.seen.append(self.look())
        return self.answer(batch)

    def look(self) -> StatusSnapshot:
        return self.app.status.take(PROCESS, interval_s=15.0, loop_delay_s=0.0, restarts=0)

    def store(self, *jobs: NewJob) -> None:
        receipts = self.app.stores.accept(list(jobs))
        assert all(isinstance(each, Receipt) for each in receipts)

    async def until(self, holds: Callable[[StatusSnapshot], bool]) -> StatusSnapshot:
        async with asyncio.timeout(HANG_S):
            while not holds(told := self.look()):  # noqa: ASYNC110  # no event for every change
                await asyncio.sleep(0.005)
        return told


def _checked(snapshots: Sequence[StatusSnapshot]) -> None:
    for told in snapshots:
        assert told.totals.unaccounted == 0
        assert told.counts.depth == told.depth == told.totals.present


async def test_each_job_is_counted_in_its_state(tmp_path: Path) -> None:
    """Waiting, on its way, waiting for another attempt, parked, taken and dead."""
    answers = {"parked": DENIED, "dead": REFUSED, "again": AWAY, "taken": TAKEN}
    held = asyncio.Event()

    def answer(batch: Batch) -> Outcome:
        return answers[batch.payloads[0].text]

    stage = _Stage(tmp_path, answer, confirmation="remembered")
    answers_at_once = stage.app.client.send

    async def send(batch: Batch) -> Outcome:
        if batch.payloads[0].text == "held":
            await held.wait()
            return TAKEN
        return await answers_at_once(batch)

    stage.app.client.send = send  # type: ignore[method-assign]
    stage.app.start()
    for text in ("parked", "dead", "again", "taken", "held"):
        stage.store(job(text, session=text, key=text))
    stage.store(job("behind", session="parked", key="parked"))
    told = await stage.until(
        lambda told: told.counts == JobCounts(0, 1, 1, 2, taken=1, dead=1)  # each in its place
    )
    _checked([told, *stage.seen])
    (parked,) = told.parked_spaces
    assert (parked.reason, parked.jobs, parked.http_status) == ("quota_exhausted", 2, 402)
    parking = stage.app.parts.parking
    (park,) = parking.all()
    assert parked.space == parking.fingerprint(park.space_id)
    assert parked.since <= told.taken_at < parked.next_probe_at
    assert told.oldest_age_s is not None
    assert [(each.reason, each.count) for each in told.work.dead] == [("rejected", 1)]
    held.set()
    await stage.app.aclose()


@pytest.mark.parametrize("seed", range(4))
async def test_no_job_is_nowhere_or_twice_whatever_mem9_answers(tmp_path: Path, seed: int) -> None:
    """Accepted + adopted = delivered + dead + discarded + expired + present, at every request."""
    chance = random.Random(seed)
    left_behind(tmp_path, *(f"left {number}" for number in range(7)))
    answers = [TAKEN, TAKEN, REFUSED, AWAY, DENIED, failure(ErrorType.TOO_LARGE, status=413)]
    stage = _Stage(tmp_path, lambda batch: chance.choice(answers), **SOON)
    stage.app.start()
    for number in range(60):
        stage.store(job(f"{number % 50}", session=f"s{number % 7}", key=f"k{number % 3}"))
        await asyncio.sleep(0)
    await stage.until(lambda told: not told.depth)
    now = stage.app.clock.now()
    space_id = stage.app.storage.journal.addresses.know_space(space("k0"))
    stage.app.parts.reporting.replay(space_id, None, now)
    _checked([stage.look()])
    await stage.until(lambda told: not told.depth)
    later = stage.app.clock.now() + 100
    Retention(stage.app.storage.journal).forget_dead(later, retention_s=1.0, max_bytes=10**9)
    told = stage.look()
    await stage.app.aclose()

    _checked([told, *stage.seen])
    assert told.totals.accepted + told.totals.adopted > 50
    assert told.totals.dead == told.counts.dead == 0
    assert told.totals.expired > 0


async def test_what_mem9_lost_is_on_its_way_again(tmp_path: Path) -> None:
    """Taken back from what was delivered, so that it is there once."""
    stage = _Stage(tmp_path, lambda batch: TAKEN, confirmation="remembered")
    stage.app.start()
    stage.store(job("one"), job("two"))
    told = await stage.until(lambda told: told.counts.taken == 2)
    assert told.totals.delivered == 2
    takes = Takes(stage.app.storage.journal)
    await stage.app.halt()
    stage.app.parts.loader.reload(
        takes.lost([each.row for each in takes.all(0.0)], "server_restarted", 0)
    )
    lost = stage.look()
    await stage.app.aclose()

    assert (lost.totals.delivered, lost.totals.lost_and_sent_again, lost.depth) == (0, 2, 2)
    _checked([told, lost])


async def test_the_history_grows_by_a_point_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what was done in it."""
    stage = _Stage(tmp_path, lambda batch: TAKEN)
    stage.app.start()
    stage.store(job("one"))
    await stage.until(lambda told: not told.depth)
    stage.app.status.close_step()
    assert stage.look().history.points == ()
    now = stage.app.clock.now()
    monkeypatch.setattr(stage.app.clock, "now", lambda: now + 10.5)
    stage.app.status.close_step()
    (point,) = stage.look().history.points
    await stage.app.aclose()

    assert (point.accepted, point.delivered, point.batches, point.depth) == (1, 1, 1, 0)


async def test_an_address_is_told_without_what_may_be_secret(tmp_path: Path) -> None:
    """Scheme, host and port; what does not parse is not shown at all."""
    urls = ["https://user:pw@mem9.test:8443/space/s3cret?key=1", "http://[::1]:80", "http://[", ""]
    stage = _Stage(tmp_path, lambda batch: TAKEN)
    for url in urls:
        stage.app.parts.endpoints.admit(url, 0.0, retry=False)
    shown = [circuit.endpoint for circuit in stage.look().circuits]
    await stage.app.aclose()

    assert shown == ["https://mem9.test:8443", "http://[::1]:80", "?", "?"]


async def test_ailments_rise_when_something_gets_worse(tmp_path: Path) -> None:
    """Each in its own place, so that one that heals does not hide one that begins."""
    stage = _Stage(tmp_path, lambda batch: TAKEN)
    well = stage.app.status.ailments()
    assert set(well) == {0}
    stage.app.health.failed("delivery", "it has crashed")
    stage.app.storage.journal.file.deaths["rejected"] += 1
    worse = stage.app.status.ailments()
    await stage.app.aclose()

    assert [now - before for now, before in zip(worse, well, strict=True)] == [2, 0, 0, 0, 0, 0, 1]
