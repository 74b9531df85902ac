"""What mem9's free routes tell of what became of taken batches. Each may be missing."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mem9_async.client.pool import LIST_BODY_MAX, MIB, Request, Response
from mem9_async.client.reader import Asker, addresses_of
from mem9_async.client.urls import read_headers
from mem9_async.client.wire import MemoryBody, ProcessBody, parse, parse_list
from mem9_async.models.errors import RequestFailed
from mem9_async.models.evidence import Fact, ModelCalls, Process, fingerprint
from mem9_async.models.outcome import Meter
from mem9_async.models.space import Space

_PAGE = 200
_METRICS_MAX = 4 * MIB
_CALLS = re.compile(rb"^mnemo_llm_requests_by_step_total\{(.*)\} ([0-9.e+]+)$", re.MULTILINE)
_STORES = re.compile(rb"^mnemo_http_requests_total\{(.*)\} ([0-9.e+]+)$", re.MULTILINE)


class Evidence:
    """Asks for it; no method raises, and None means that it cannot be had."""

    def __init__(
        self, asker: Asker, *, timeout_s: float, now: Callable[[], float] = time.time
    ) -> None:
        self._asker = asker
        self._timeout_s = timeout_s
        self._now = now

    async def newest_facts(self, space: Space, agent_id: str) -> list[Fact] | None:
        """The newest facts of *agent_id* in *space*, at most 200, newest change first."""
        params = {"memory_type": "insight", "limit": str(_PAGE)}
        if agent_id:
            params["agent_id"] = agent_id
        answer = await self._ask(
            Request(
                "GET", addresses_of(space.base_url).memories, read_headers(space, agent_id),
                params=params, body_max=LIST_BODY_MAX, may_resend=True,
            )
        )  # fmt: skip
        body = parse_list(answer.body) if answer is not None and answer.whole else None
        # What is missing from a part may be there all the same.
        if answer is None or body is None or body.cut_short:
            return None
        ahead_s = self._ahead_s(answer)
        return [fact for each in body.memories if (fact := _fact(each, ahead_s)) is not None]

    async def process(self, base_url: str) -> Process | None:
        """The process that answers."""
        answer = await self._ask(
            Request("GET", addresses_of(base_url).process, {}, may_resend=True)
        )
        body = None if answer is None else parse(ProcessBody, answer.body)
        began = None if body is None or body.started_at is None else _epoch_s(body.started_at)
        if began is None or answer is None:
            return None
        return Process(began, began - self._ahead_s(answer))

    async def model_calls(self, base_url: str) -> ModelCalls | None:
        """How often the process has called its language model, and been sent stores."""
        answer = await self._ask(
            Request(
                "GET", addresses_of(base_url).metrics, {}, body_max=_METRICS_MAX, may_resend=True
            )
        )
        if answer is None or b"mnemo_http_requests_total" not in answer.body:
            return None
        failed = sum(count for labels, count in _series(_CALLS, answer) if b'"error"' in labels)
        good = sum(count for labels, count in _series(_CALLS, answer) if b'"success"' in labels)
        stores = sum(count for labels, count in _series(_STORES, answer) if _is_store(labels))
        return ModelCalls(good=good, failed=failed, stores=stores)

    async def _ask(self, request: Request) -> Response | None:
        try:
            return await self._asker.ask(request, meter=Meter.RECALL, timeout_s=self._timeout_s)
        except RequestFailed:
            return None

    def _ahead_s(self, answer: Response) -> float:
        """By how much the server's clock is ahead of ours."""
        try:
            return parsedate_to_datetime(answer.date or "").timestamp() - int(self._now())
        except ValueError:
            return 0.0


def _series(pattern: re.Pattern[bytes], answer: Response) -> Iterator[tuple[bytes, int]]:
    for labels, count in pattern.findall(answer.body):
        yield labels, int(float(count))


def _is_store(labels: bytes) -> bool:
    accepted = b'status="202"' in labels or b'status="200"' in labels
    return accepted and b'method="POST"' in labels and b'/memories"' in labels


def _fact(body: MemoryBody, ahead_s: float) -> Fact | None:
    at = _epoch_s(body.updated_at or "")
    if at is None:
        return None
    turns = body.metadata.get("source_turns") if isinstance(body.metadata, dict) else None
    texts = [
        text
        for turn in (turns if isinstance(turns, list) else ())
        if isinstance(turn, dict) and isinstance(text := turn.get("content"), str)
    ]
    return Fact(
        session_id=body.session_id or None,
        updated_at=at - ahead_s,
        text=fingerprint(body.content or ""),
        turns=frozenset(map(fingerprint, texts)),
        app_id=body.app_id or None,
    )


def _epoch_s(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
