"""A corrected base URL takes the backlog of the old one along, around a scripted mem9."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from mem9_async.models.batch import Batch
from mem9_async.models.errors import RequestFailed
from mem9_async.models.job import (
    JobState,
    Message,
    NewJob,
    QueueCommand,
    QueueReport,
    Receipt,
    Turn,
)
from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import Confirmation, ErrorType, Outcome
from mem9_async.models.space import Lane, Space
from mem9_async.runtime.app import App
from mem9_async.runtime.storage.storage import open_storage
from mem9_async.settings import Settings
from tests.queue.builders import failure

TAKEN = Outcome(confirmation=Confirmation.ACCEPTED, http_status=202)
WRONG, RIGHT = "http://wrong.test", "http://right.test"
APP = "an app"
DEAF = failure(ErrorType.CONNECTION_REFUSED)
NOT_THERE = failure(ErrorType.NOT_FOUND, status=404)
REJECTED = failure(ErrorType.REJECTED, status=400)


class _House:
    """An app on *data*; `answers` is what each address says (else it takes), `sent` what it got."""

    def __init__(self, data: Path, **settings: Any) -> None:
        quick = {"linger_ms": 0, "adopt_interval_ms": 50, "retry_max_backoff_ms": 50, **settings}
        self.settings = Settings(data_dir=data, confirmation="accepted", **quick)
        self.app = App(self.settings, open_storage(self.settings, data))
        self.answers: dict[str, Outcome] = {WRONG: DEAF}
        self.unknown: set[str] = set()  # addresses where the key is not active
        self.held: dict[str, asyncio.Event] = {}  # addresses that answer once this is set
        self.sent: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.app.client.send = self._send  # type: ignore[method-assign]
        self.app.client.key_state = self._key_state  # type: ignore[method-assign]
        self.app.client.validate = self._validate  # type: ignore[method-assign]

    async def _send(self, batch: Batch) -> Outcome:
        url = batch.lane.space.base_url
        self.asked.append(url)
        if (held := self.held.get(url)) is not None:
            await held.wait()
        answer = self.answers.get(url, TAKEN)
        if answer.ok:
            self.sent += [(url, payload.text) for payload in batch.payloads]
        return answer

    async def _key_state(self, space: Space) -> KeyState:
        del space
        return KeyState.ACTIVE

    async def _validate(self, space: Space, caller_agent_id: str) -> None:
        del caller_agent_id
        await asyncio.sleep(0)
        answer = self.answers.get(space.base_url, TAKEN)
        if space.base_url in self.unknown or not answer.ok:
            raise RequestFailed(answer)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["_House"]:
        """Deliver inside the block; the journal is closed after it, undrained."""
        self.app.start()
        try:
            yield self
        finally:
            await self.app.aclose()

    def store(self, *jobs: NewJob) -> list[Receipt]:
        """Store *jobs*, all of which must be taken."""
        receipts = self.app.stores.accept(list(jobs))
        assert all(isinstance(each, Receipt) for each in receipts)
        return [each for each in receipts if isinstance(each, Receipt)]

    def queue(self, url: str, action: str = "status", **more: object) -> QueueReport:
        """What memory_queue says at the address."""
        command = {"space": _space(url), "action": action, "owner": APP, **more}
        return self.app.queue(QueueCommand.model_validate(command))

    def texts(self, url: str = RIGHT) -> list[str]:
        """What the address has got, in order."""
        return [text for at, text in self.sent if at == url]

    async def failing(self, url: str = WRONG, *, times: int = 1) -> None:
        """Wait until the address has failed so often, and that is known."""
        await _until(lambda: self.asked.count(url) >= times and self.queue(url).trouble is not None)


def _space(url: str, key: str = "k") -> Space:
    return Space(base_url=url, api_key=SecretStr(key))


def _job(
    text: str, url: str, session: str = "s", *, key: str = "k", owner: str | None = APP
) -> NewJob:
    lane = Lane(space=_space(url, key), agent_id="dify", session_id=session)
    return NewJob(
        lane=lane, payload=Turn(messages=(Message(role="user", content=text),)), owner=owner
    )


async def _until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  the app tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "error_type",
    [
        ErrorType.DNS_ERROR,
        ErrorType.CONNECTION_REFUSED,
        ErrorType.TLS_ERROR,
        ErrorType.READ_TIMEOUT,
        ErrorType.SERVER_ERROR,
        ErrorType.INVALID_RESPONSE,
        ErrorType.REDIRECT,
        ErrorType.NOT_FOUND,
        ErrorType.AUTH,
    ],
)
async def test_the_backlog_follows_in_order_and_in_front(
    tmp_path: Path, error_type: ErrorType
) -> None:
    """Whatever the old address said; every conversation, and nothing is sent there any more."""
    async with _House(tmp_path).running() as house:
        house.answers[WRONG] = failure(error_type)
        house.store(*(_job(f"{n}", WRONG, f"s{n % 3}") for n in range(9)))
        await house.failing()

        house.store(*(_job(f"new {n}", RIGHT, f"s{n}") for n in range(3)))

        await _until(lambda: len(house.texts()) == 12)
        for n in range(3):
            in_order = [f"{n}", f"{n + 3}", f"{n + 6}", f"new {n}"]
            assert [text for text in house.texts() if text in in_order] == in_order
        assert house.app.lanes.depth == 0
        assert house.queue(WRONG).trouble is None


async def test_a_store_that_waits_goes_by_itself_and_proves_the_address(tmp_path: Path) -> None:
    """Its outcome is what is asked for; the backlog is in front of all that comes after it."""
    async with _House(tmp_path).running() as house:
        house.store(_job("old", WRONG))
        await house.failing()
        house.held[RIGHT] = asyncio.Event()
        waits = asyncio.create_task(
            house.app.stores.and_wait(_job("waits", RIGHT).model_copy(update={"wait": True}))
        )
        await _until(lambda: RIGHT in house.asked)
        house.store(_job("new", RIGHT))
        house.held[RIGHT].set()

        receipt = await waits

        assert receipt.outcome
        assert receipt.outcome.ok
        await _until(lambda: len(house.texts()) == 3)
        assert house.texts() == ["waits", "old", "new"]


async def test_trouble_at_several_addresses_follows_the_first_that_takes_a_store(
    tmp_path: Path,
) -> None:
    """Each wrong try keeps its own until then, and none of them is asked for the others."""
    async with _House(tmp_path).running() as house:
        for number in range(5):
            url = f"http://wrong-{number}.test"
            house.answers[url] = NOT_THERE
            house.store(_job(f"old {number}", url))
            await house.failing(url)

        house.store(_job("new", RIGHT))

        await _until(lambda: len(house.texts()) == 6)
        assert house.texts() == ["new", *(f"old {number}" for number in range(5))]


async def test_a_backlog_follows_only_once_the_new_address_is_good(tmp_path: Path) -> None:
    """It stays while the space cannot be read there, whatever its key's state is."""
    async with _House(tmp_path).running() as house:
        house.answers[WRONG] = NOT_THERE
        house.unknown.add(RIGHT)
        house.answers[RIGHT] = failure(ErrorType.UNAVAILABLE, status=503)
        house.store(_job("old", WRONG))
        await house.failing()
        house.store(_job("new", RIGHT))
        await house.failing(RIGHT)
        assert house.queue(WRONG).depth == 1

        house.answers[RIGHT] = TAKEN

        await _until(lambda: house.texts() == ["new", "old"])


@pytest.mark.parametrize(
    "error_type", [ErrorType.QUOTA_EXHAUSTED, ErrorType.CONFLICT, ErrorType.RATE_LIMITED]
)
async def test_an_address_whose_mem9_knows_the_space_keeps_its_backlog(
    tmp_path: Path, error_type: ErrorType
) -> None:
    """It was no wrong one."""
    async with _House(tmp_path).running() as house:
        house.answers[WRONG] = failure(error_type)
        house.store(_job("old", WRONG))
        await house.failing()

        house.store(_job("new", RIGHT))
        await _until(lambda: house.texts() == ["new"])
        house.queue(RIGHT, "flush")
        house.store(_job("more", RIGHT))

        await _until(lambda: house.texts() == ["new", "more"])
        assert house.queue(WRONG).depth == 1


async def test_what_is_on_its_way_to_the_old_address_ends_there_first(tmp_path: Path) -> None:
    """Moved under it, it could be sent twice at once."""
    async with _House(tmp_path).running() as house:
        house.store(_job("old", WRONG), _job("other", WRONG, "another"))
        await house.failing()
        house.held[WRONG] = asyncio.Event()
        asked = len(house.asked)
        await _until(lambda: len(house.asked) > asked)  # and this one is not answered
        house.store(_job("new", RIGHT))
        await _until(lambda: "new" in house.texts())
        assert house.texts() == ["new"]

        house.held[WRONG].set()

        await _until(lambda: sorted(house.texts()) == ["new", "old", "other"])


async def test_two_addresses_used_side_by_side_keep_their_jobs(tmp_path: Path) -> None:
    """The second one was in use before the last job of the first, which had worked."""
    async with _House(tmp_path).running() as house:
        house.answers[WRONG] = TAKEN
        house.store(_job("a", WRONG))
        await _until(lambda: house.texts(WRONG) == ["a"])
        house.store(_job("b", RIGHT))
        house.answers[WRONG] = NOT_THERE
        house.store(_job("c", WRONG))
        await house.failing(times=2)

        house.store(_job("d", RIGHT))
        house.queue(RIGHT, "flush")

        await _until(lambda: house.texts() == ["b", "d"])
        assert house.queue(WRONG).depth == 1


async def test_a_slip_is_taken_back_by_the_address_of_before(tmp_path: Path) -> None:
    """Nothing has ever arrived at the wrong one."""
    async with _House(tmp_path).running() as house:
        house.store(_job("before", RIGHT))
        house.store(_job("slip", WRONG))
        await house.failing()

        house.store(_job("after", RIGHT))

        await _until(lambda: house.texts() == ["before", "slip", "after"])


@pytest.mark.parametrize(
    "new",
    [
        _job("new", RIGHT, owner="another app"),
        _job("new", RIGHT, owner=None),
        _job("new", RIGHT, key="another"),
        _job("new", WRONG, key="another"),
    ],
)
async def test_nothing_follows_another_app_or_another_key(tmp_path: Path, new: NewJob) -> None:
    """A key that was never refused is replaced by no other."""
    async with _House(tmp_path).running() as house:
        house.answers[WRONG] = NOT_THERE
        house.store(_job("old", WRONG))
        await house.failing()
        house.answers[WRONG] = TAKEN  # at the next probe, in an hour

        house.store(new)

        await _until(lambda: [text for _, text in house.sent] == ["new"])
        house.store(new.model_copy(update={"payload": _job("more", RIGHT).payload}))
        await _until(lambda: [text for _, text in house.sent] == ["new", "more"])
        assert house.queue(WRONG).depth == 1


@pytest.mark.parametrize("persist_keys", [True, False])
async def test_it_follows_after_a_restart_too(tmp_path: Path, persist_keys: bool) -> None:
    """Also where the key was not kept: the call that brings it for the new address is enough."""
    async with _House(tmp_path, persist_keys=persist_keys).running() as house:
        house.store(_job("old", WRONG))
        await house.failing()
    async with _House(tmp_path, persist_keys=persist_keys).running() as house:
        if persist_keys:
            await house.failing()

        house.store(_job("new", RIGHT))

        await _until(lambda: sorted(house.texts()) == ["new", "old"])


class TestDeadLetters:
    """What became a dead letter at the old address."""

    async def test_retry_dead_with_the_new_address_reaches_them(self, tmp_path: Path) -> None:
        """Before anything was stored there, one by its number or all."""
        async with _House(tmp_path).running() as house:
            house.answers[WRONG] = REJECTED
            first, *_ = house.store(*(_job(f"{n}", WRONG, f"s{n}") for n in range(3)))
            await _until(lambda: house.queue(WRONG).counts[JobState.DEAD] == 3)

            report = house.queue(RIGHT, "retry_dead", job_id=first.job_id)

            assert report.affected == 1
            await _until(lambda: house.texts() == ["0"])
            assert house.queue(RIGHT).counts[JobState.DEAD] == 2
            assert house.queue(RIGHT, "retry_dead").affected == 2
            await _until(lambda: sorted(house.texts()) == ["0", "1", "2"])

    async def test_they_come_along_with_the_backlog(self, tmp_path: Path) -> None:
        """And are told at the new address, not at the old one."""
        async with _House(tmp_path).running() as house:
            house.answers[WRONG] = REJECTED
            house.store(_job("dead", WRONG))
            await _until(lambda: house.queue(WRONG).counts[JobState.DEAD] == 1)
            house.answers[WRONG] = NOT_THERE
            house.store(_job("old", WRONG))
            await house.failing(times=2)

            house.store(_job("new", RIGHT))

            await _until(lambda: house.texts() == ["old", "new"])
            trouble = house.queue(RIGHT).trouble
            assert trouble
            assert trouble.dead == 1
            assert house.queue(WRONG).trouble is None

    async def test_nobody_else_reaches_them(self, tmp_path: Path) -> None:
        """Neither another app, nor a node's own key, nor another key."""
        async with _House(tmp_path).running() as house:
            house.answers[WRONG] = REJECTED
            house.store(_job("dead", WRONG))
            await _until(lambda: house.queue(WRONG).counts[JobState.DEAD] == 1)

            for more in ({"owner": "another"}, {"owner": None}, {"space": _space(RIGHT, "other")}):
                assert house.queue(RIGHT, "retry_dead", **more).affected == 0

            assert house.queue(WRONG).counts[JobState.DEAD] == 1


async def test_flush_at_the_new_address_sends_the_backlog_of_the_old(tmp_path: Path) -> None:
    """Nothing need be stored there first."""
    async with _House(tmp_path).running() as house:
        house.store(_job("old", WRONG))
        await house.failing()

        house.queue(RIGHT, "flush")

        await _until(lambda: house.texts() == ["old"])
