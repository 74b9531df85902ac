"""Memories from JSON lines into a space: through the durable queue, in order, and resumable.

Each line is a job with an identity of its own, in a journal beside the file: broken off and begun
again, nothing is stored twice and nothing is left out.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from mem9_async.models.errors import Mem9AsyncError, QueueFull
from mem9_async.models.job import Message, NewJob, Pinned, Receipt, Turn
from mem9_async.models.space import Lane, Space
from mem9_async.queue.journal.census import Census
from mem9_async.runtime.app import App
from mem9_async.runtime.storage.storage import open_storage
from mem9_async.settings import Settings

CONTENT_MOST_BYTES = 50_000  # mem9's own limit for a pinned memory
_TAGS_MOST = 20
_AT_ONCE = 200
_POLL_S = 0.1
_AGENT = "import"


class Unreadable(Exception):
    """The file cannot be taken; the text says which line, and what to do."""


class Line(BaseModel):
    """A memory as `memories export` writes it; what mem9 gives anew (id, times) is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    content: str
    tags: tuple[str, ...] = ()
    metadata: JsonValue = None


@dataclass(frozen=True)
class Imported:
    """Lines that mem9 has taken, those that it refused for good, and those still waiting."""

    lines: int
    dead: int
    left: int


def read(source: Path) -> list[Line]:
    """Every line of the file. Raises Unreadable, OSError; nothing was stored then."""
    found = []
    with source.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                line = Line.model_validate_json(text)
            except ValidationError as exc:
                where = exc.errors(include_url=False, include_input=False)[0]
                told = ".".join(map(str, where["loc"])) or "it"
                raise Unreadable(
                    f"line {number}: {told}: {where['msg']}. Each line is a JSON object with "
                    "content; correct it and begin again, nothing was stored."
                ) from exc
            _check(line, number)
            found.append(line)
    return found


def _check(line: Line, number: int) -> None:
    if not line.content.strip():
        raise Unreadable(f"line {number}: content is empty; take the line out.")
    if (size := len(line.content.encode())) > CONTENT_MOST_BYTES:
        raise Unreadable(
            f"line {number}: content has {size} bytes; mem9 keeps {CONTENT_MOST_BYTES}. Split it."
        )
    if len(line.tags) > _TAGS_MOST:
        raise Unreadable(f"line {number}: {len(line.tags)} tags; mem9 keeps {_TAGS_MOST}.")


def jobs(lines: list[Line], space: Space, *, extract: bool) -> Iterator[NewJob]:
    """One job a line, all of one lane: delivered in the file's order.

    Word for word, as pinned memories; with *extract*, mem9 takes facts from them as from a user's
    messages.
    """
    lane = Lane(space=space, agent_id=_AGENT, session_id=None)
    for number, line in enumerate(lines):
        digest = hashlib.sha256(line.model_dump_json().encode()).hexdigest()[:32]
        payload = (
            Turn(messages=(Message(role="user", content=line.content),))
            if extract
            else Pinned(content=line.content, tags=line.tags, metadata=line.metadata)
        )
        yield NewJob(lane=lane, payload=payload, event_id=f"import:{number}:{digest}")


def queue_of(source: Path) -> Path:
    """Where the queue of an import lies until it is done: beside the file."""
    return source.with_name(f"{source.name}.queue")


async def import_all(
    lines: list[Line],
    space: Space,
    source: Path,
    settings: Settings,
    *,
    extract: bool,
    tell: Callable[[int, int], None],
) -> Imported:
    """Store every line; *tell* is told how many were accepted and how many are on their way.

    Ends when nothing waits any more, or when all that waits is parked. Raises Unreadable when no
    queue can be kept beside the file.
    """
    own = settings.model_copy(
        update={
            "data_dir": queue_of(source),
            "confirmation": "accepted",
            "linger_ms": 0,
            "linger_max_ms": 0,
        }
    )
    storage = open_storage(own, Path.cwd())
    if storage.claim is None:
        storage.close()
        raise Unreadable(f"no queue can be kept beside {source.name}: {storage.reason}")
    app = App(own, storage)
    app.start()
    try:
        await _accept(app, list(jobs(lines, space, extract=extract)), tell)
        while app.lanes.depth and not _all_parked(app):
            tell(len(lines), app.lanes.depth)
            await asyncio.sleep(_POLL_S)
        dead = len(Census(storage.journal).dead_letters())
        left = app.lanes.depth
    finally:
        await app.aclose()
    if not left and not dead:
        await asyncio.to_thread(shutil.rmtree, queue_of(source), ignore_errors=True)
    return Imported(len(lines), dead, left)


async def _accept(app: App, given: list[NewJob], tell: Callable[[int, int], None]) -> None:
    done = 0
    while done < len(given):
        answers = app.stores.accept(given[done : done + _AT_ONCE])
        for answer in answers:
            if isinstance(answer, QueueFull):
                break  # it goes on when some have left
            if not isinstance(answer, Receipt):
                raise Unreadable(_refusal(answer))
            done += 1
        tell(done, app.lanes.depth)
        await asyncio.sleep(0 if isinstance(answers[-1], Receipt) else _POLL_S)


def _refusal(answer: Mem9AsyncError) -> str:
    return f"the queue does not take it: {answer}"


def _all_parked(app: App) -> bool:
    """Whether everything waits for something outside, so that waiting here brings nothing."""
    return bool(app.parts.parking.all()) and not app.lanes.in_flight


def left_over(source: Path) -> bool:
    """Whether an import of this file was begun and not finished."""
    return queue_of(source).is_dir()
