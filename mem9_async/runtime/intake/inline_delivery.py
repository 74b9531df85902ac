"""Delivery before the answer, for places where nothing can be kept.

A serverless sandbox freezes after the answer, and a directory that cannot be written keeps
nothing: there a job that waits in memory would be a promise that nobody keeps.
"""

import asyncio
import random
import time
from dataclasses import dataclass

import structlog

from mem9_async.models.batch import Batch
from mem9_async.models.job import NewJob, QueueDepth, Receipt
from mem9_async.models.outcome import Confirmation, Outcome
from mem9_async.queue.policy import RULES, Move
from mem9_async.queue.sink import Sink
from mem9_async.queue.uuid7 import uuid7

log = structlog.get_logger()

_TRIES = 3
_PASSES = (Move.RETRY, Move.PAUSE)
_NOTHING_WAITS = QueueDepth(depth=0, lane_depth=0)


@dataclass(slots=True)
class _Tries:
    """How far the tries have come; `outcome` is that of the last one that ended."""

    attempt: int = 0
    outcome: Outcome | None = None
    maybe_sent: bool = False


class Direct:
    """Sends each job at once, a few times if need be, and keeps nothing."""

    def __init__(
        self, sink: Sink, *, reason: str, confirmation: Confirmation, timeout_s: float
    ) -> None:
        self._sink = sink
        self._reason = reason
        self._confirmation = confirmation
        self._timeout_s = timeout_s

    async def store(
        self, job: NewJob, *, reason: str | None = None, timeout_s: float | None = None
    ) -> Receipt:
        """Send *job* and say what came of it; `kept` is False, whatever it was.

        Waits until mem9 has taken it, has refused it, or the time is up. *reason* and *timeout_s*
        take the place of its own.
        """
        job_id = uuid7().hex()
        batch = Batch(
            batch_id=uuid7().hex(),
            lane=job.lane,
            job_ids=(job_id,),
            payloads=(job.payload,),
            confirmation=self._confirmation,
        )
        began = time.monotonic()
        tries = await self._try(batch, self._timeout_s if timeout_s is None else timeout_s)
        outcome = tries.outcome
        if outcome is not None and not outcome.ok and tries.maybe_sent:
            # One of the tries may have arrived, whatever became of the last.
            outcome = outcome.model_copy(update={"maybe_sent": True})
        if outcome is not None:
            _log(batch, outcome, tries, time.monotonic() - began)
        return Receipt(
            job_id=job_id,
            deduplicated=False,
            queue=_NOTHING_WAITS,
            durability="none",
            durability_reason=self._reason if reason is None else reason,
            notice=outcome.notice if outcome else None,
            outcome=outcome,
            waited_out=outcome is None,
            kept=False,
        )

    async def _try(self, batch: Batch, limit_s: float) -> _Tries:
        tries = _Tries()
        ends_at = time.monotonic() + limit_s
        try:
            async with asyncio.timeout(limit_s):
                for attempt in range(1, _TRIES + 1):
                    tries.attempt = attempt
                    outcome = tries.outcome = await self._sink.send(batch)
                    tries.maybe_sent = tries.maybe_sent or outcome.maybe_sent
                    if outcome.error_type is None or not _may_pass(outcome):
                        break
                    wait_s = max(outcome.retry_after_s or 0.0, random.uniform(0.2, 1.0) * attempt)  # noqa: S311
                    if attempt == _TRIES or time.monotonic() + wait_s > ends_at:
                        break
                    await asyncio.sleep(wait_s)
        except TimeoutError:
            tries.maybe_sent = True
            log.warning("attempt.failed", stage="sending", error_type="read_timeout", jobs=1)
        return tries


def _log(batch: Batch, outcome: Outcome, tries: _Tries, age_s: float) -> None:
    if not outcome.ok:
        log.warning("attempt.failed", stage="sending", error_type=outcome.error_type, jobs=1)
        return
    log.info(
        "batch.delivered",
        job_ids=batch.job_ids,
        outcome=outcome.confirmation,
        attempt=tries.attempt,
        http_status=outcome.http_status,
        duration_s=round(outcome.duration_s, 4),
        queue_age_s=round(age_s, 3),
        redelivered=tries.maybe_sent,
        jobs=1,
        bytes=batch.payloads[0].size_bytes,
    )


def _may_pass(outcome: Outcome) -> bool:
    return outcome.error_type is not None and RULES[outcome.error_type].move in _PASSES
