"""What was accepted while something happened to the host, and what of it mem9 got."""

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from pydantic import BaseModel, JsonValue

from benchmarks.host.daemon import Daemon, Refused
from mem9_async.devserver.server import DevServer

_GAP_S = 0.01
_DRAIN_S = 180.0
_BACK_S = 120.0
_LOOK_S = 0.2


class _Stored(BaseModel):
    """The part of a store's JSON that counts here."""

    accepted: bool = False


@dataclass
class Storing:
    """Stores about a hundred times a second, and remembers what was accepted."""

    daemon: Daemon
    plugin: str
    credentials: Mapping[str, JsonValue]
    word: str
    accepted: set[str] = field(default_factory=set)
    refused: int = 0

    async def while_(self, happening: Awaitable[None]) -> None:
        """Store until *happening* is over, and a little longer."""
        ending = asyncio.Event()
        storing = asyncio.create_task(self._store(ending))
        try:
            await happening
            await asyncio.sleep(3)
        finally:
            ending.set()
            await storing

    async def _store(self, ending: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                if ending.is_set():
                    return
                group.create_task(self._one(f"{self.word} {number}"))
                await asyncio.sleep(_GAP_S)

    async def _one(self, text: str) -> None:
        number = int(text.rpartition(" ")[2])
        given: dict[str, JsonValue] = {"content": text, "session_id": f"{self.word}-{number % 25}"}
        try:
            async with asyncio.timeout(30):
                said = await self.daemon.invoke(
                    self.plugin, "memory_store", given, self.credentials
                )
        except (Refused, aiohttp.ClientError, TimeoutError):
            self.refused += 1
            return
        for message in said:
            body = message.get("message")
            told = body.get("json_object") if isinstance(body, dict) else None
            if told is not None and _Stored.model_validate(told).accepted:
                self.accepted.add(text)

    async def outcome(self, mem9: DevServer) -> "Outcome":
        """Wait until all that was accepted is there, then count."""
        ends_at = asyncio.get_running_loop().time() + _DRAIN_S
        while asyncio.get_running_loop().time() < ends_at:
            found = Counter(_texts(mem9))
            if self.accepted <= found.keys():
                break
            await asyncio.sleep(0.5)
        return Outcome(
            len(self.accepted),
            self.refused,
            sum(not found[text] for text in self.accepted),
            sum(found[text] > 1 for text in self.accepted),
        )


@dataclass(frozen=True)
class Outcome:
    """Stores accepted, refused while nobody was there, missing at mem9, and there twice."""

    accepted: int
    refused: int
    missing: int
    twice: int


async def killed(daemon: Daemon, name: str, times: int) -> None:
    """Kill the plugin's process *times* times, each once it is back."""
    await asyncio.sleep(4)  # an upgrade may have left two of them for a while
    for _ in range(times):
        os.kill(await _until(lambda: daemon.plugin_pid(name)), signal.SIGKILL)
        await asyncio.sleep(5)
    await _until(lambda: daemon.plugin_pid(name))
    await asyncio.sleep(6)


async def _until(look: Callable[[], int | None]) -> int:
    for _ in range(int(_BACK_S / _LOOK_S)):
        if (found := look()) is not None:
            return found
        await asyncio.sleep(_LOOK_S)
    raise TimeoutError(f"no process of the plugin within {_BACK_S:g} s")


class _Message(BaseModel):
    content: str = ""


class _Taken(BaseModel):
    """The part of a store's body that counts here."""

    messages: tuple[_Message, ...] = ()


def _texts(mem9: DevServer) -> Iterator[str]:
    """Every message that mem9 took, as often as it did."""
    for record in mem9.requests:
        if record.method == "POST" and record.status in (200, 202):
            yield from (each.content for each in _Taken.model_validate_json(record.body).messages)
