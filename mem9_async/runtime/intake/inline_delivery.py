"""Delivery before the answer, for places where nothing can be kept.

A serverless sandbox freezes after the answer, and a directory that cannot be written keeps
nothing: there a job that waits in memory would be a promise that nobody keeps.
"""

import asyncio
import random
import time

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
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        job_id = uuid7().hex()
        batch = Batch(
            batch_id=uuid7().hex(),
            lane=job.lane,
            job_ids=(job_id,),
            payloads=(job.payload,),
            confirmation=self._confirmation,
        )
        began = time.monotonic()
        ends_at = began + limit_s
        outcome: Outcome | None = None
        maybe_sent = False
        try:
            async with asyncio.timeout(limit_s):
                for attempt in range(1, _TRIES + 1):
                    outcome = await self._sink.send(batch)
                    maybe_sent = maybe_sent or outcome.maybe_sent
                    if outcome.error_type is None or not _may_pass(outcome):
                        break
                    wait_s = max(outcome.retry_after_s or 0.0, random.uniform(0.2, 1.0) * attempt)  # noqa: S311
                    if attempt == _TRIES or time.monotonic() + wait_s > ends_at:
                        break
                    await asyncio.sleep(wait_s)
        except TimeoutError:
            maybe_sent = True
            log.warning("attempt.failed", stage="sending", error_type="read_timeout", jobs=1)
        if outcome is not None and not outcome.ok and maybe_sent:
            # One of the tries may have arrived, whatever became of the last.
            outcome = outcome.model_copy(update={"maybe_sent": True})
        if outcome is not None and outcome.ok:
            log.info(
                "batch.delivered",
                job_ids=(job_id,),
                outcome=outcome.confirmation,
                attempt=attempt,
                http_status=outcome.http_status,
                duration_s=round(outcome.duration_s, 4),
                queue_age_s=round(time.monotonic() - began, 3),
                redelivered=maybe_sent,
                jobs=1,
                bytes=job.payload.size_bytes,
            )
        elif outcome is not None:
            log.warning("attempt.failed", stage="sending", error_type=outcome.error_type, jobs=1)
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


def _may_pass(outcome: Outcome) -> bool:
    return outcome.error_type is not None and RULES[outcome.error_type].move in _PASSES
