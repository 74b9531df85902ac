"""Whom a question goes to: every running plugin of a data directory, and every journal at rest."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, JsonValue
from pydantic_core import to_jsonable_python

from mem9_async.cli.queue import resting
from mem9_async.cli.queue.resting import Closed, Resting
from mem9_async.models.inspection import (
    ChangeAsk,
    ExportAsk,
    FindAsk,
    HoldAsk,
    ListAsk,
    Request,
    ShowAsk,
    StatusAsk,
)
from mem9_async.models.job import JobState
from mem9_async.runtime.control import client
from mem9_async.runtime.control.address import sockets
from mem9_async.runtime.desk.desk import Unanswerable
from mem9_async.runtime.storage.paths import data_directory
from mem9_async.settings import Settings


@dataclass(frozen=True)
class Reply:
    """One target's answer: `result`, or `problem` with what to do."""

    name: str
    running: bool
    result: JsonValue = None
    problem: str | None = None


@dataclass
class Replies:
    """The answers of all. `mute`: processes that have a journal open and cannot be asked."""

    answered: list[Reply] = field(default_factory=list)
    mute: list[Reply] = field(default_factory=list)

    @property
    def results(self) -> list[Reply]:
        """Those who answered."""
        return [reply for reply in self.answered if reply.problem is None]

    @property
    def problems(self) -> list[Reply]:
        """Those who refused, and those who cannot be asked."""
        return [reply for reply in self.answered if reply.problem is not None] + self.mute

    @property
    def nobody(self) -> bool:
        """Whether there is nothing to talk to."""
        return not self.answered and not self.mute


class Targets:
    """All there is in one data directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._data = data_directory(settings.data_dir, Path.cwd())

    async def ask(self, request: Request) -> Replies:
        """Ask everybody; the running ones first."""
        replies = Replies()
        paths = sockets(self._data)
        asked = await asyncio.gather(*(self._ask(path, request) for path in paths))
        replies.answered += [reply for reply in asked if reply is not None]
        busy = await self._ask_resting(request, replies)
        if busy:
            known = await self._files_of(paths) if replies.answered else set()
            replies.mute += [
                Reply(each.name, running=True, problem=each.why)
                for each in busy
                if each.name not in known
            ]
        return replies

    async def _ask(self, path: Path, request: Request) -> Reply | None:
        try:
            return Reply(path.stem, running=True, result=await client.ask(path, request))
        except client.NobodyThere:
            return None
        except client.NotDone as exc:
            return Reply(path.stem, running=True, problem=str(exc))
        except TimeoutError:
            return Reply(path.stem, running=True, problem="it does not answer: is it stuck?")

    async def _files_of(self, paths: Iterable[Path]) -> set[str]:
        found = await asyncio.gather(*(self._ask(path, StatusAsk()) for path in paths))
        told = [reply.result for reply in found if reply is not None]
        return {str(each.get("journal_file")) for each in told if isinstance(each, dict)}

    async def _ask_resting(self, request: Request, replies: Replies) -> list[Closed]:
        busy = []
        for each in resting.opened(self._settings):
            if isinstance(each, Closed):
                if each.busy:
                    busy.append(each)
                else:
                    replies.answered.append(Reply(each.name, running=False, problem=each.why))
                continue
            try:
                told = to_jsonable_python(await _answer(each, request))
                replies.answered.append(Reply(each.name, running=False, result=told))
            except Unanswerable as exc:
                replies.answered.append(Reply(each.name, running=False, problem=str(exc)))
        return busy


async def _answer(each: Resting, request: Request) -> BaseModel | dict[str, JsonValue]:
    desk = each.desk
    match request:
        case StatusAsk():
            return _standing(each)
        case ListAsk():
            return await desk.page(request)
        case ShowAsk():
            return desk.show(request)
        case FindAsk():
            return desk.find(request)
        case ChangeAsk():
            return await desk.change(request)
        case HoldAsk():
            return desk.hold(request)
        case ExportAsk():
            return desk.export(request)
    raise Unanswerable("a journal at rest has nobody to do that")


def _standing(each: Resting) -> dict[str, JsonValue]:
    counts = each.desk.selection.counts()
    waits = (JobState.AVAILABLE, JobState.IN_FLIGHT, JobState.RETRYABLE, JobState.PARKED)
    return {
        "journal_file": each.name,
        "depth": sum(counts[state] for state in waits),
        "counts": {str(state): count for state, count in counts.items()},
        "parked_spaces": [
            {
                "space": each.journal.addresses.space_name(park.space_id),
                "reason": park.reason,
                "since": park.parked_at,
                "next_probe_at": park.until,
            }
            for park in each.journal.parks.all()
        ],
    }
