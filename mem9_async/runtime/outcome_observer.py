"""What is done once an outcome is in the journal: everything that has to know, in one list."""

from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.clock import Clock
from mem9_async.queue.policy import Decision, Move
from mem9_async.queue.records import Frozen
from mem9_async.runtime.intake.outcome_waiters import Waiting
from mem9_async.runtime.intake.unkept import Unkept
from mem9_async.runtime.recall.pending_writes import Underway
from mem9_async.runtime.recall.usage_notices import Notices
from mem9_async.runtime.status.delivered import Delivered
from mem9_async.runtime.status.news import News
from mem9_async.runtime.status.queue_report import Reporting
from mem9_async.runtime.status.tally import Tally
from mem9_async.runtime.upkeep.key_rotation import Rotation
from mem9_async.runtime.upkeep.watcher import Watcher


class OutcomeObserver:
    """Tells whoever waits, and keeps what the next answer for the space must say."""

    def __init__(
        self,
        *,
        news: News,
        rotation: Rotation,
        notices: Notices,
        delivered: Delivered,
        watcher: Watcher,
        underway: Underway,
        waiting: Waiting,
        unkept: Unkept,
        reporting: Reporting,
        tally: Tally,
        clock: Clock,
    ) -> None:
        self._news = news
        self._rotation = rotation
        self._notices = notices
        self._delivered = delivered
        self._watcher = watcher
        self._underway = underway
        self._waiting = waiting
        self._unkept = unkept
        self._reporting = reporting
        self._tally = tally
        self._clock = clock

    def cleared(self, space_id: int, job_ids: tuple[str, ...]) -> None:
        """Send these dead letters again: they were refused when everything was."""
        for job_id in job_ids:
            self._reporting.replay(space_id, job_id, self._clock.now())

    def settled(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """One attempt of *frozen* ended in *outcome*, and *decision* was carried out."""
        self._tally.attempted(
            decision.move,
            http_status=outcome.http_status,
            error_type=outcome.error_type,
            duration_s=outcome.duration_s,
        )
        if decision.move is Move.DELIVER:
            self._taken(frozen, outcome)
        else:
            self._failed(frozen, outcome, decision)
        self._waiting.settled(frozen.batch.job_ids, outcome)
        self._unkept.settled()

    def _taken(self, frozen: Frozen, outcome: Outcome) -> None:
        batch = frozen.batch
        self._tally.delivered(len(batch.job_ids), self._clock.now() - frozen.oldest_at)
        self._news.succeeded(frozen.space_id)
        self._rotation.delivered(frozen.space_id)
        if outcome.notice:
            self._notices.keep(batch.lane.space, outcome.notice)
        self._notices.ask(batch.lane.space, batch.lane.agent_id)
        self._delivered.add(frozen.space_id, batch.job_ids, redelivered=frozen.maybe_sent)
        self._watcher.took(frozen)
        for job_id, payload in zip(batch.job_ids, batch.payloads, strict=True):
            self._underway.delivered(job_id, batch.lane, payload, frozen.oldest_at)

    def _failed(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        batch = frozen.batch
        if decision.move is Move.BURY:
            self._underway.gone(batch.job_ids)
        self._news.failed(frozen.space_id, outcome, decision)
        self._rotation.failed(
            frozen.space_id,
            batch.lane.agent_id,
            refused=outcome.error_type is ErrorType.AUTH,
        )
