"""A second search, where the caller has allowed one: when, and what of it is shown."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from mem9_async.models.agent_memory import Preparation, Prepared
from mem9_async.models.errors import RequestFailed
from mem9_async.models.memory import Memory, SearchQuery, SearchResult
from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Space
from mem9_async.queue.journal import JournalError
from mem9_async.runtime.app import App
from mem9_async.runtime.storage.storage import open_storage
from tests.queue.builders import failure, job
from tests.runtime.appkit import quick

FACTS = (
    Memory(content="User rides a bicycle", memory_type="insight", score=0.64),
    Memory(content="User pinned a bicycle", memory_type="pinned", score=0.03),
    Memory(content="User mended a bicycle", memory_type="insight", score=0.62),
)


def _query(**changes: object) -> SearchQuery:
    space = Space(base_url="http://mem9.test", api_key=SecretStr("k"))
    asked = SearchQuery(space=space, caller_agent_id="dify", query="Alice bicycle")
    return asked.model_copy(update=changes)


class _Searching:
    """An app whose mem9 finds facts only past its cut-off."""

    def __init__(self, data: Path, finds: Callable[[SearchQuery], tuple[Memory, ...]]) -> None:
        self.app = App(quick(data), open_storage(quick(data), data))
        self.asked: list[SearchQuery] = []
        self.warnings: tuple[str, ...] = ()
        self._finds = finds
        self.app.client.search = self._search  # type: ignore[method-assign]

    async def _search(self, query: SearchQuery, *, timeout_s: float | None = None) -> SearchResult:
        self.asked.append(query)
        found = self._finds(query)
        return SearchResult(
            effective_query=query.query,
            memories=found,
            available=len(found),
            warnings=self.warnings,
        )

    async def search(self, query: SearchQuery, second: SearchQuery | None) -> SearchResult:
        """What the caller gets; the app is closed."""
        try:
            return await self.app.search(query, include_pending=False, second=second)
        finally:
            await self.app.aclose()


def _past_the_cut_off(query: SearchQuery) -> tuple[Memory, ...]:
    return FACTS if query.memory_type == "insight,pinned" else ()


@pytest.mark.parametrize(
    ("wanted", "limit", "shown"),
    [
        (None, 10, ["User rides a bicycle", "User pinned a bicycle", "User mended a bicycle"]),
        (None, 1, ["User rides a bicycle"]),
        ("insight", 10, ["User rides a bicycle", "User mended a bicycle"]),
        ("insight", 1, ["User rides a bicycle"]),
        ("pinned", 10, ["User pinned a bicycle"]),
    ],
)
async def test_what_is_found_past_the_cut_off_keeps_the_callers_filter_and_limit(
    tmp_path: Path, wanted: str | None, limit: int, shown: list[str]
) -> None:
    """In mem9's order, told as the second of two recalls."""
    first = _query(memory_type=wanted, limit=limit)
    second = first.model_copy(update={"memory_type": "insight,pinned", "limit": 20})
    searching = _Searching(tmp_path, _past_the_cut_off)

    result = await searching.search(first, second)

    assert [memory.content for memory in result.memories] == shown
    assert (result.second, result.attempts) == ("widened", 2)
    assert searching.asked == [first, second]


async def test_a_search_that_found_something_is_made_once(tmp_path: Path) -> None:
    """Each is metered."""
    searching = _Searching(tmp_path, lambda _: FACTS[:1])

    result = await searching.search(_query(), _query(memory_type="insight,pinned"))

    assert (result.second, result.attempts, len(searching.asked)) == (None, 1, 1)


async def test_other_words_are_told_as_such(tmp_path: Path) -> None:
    """Where there was no cut-off to leave out."""
    asked = _query(memory_type="session")
    searching = _Searching(tmp_path, lambda query: FACTS if query.query == "bicycle" else ())

    result = await searching.search(asked, asked.model_copy(update={"query": "bicycle"}))

    assert (result.second, result.effective_query) == ("reworded", "bicycle")
    assert result.memories == FACTS


async def test_a_part_that_was_cut_short_is_no_finding(tmp_path: Path) -> None:
    """Other words would be cut short as well, and cost a unit."""
    searching = _Searching(tmp_path, lambda _: ())
    searching.warnings = ("recall_branch_deadline_exceeded",)

    result = await searching.search(_query(), _query(query="bicycle"))

    assert (result.partial, result.second, len(searching.asked)) == (True, None, 1)


async def _never(query: SearchQuery, *, timeout_s: float) -> SearchResult:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def _refused(query: SearchQuery, *, timeout_s: float) -> SearchResult:
    raise RequestFailed(failure(ErrorType.QUOTA_EXHAUSTED, status=402))


async def _found(query: SearchQuery, *, timeout_s: float) -> SearchResult:
    return SearchResult(effective_query=query.query, memories=FACTS[:1], available=1)


async def _partly(query: SearchQuery, *, timeout_s: float) -> SearchResult:
    return SearchResult(
        effective_query=query.query, memories=(), available=0, warnings=("partial",)
    )


@pytest.mark.parametrize(
    ("mem9", "shown", "failed"),
    [
        (_found, 1, None),
        (_partly, 0, "recall_partial"),
        (_refused, 0, "quota_exhausted"),
        (_never, 0, "read_timeout"),
    ],
)
async def test_a_run_is_prepared_with_what_is_known_here_whatever_mem9_does(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mem9: Callable[..., Awaitable[SearchResult]],
    shown: int,
    failed: str | None,
) -> None:
    """Once the time is up, or it has failed; the same agent's pending writes are always told."""
    app = App(quick(tmp_path), open_storage(quick(tmp_path), tmp_path))
    app.client.search = mem9  # type: ignore[method-assign, assignment]
    told = job("I mend bicycles")
    other = told.lane.model_copy(update={"agent_id": "another"})
    for each in (told, told.model_copy(update={"lane": other})):
        app.stores.accept([each])
    query = _query(space=told.lane.space, agent_id="dify", query="Good morning")
    proven: list[Space] = []
    monkeypatch.setattr(app.parts.rotation, "proven", proven.append)
    prepared: Prepared = await app.prepare(Preparation(query, 8_000, timeout_s=0.05))
    await app.aclose()

    assert [write.content for write in prepared.pending] == ["I mend bicycles"]
    assert (len(prepared.memories), prepared.failure) == (shown, failed)
    assert proven == [query.space] * shown


async def test_a_journal_that_cannot_be_read_does_not_hide_what_mem9_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is prepared with what there is."""

    def broken(space: Space) -> int:
        raise JournalError("the disk broke")

    app = App(quick(tmp_path), open_storage(quick(tmp_path), tmp_path))
    app.client.search = _found  # type: ignore[method-assign, assignment]
    with monkeypatch.context() as patched:
        patched.setattr(app.storage.journal.addresses, "find_space", broken)
        patched.setattr(app.parts.rotation, "proven", lambda space: None)
        prepared = await app.prepare(Preparation(_query(), 8_000, timeout_s=5.0))
    await app.aclose()

    assert (prepared.memories, prepared.pending) == (FACTS[:1], ())
