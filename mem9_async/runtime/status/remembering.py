"""What is told of the watch: counts, logs, pending writes, and lanes that hold jobs again."""

from collections.abc import Callable

import structlog

from mem9_async.queue.watch.spaces import SpaceNews
from mem9_async.queue.watch.watch import End, Verdict
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.status.delivered import Delivered

log = structlog.get_logger()

_IDS_MOST = 20


class Remembering:
    """Tells everybody concerned what became of a watched batch."""

    def __init__(
        self,
        *,
        delivered: Delivered,
        underway: Underway,
        reload_lanes: Callable[[set[int]], None],
        wake: Callable[[], None],
        fingerprint: Callable[[int], str],
    ) -> None:
        self._delivered = delivered
        self._underway = underway
        self._reload_lanes = reload_lanes
        self._wake = wake
        self._fingerprint = fingerprint

    def watch_ended(self, verdict: Verdict) -> None:
        """A batch is watched no longer."""
        batch = verdict.batch
        names = {
            "job_ids": batch.job_ids[:_IDS_MOST],
            "jobs": batch.jobs,
            "space": self._fingerprint(batch.space_id),
        }
        match verdict.end:
            case End.REMEMBERED:
                self._delivered.ended(batch.space_id, batch.job_ids, "remembered")
                self._underway.gone(batch.job_ids)
                log.debug("batch.remembered", **names)
            case End.UNCONFIRMED:
                self._delivered.ended(batch.space_id, batch.job_ids, "unconfirmed")
                self._underway.gone(batch.job_ids)
                log.info("batch.unconfirmed", **names)
            case End.LOST:
                self._delivered.lost(batch.space_id, batch.job_ids)
                self._underway.undelivered(batch.job_ids)
                log.warning("batch.lost", reason=verdict.reason, **names)

    def sent_again(self, lanes: set[int]) -> None:
        """These lanes hold lost batches again, in front."""
        self._reload_lanes(lanes)
        self._wake()

    def remembering(self, news: SpaceNews) -> None:
        """A space does not remember, or does again."""
        space = self._fingerprint(news.space_id)
        if news.reason is None:
            log.info("space.remembering", space=space)
        else:
            log.warning("space.not_remembering", reason=news.reason, space=space)
