"""`queue export` and `queue import`: jobs as JSON lines, out of every journal and back into one."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from mem9_async.cli.queue import resting
from mem9_async.cli.queue.targets import Replies, Targets
from mem9_async.models.inspection import ExportAsk, Exported, ExportedJob
from mem9_async.queue.claims import claim_new, prepare
from mem9_async.queue.journal import JournalError
from mem9_async.queue.journal.transfer import Foreign, Transfer
from mem9_async.settings import Settings

_PAGE = 200


class Unreadable(Exception):
    """The file cannot be taken; the text says which line, and what to do."""


async def export(targets: Targets, out: Path | None, *, content: bool) -> tuple[int, Replies]:
    """Write the jobs of all targets, each target's oldest first; how many."""
    if out is None:
        return await _export(targets, sys.stdout, content=content)
    draft = out.with_name(f".{out.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            draft.chmod(0o600)
            written = await _export(targets, file, content=content)
        draft.replace(out)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return written


async def _export(targets: Targets, file: TextIO, *, content: bool) -> tuple[int, Replies]:
    written, after = 0, None
    places: dict[str, int | None] = {}
    while True:
        replies = await targets.ask(ExportAsk(after=after, limit=_PAGE, content=content))
        for reply in replies.results:
            page = Exported.model_validate(reply.result)
            for job in page.jobs:
                if job.seq <= (places.get(reply.name) or -(1 << 63)):
                    continue  # had already: another journal's page goes on from an earlier number
                file.write(json.dumps(job.model_dump(mode="json"), ensure_ascii=False) + "\n")
                written += 1
                places[reply.name] = job.seq
        going_on = [
            page.after
            for reply in replies.results
            if (page := Exported.model_validate(reply.result)).after is not None
        ]
        if not going_on:
            return written, replies
        after = min(each for each in going_on if each is not None)


def import_(settings: Settings, source: Path) -> tuple[int, int]:
    """Put the file's jobs into a journal of their own, which the plugin adopts.

    Returns how many were taken and how many left out. Raises Unreadable; then none was taken.
    """
    seal = resting.sealer(settings)
    folder = resting.folder(settings)
    prepare(folder)
    claim = claim_new(folder)
    try:
        lines = list(_lines(source))
        with resting.opened_at(claim.path, settings, seal) as journal:
            taken = Transfer(journal, lambda _: False).take(lines)
    except Foreign as exc:
        claim.remove()
        raise Unreadable(
            f"job {exc} was sealed with another key: set MEM9_ASYNC_JOURNAL_KEY to the one that "
            "was in use there, or copy its key file"
        ) from exc
    except (Unreadable, JournalError, OSError) as exc:
        claim.remove()
        raise Unreadable(str(exc)) from exc
    claim.release()
    return taken, len(lines) - taken


def _lines(source: Path) -> Iterator[ExportedJob]:
    with source.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield ExportedJob.model_validate_json(line)
            except ValidationError as exc:
                raise Unreadable(
                    f"line {number} is not a job as `queue export` writes it; nothing was taken"
                ) from exc
