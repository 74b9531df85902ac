"""Keys that come, go and are replaced, in the whole asynchronous half around a scripted mem9."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from mem9_async.models.batch import Batch
from mem9_async.models.job import Message, NewJob, QueueCommand, Receipt, Turn
from mem9_async.models.memory import KeyState, SearchQuery, SearchResult
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.models.space import Lane, Space
from mem9_async.queue.records import Park
from mem9_async.runtime.app import App
from mem9_async.runtime.storage.storage import open_storage
from mem9_async.settings import Settings

TAKEN = Outcome(confirmation=Confirmation.ACCEPTED, http_status=202)
REFUSED = Outcome(error_type=ErrorType.AUTH, http_status=401, error="mem9 request failed")
DENIED = Outcome(error_type=ErrorType.QUOTA_EXHAUSTED, http_status=402, error="no quota")
HOUR_S = 3600.0


class _House:
    """An app on *data*, and what its mem9 has been sent. *refused* are keys mem9 does not take."""

    def __init__(self, data: Path, **settings: Any) -> None:
        quick = {"linger_ms": 0, "adopt_interval_ms": 50, "stats_interval_ms": 100, **settings}
        self.settings = Settings(data_dir=data, confirmation="accepted", **quick)
        self.app = App(self.settings, open_storage(self.settings, data))
        self.sent: list[str] = []
        self.requests = 0
        self.refused: set[str] = set()
        self.app.client.send = self._send  # type: ignore[method-assign]
        self.app.client.key_state = self._key_state  # type: ignore[method-assign]

    async def _send(self, batch: Batch) -> Outcome:
        self.requests += 1
        if batch.lane.space.key in self.refused:
            return REFUSED
        self.sent.extend(payload.text for payload in batch.payloads)
        return TAKEN

    async def _key_state(self, space: Space) -> KeyState:
        return KeyState.INACTIVE if space.key in self.refused else KeyState.ACTIVE

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver inside the block; the journal is closed after it, undrained."""
        self.app.start()
        try:
            yield
        finally:
            await self.app.aclose()

    def store(self, *jobs: NewJob) -> list[Receipt]:
        """Store *jobs*, all of which must be taken."""
        receipts = self.app.stores.accept(list(jobs))
        assert all(isinstance(each, Receipt) for each in receipts)
        return [each for each in receipts if isinstance(each, Receipt)]

    def reason(self, key: str = "k") -> str | None:
        """For what the space waits, as its queue report says."""
        return self.app.queue(QueueCommand(space=_space(key))).parked_reason


def _space(key: str = "k") -> Space:
    return Space(base_url="http://mem9.test", api_key=SecretStr(key))


def _job(text: str, session: str = "s", *, key: str = "k", owner: str | None = None) -> NewJob:
    lane = Lane(space=_space(key), agent_id="dify", session_id=session)
    payload = Turn(messages=(Message(role="user", content=text),))
    return NewJob(lane=lane, payload=payload, owner=owner)


async def _until(condition: Callable[[], bool], within_s: float = 120.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  the app tells nobody
            await asyncio.sleep(0.01)


def _left_behind(data: Path, *jobs: NewJob, **settings: object) -> None:
    """Jobs that a process accepted before it was killed."""
    house = _House(data, **settings)
    house.store(*jobs)
    house.app.storage.close()


async def _by_an_equal_job(house: _House) -> None:
    assert house.store(_job("one"))[0].deduplicated


async def _by_another_job(house: _House) -> None:
    house.store(_job("another"))


async def _by_a_look_at_the_queue(house: _House) -> None:
    assert house.reason() == "key_missing"


async def _by_a_flush(house: _House) -> None:
    assert house.app.queue(QueueCommand(space=_space(), action="flush")).affected == 2


async def _by_a_search(house: _House) -> None:
    async def nothing(query: SearchQuery, *, timeout_s: float | None = None) -> SearchResult:
        assert timeout_s
        return SearchResult(effective_query=query.query, memories=(), available=0)

    house.app.client.search = nothing  # type: ignore[method-assign]
    query = SearchQuery(space=_space(), caller_agent_id="dify", query="one")
    found = await house.app.search(query, include_pending=True, second=None)
    assert [each.content for each in found.pending] == ["one"]


async def _by_a_validation(house: _House) -> None:
    async def fine(space: Space, caller_agent_id: str) -> None:
        del space, caller_agent_id
        return None

    house.app.client.validate = fine  # type: ignore[method-assign]
    await house.app.validate(_space(), "dify")


class TestMissing:
    """Keys that are not kept over a restart."""

    @pytest.mark.parametrize(
        "bring",
        [
            _by_an_equal_job,
            _by_another_job,
            _by_a_look_at_the_queue,
            _by_a_flush,
            _by_a_search,
            _by_a_validation,
        ],
    )
    async def test_any_call_that_brings_the_key_sends_what_waits_for_it(
        self, tmp_path: Path, bring: Callable[[_House], Awaitable[None]]
    ) -> None:
        """At once, and every lane of the space."""
        _left_behind(tmp_path, _job("one"), _job("two", "other"), persist_keys=False)
        house = _House(tmp_path, persist_keys=False)
        async with house.running():
            await asyncio.sleep(0.1)
            assert (house.sent, house.app.lanes.depth) == ([], 2)

            await bring(house)

            await _until(lambda: {"one", "two"} <= set(house.sent))
            await _until(lambda: house.reason() is None)

    async def test_the_first_answer_says_that_older_jobs_waited(self, tmp_path: Path) -> None:
        """Why, and how many; the next one has nothing to tell."""
        _left_behind(tmp_path, _job("one"), persist_keys=False)
        house = _House(tmp_path, persist_keys=False)
        async with house.running():
            (receipt,) = house.store(_job("another"))
            assert receipt.trouble
            assert (receipt.trouble.state, receipt.trouble.reason) == ("parked", "key_missing")
            assert receipt.trouble.held == 2
            await _until(lambda: len(house.sent) == 2)
            await _until(lambda: house.store(_job("more"))[0].trouble is None)

    async def test_a_key_that_is_refused_when_it_comes_parks_as_any_other(
        self, tmp_path: Path
    ) -> None:
        """From the first step on."""
        _left_behind(tmp_path, _job("one"), persist_keys=False)
        house = _House(tmp_path, persist_keys=False)
        house.refused.add("k")
        async with house.running():
            house.reason()
            await _until(lambda: house.reason() == "auth")
            (park,) = house.app.parts.parking.all()
            assert (park.step, house.requests) == (0, 1)
            assert 25.0 < park.until - house.app.clock.now() <= 30.0


class TestReplaced:
    """A refused key and the one that comes after it."""

    async def test_a_backlog_whose_key_is_unknown_is_not_dropped(self, tmp_path: Path) -> None:
        """The new key is good, the old one was refused and is not there: everything stays."""
        house = _House(tmp_path, persist_keys=False)
        house.refused.add("old")
        async with house.running():
            house.store(_job("one", key="old", owner="an app"))
            await _until(lambda: house.reason("old") == "auth")
        again = _House(tmp_path, persist_keys=False)
        again.refused.add("old")
        async with again.running():
            again.store(_job("two", key="new", owner="an app"))
            await _until(lambda: again.sent == ["two"])
            await asyncio.sleep(0.2)
            assert again.app.lanes.depth == 1

            assert again.reason("old") == "auth"
            again.store(_job("three", key="newer", owner="an app"))
            await _until(lambda: sorted(again.sent) == ["one", "three", "two"])

    async def test_the_new_key_delivers_the_backlog_without_waiting_for_a_probe(
        self, tmp_path: Path
    ) -> None:
        """Row 16, although it was looked for just before."""
        house = _House(tmp_path, park_auth_initial=3_600.0, park_auth_max=3_600.0)
        house.refused.add("old")
        async with house.running():
            house.store(*(_job(f"{n}", f"s{n}", key="old", owner="an app") for n in range(20)))
            await _until(lambda: house.reason("old") == "auth")
            house.store(_job("more", key="old", owner="an app"))
            house.store(_job("new", key="new", owner="an app"))
            await _until(lambda: len(house.sent) == 22)
            assert house.reason("old") is None

    async def test_a_refused_key_costs_others_no_look_for_each_of_their_jobs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once every few seconds for each parked space."""
        house = _House(tmp_path)
        house.refused.add("old")
        async with house.running():
            house.store(_job("beside", key="beside", owner="an app"))
            house.store(_job("one", key="old", owner="an app"))
            await _until(lambda: house.reason("old") == "auth")
            looks: list[int] = []

            def look(space_id: int, *, any_key: bool) -> None:
                assert any_key
                looks.append(space_id)

            monkeypatch.setattr(house.app.parts.rotation._readdress, "successor", look)
            for number in range(200):
                house.store(_job(f"{number}", key="beside", owner="an app"))
            assert len(looks) <= 1


class TestAdopted:
    """Parks that come with the journal of another process."""

    def _orphan(self, house: _House, data: Path, *, held: list[str]) -> None:
        storage = open_storage(house.settings, data)
        now = time.time() - HOUR_S
        (gone, *_) = storage.journal.append([_job("gone"), *map(_job, held)], now)
        batch = storage.journal.freeze(gone.lane_id, max_jobs=1, max_bytes=1_000, now=now)
        assert batch
        storage.journal.bury(batch.row, DENIED, now=now)
        reason = "quota_exhausted"
        until = now + 6 * HOUR_S
        storage.journal.parks.put(Park(gone.space_id, reason, now, until, 5, DENIED))
        storage.close()

    async def test_a_space_that_is_served_is_not_parked(self, tmp_path: Path) -> None:
        """What this process knows of it is newer."""
        house = _House(tmp_path)
        async with house.running():
            house.store(_job("fine"))
            await _until(lambda: house.sent == ["fine"])
            self._orphan(house, tmp_path, held=["held"])
            await _until(lambda: "held" in house.sent)
            assert house.reason() is None
            house.store(_job("next", "another"))
            await _until(lambda: "next" in house.sent)

    async def test_a_park_that_holds_nothing_does_not_come_along(self, tmp_path: Path) -> None:
        """Its jobs have all left: nothing says that it would still hold."""
        house = _House(tmp_path)
        async with house.running():
            await asyncio.sleep(0.1)
            self._orphan(house, tmp_path, held=[])
            db = house.app.storage.journal.file.db
            await _until(lambda: db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 1)
            house.store(_job("next", "another"))
            await _until(lambda: house.sent == ["next"])

    async def test_an_unknown_space_is_held_before_its_first_job_goes(self, tmp_path: Path) -> None:
        """No request tells what is known already."""
        house = _House(tmp_path)
        async with house.running():
            await asyncio.sleep(0.1)
            self._orphan(house, tmp_path, held=["held"])
            await _until(lambda: house.app.lanes.depth == 1)
            await asyncio.sleep(0.2)
            assert house.requests == 0
            assert house.reason() == "quota_exhausted"

    async def test_a_key_in_memory_only_comes_with_the_jobs_that_need_it(
        self, tmp_path: Path
    ) -> None:
        """The orphan kept its key on the disk; this process does not, and delivers all the same."""
        house = _House(tmp_path, persist_keys=False)
        async with house.running():
            await asyncio.sleep(0.1)
            orphan = open_storage(Settings(data_dir=tmp_path), tmp_path)
            orphan.journal.append([_job("held")], time.time())
            orphan.close()
            await _until(lambda: house.sent == ["held"])
            db = house.app.storage.journal.file.db
            rows = db.execute("SELECT digest, sealed FROM spaces").fetchall()
            unseal = house.app.storage.sealer.unseal
            assert all(b'"k"' not in unseal(sealed, b"space" + each) for each, sealed in rows)
