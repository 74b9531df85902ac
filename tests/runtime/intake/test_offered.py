"""A store whose content is to be protected, by a mem9 that does not, does, or may not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from mem9_async.devserver.faults import Fault
from mem9_async.devserver.flavour import Generation
from mem9_async.devserver.server import DevServer
from mem9_async.models.errors import Mem9AsyncError, NotOffered
from mem9_async.models.job import JobState, NewJob, QueueCommand, Receipt
from mem9_async.models.space import Space
from mem9_async.runtime.app import App
from mem9_async.runtime.startup import begun
from tests.queue.builders import job
from tests.runtime.appkit import quick

HANG_S = 120.0


class House:
    """An app that delivers, and its mem9."""

    def __init__(self, data: Path, server: DevServer) -> None:
        self.server = server
        self.app: App = begun(quick(data), data)
        self.space = Space(base_url=server.base_url, api_key=SecretStr(server.key))
        self.app.start()

    def store(self, text: str, app_id: str | None = "shop") -> Receipt | Mem9AsyncError:
        """Have one job accepted, or refused."""
        plain = job(text)
        lane = plain.lane.model_copy(update={"space": self.space, "app_id": app_id})
        (answer,) = self.app.stores.accept([NewJob(lane=lane, payload=plain.payload)])
        return answer

    def counts(self) -> dict[JobState, int]:
        """The space's jobs by state."""
        return self.app.queue(QueueCommand(space=self.space)).counts

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for *condition*."""
        async with asyncio.timeout(HANG_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    @property
    def stored(self) -> int:
        """How many stores mem9 got."""
        return sum(each.method == "POST" for each in self.server.requests)


@pytest.fixture
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """One whose mem9 is of the generation that the test names."""
    generation: Generation = request.param
    async with DevServer(server=generation) as server:
        house = House(tmp_path, server)
        yield house
        await house.app.aclose()


@pytest.mark.parametrize("house", ["new"], indirect=True)
async def test_a_later_mem9_gets_it(house: House) -> None:
    """After the free question, and with the app in its body."""
    assert isinstance(house.store("I keep bees."), Receipt)
    await house.until(lambda: house.stored == 1)
    house.server.ingest_now()

    assert [memory.app_id for memory in house.server.memories] == ["shop"]


@pytest.mark.parametrize("house", ["old"], indirect=True)
async def test_an_older_mem9_never_gets_it(house: House) -> None:
    """The first one becomes a dead letter, to be sent again one day; the next is refused."""
    assert isinstance(house.store("I keep bees."), Receipt)
    await house.until(lambda: house.counts().get(JobState.DEAD) == 1)
    refusal = house.store("I row on lakes.")

    assert isinstance(refusal, NotOffered)
    assert refusal.code == "not_offered"
    assert house.stored == 0
    assert isinstance(house.store("I sing.", app_id=None), Receipt)
    await house.until(lambda: house.stored == 1)


@pytest.mark.parametrize("house", ["new"], indirect=True)
async def test_where_it_cannot_be_told_it_waits_and_holds_up_nobody(house: House) -> None:
    """A proxy answers every question with a page of its own."""
    house.server.faults.add(
        Fault(times=None, method="GET", path="/mem9s/memories", status=404, body="<html>no</html>")
    )
    assert isinstance(house.store("I keep bees."), Receipt)
    assert isinstance(house.store("I sing.", app_id=None), Receipt)
    await house.until(lambda: house.counts().get(JobState.RETRYABLE) == 1 and house.stored == 1)

    trouble = house.app.queue(QueueCommand(space=house.space)).trouble
    assert trouble is None or trouble.reason == "not_proven"
    (failed,) = house.app.queue(QueueCommand(space=house.space)).last_errors
    assert failed.error_type == "not_proven"
