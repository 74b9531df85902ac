"""A full disk while the server is up: stores are delivered before they are answered, in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mem9_async.models.batch import Batch
from mem9_async.models.errors import Unwritable
from mem9_async.models.job import NewJob, QueueCommand, Receipt
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.runtime.app import App
from mem9_async.runtime.storage.storage import open_storage
from tests.queue.builders import failure, job, space
from tests.queue.rack import TAKEN
from tests.runtime.appkit import quick
from tests.runtime.patched import run


class _House:
    """An app on *data*; its mem9 answers *answer* once it may."""

    def __init__(self, data: Path, **settings: object) -> None:
        chosen = quick(data, **settings)
        self.app = App(chosen, open_storage(chosen, data))
        self.answer: Outcome = TAKEN
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked: list[str] = []
        self.sent: list[str] = []
        self.under_way = self.most_under_way = 0
        self.app.client.send = self._send  # type: ignore[method-assign]

    async def _send(self, batch: Batch) -> Outcome:
        texts = [payload.text for payload in batch.payloads]
        self.asked += texts
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        await self.may_answer.wait()
        self.under_way -= 1
        if self.answer.ok:
            self.sent += texts
        return self.answer

    @asynccontextmanager
    async def running(self) -> AsyncIterator["_House"]:
        """Deliver inside the block; hang guard included."""
        self.app.start()
        try:
            async with asyncio.timeout(60):
                yield self
        finally:
            await self.app.aclose()

    def fill_the_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on the disk has room for outcomes only."""
        reserve = self.app.storage.reserve
        assert reserve
        monkeypatch.setattr(reserve, "restore", lambda: False)
        reserve.release()

    def refused(self, new: NewJob) -> Unwritable:
        """How the journal refuses *new*."""
        (answer,) = self.app.stores.accept([new])
        assert isinstance(answer, Unwritable)
        return answer

    async def store(self, new: NewJob) -> Receipt:
        """Store *new* as the plugin does when the journal has refused it."""
        return await self.app.stores.unkept(new, self.refused(new))


def _is_delivered(receipt: Receipt) -> bool:
    return bool(receipt.outcome and receipt.outcome.ok and not receipt.kept)


async def test_a_store_is_delivered_before_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the answer says that nothing was kept, and why; with `wait` just so."""
    async with _House(tmp_path).running() as house:
        house.fill_the_disk(monkeypatch)

        receipt = await house.store(job("a"))
        waited = await house.app.stores.and_wait(job("b").model_copy(update={"wait": True}))

        assert house.sent == ["a", "b"]
        for each in (receipt, waited):
            assert _is_delivered(each)
            assert (each.durability, each.durability_reason) == ("none", "the disk is full")


async def test_a_disk_that_fills_up_in_a_commit_is_no_different(tmp_path: Path) -> None:
    """SQLite itself says that there is no room."""
    async with _House(tmp_path).running() as house:
        db = house.app.storage.journal.file.db
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}").fetchall()

        receipt = await house.app.stores.and_wait(job("a" * 40_000))

        assert _is_delivered(receipt)
        assert len(house.sent) == 1


async def test_what_its_lane_holds_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it still waited for company; other lanes are not waited for."""
    async with _House(tmp_path, linger_ms=60_000, linger_max_ms=60_000).running() as house:
        house.app.stores.accept([job("before 1"), job("before 2")])
        house.fill_the_disk(monkeypatch)
        house.may_answer.clear()
        stores = [asyncio.create_task(house.store(job(text))) for text in ("a", "b")]
        other = asyncio.create_task(house.store(job("other", session="another")))
        while len(house.asked) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert sorted(house.asked) == ["before 1", "before 2", "other"]

        house.may_answer.set()

        assert all(map(_is_delivered, await asyncio.gather(*stores, other)))
        assert [text for text in house.sent if text != "other"] == [
            "before 1",
            "before 2",
            "a",
            "b",
        ]


@pytest.mark.parametrize(
    ("answer", "session"),
    [
        (failure(ErrorType.QUOTA_EXHAUSTED, status=402), "another"),  # the whole space is parked
        (failure(ErrorType.UNAVAILABLE, status=503), "conv-1"),  # what is before it fails
    ],
)
async def test_it_is_refused_where_it_could_not_be_delivered_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Outcome, session: str
) -> None:
    """At once, and nothing is sent."""
    async with _House(tmp_path).running() as house:
        house.answer = answer
        house.app.stores.accept([job("before")])
        while house.app.queue(QueueCommand(space=space())).trouble is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        house.fill_the_disk(monkeypatch)

        with pytest.raises(Unwritable) as caught:
            await house.store(job("a", session))

        assert caught.value.code == "disk_full"
        assert "a" not in house.asked


async def test_it_is_refused_when_what_is_before_it_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent then: the answer may say so."""
    async with _House(tmp_path, wait_timeout_ms=1_000).running() as house:
        house.may_answer.clear()
        house.app.stores.accept([job("before")])
        house.fill_the_disk(monkeypatch)

        with pytest.raises(Unwritable):
            await house.store(job("a"))

        assert house.asked == ["before"]


async def test_so_many_of_one_space_are_under_way_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as the queue itself would send."""
    async with _House(tmp_path, max_in_flight_per_space=2).running() as house:
        house.fill_the_disk(monkeypatch)

        receipts = await asyncio.gather(*(house.store(job(f"{n}", f"s{n}")) for n in range(10)))

        assert all(map(_is_delivered, receipts))
        assert house.most_under_way == 2


def test_the_plugin_takes_that_way_by_itself(tmp_path: Path) -> None:
    """A call that is not asked to wait comes back with mem9's word."""
    out = run(
        """
import dify_plugin, sys
from pathlib import Path
from mem9_async.runtime.plugin import Plugin
from mem9_async.settings import Settings
from tests.queue.builders import job
from tests.queue.rack import TAKEN

plugin = Plugin(Settings(data_dir=Path(sys.argv[1])), Path.cwd())
plugin.start()
app = plugin._running.app

async def send(batch):
    return TAKEN

async def fill():
    app.client.send = send
    app.storage.reserve.restore = lambda: False
    app.storage.reserve.release()

plugin._thread.call(fill, timeout_s=5)
receipt = plugin.store(job("a"))
print("kept", receipt.kept, receipt.outcome.ok, receipt.durability_reason)
""",
        str(tmp_path),
    )
    assert "kept False True the disk is full" in out
