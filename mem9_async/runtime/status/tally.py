"""What this process has done: counts, how long things took, and the last hour step by step.

Adding costs a microsecond: it happens with every store and every batch. Times are in the
caller's clock, UTC epoch seconds.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from mem9_async.models.status_snapshot import Attempts, History, Point, Rates, Reason, Work
from mem9_async.runtime.status.spread import DELIVERY_S, JOBS, REQUEST_S, SHORT_S, Spread

STEP_S = 10.0
_KEPT = 360  # steps: an hour
_RATE_WINDOW_S = 60.0


@dataclass(slots=True)
class _Spreads:
    accept_s: Spread = field(default_factory=lambda: Spread(SHORT_S))
    commit_s: Spread = field(default_factory=lambda: Spread(SHORT_S))
    attempt_s: Spread = field(default_factory=lambda: Spread(REQUEST_S))
    delivery_s: Spread = field(default_factory=lambda: Spread(DELIVERY_S))
    batch_jobs: Spread = field(default_factory=lambda: Spread(JOBS))

    def merge(self, other: "_Spreads") -> None:
        self.accept_s.merge(other.accept_s)
        self.commit_s.merge(other.commit_s)
        self.attempt_s.merge(other.attempt_s)
        self.delivery_s.merge(other.delivery_s)
        self.batch_jobs.merge(other.batch_jobs)


@dataclass(slots=True)
class _Step:
    """What happened from *began_at* on, until *ended_at* once that is known."""

    began_at: float
    ended_at: float = 0.0
    accepted: int = 0
    refused: int = 0
    delivered: int = 0
    attempts: int = 0
    failed_attempts: int = 0


class Tally:
    """Counts of one process; belongs to the loop's thread, like those who add to it."""

    def __init__(self, now: float) -> None:
        self._step = _Step(now)
        self._spreads = _Spreads()  # of the step
        self._earlier = _Spreads()
        self._past: deque[_Step] = deque(maxlen=int(_RATE_WINDOW_S / STEP_S) + 1)
        self._points: deque[Point] = deque(maxlen=_KEPT)
        self._refused: Counter[str] = Counter()
        self._out_of_sequence: Counter[str] = Counter()
        self._attempts: Counter[tuple[str, str, str]] = Counter()

    # What happened

    def waited(self, seconds: Iterable[float]) -> None:
        """Callers waited this long, each for the receipt of a store."""
        for each in seconds:
            self._spreads.accept_s.add(each)

    def accepted(self, jobs: int, commit_s: float) -> None:
        """One commit took *jobs* in."""
        self._step.accepted += jobs
        self._spreads.commit_s.add(commit_s)

    def refused(self, reason: str) -> None:
        """A store was not taken."""
        self._step.refused += 1
        self._refused[reason] += 1

    def out_of_sequence(self, fault: str) -> None:
        """An event of an agent's run came with a number that does not follow the one before."""
        self._out_of_sequence[fault] += 1

    def attempted(
        self, outcome: str, *, http_status: int | None, error_type: str | None, duration_s: float
    ) -> None:
        """A request for a batch came to an end; *outcome* is what is done with the batch."""
        self._step.attempts += 1
        self._step.failed_attempts += error_type is not None
        self._spreads.attempt_s.add(duration_s)
        status = f"{http_status // 100}xx" if http_status else "none"
        self._attempts[outcome, status, error_type or "none"] += 1

    def delivered(self, jobs: int, age_s: float) -> None:
        """mem9 took a batch of *jobs*, the oldest of which was accepted *age_s* ago."""
        self._step.delivered += jobs
        self._spreads.delivery_s.add(max(0.0, age_s))
        self._spreads.batch_jobs.add(jobs)

    # What is told of it

    @property
    def step_ends_at(self) -> float:
        """When the next point of the history is due."""
        return self._step.began_at + STEP_S

    def close_step(self, now: float, *, depth: int, oldest_age_s: float | None) -> None:
        """Make what happened since the last time a point of the history."""
        step, spreads = self._step, self._spreads
        step.ended_at = now
        self._step, self._spreads = _Step(now), _Spreads()
        self._past.append(step)
        self._earlier.merge(spreads)
        self._points.append(
            Point(
                at=round(now, 3),
                depth=depth,
                oldest_age_s=oldest_age_s,
                accepted=step.accepted,
                refused=step.refused,
                delivered=step.delivered,
                batches=spreads.batch_jobs.count,
                failed_attempts=step.failed_attempts,
                accept_p50_s=_rounded(spreads.accept_s.quantile(0.5)),
                accept_p99_s=_rounded(spreads.accept_s.quantile(0.99)),
                delivery_p50_s=_rounded(spreads.delivery_s.quantile(0.5)),
                delivery_p99_s=_rounded(spreads.delivery_s.quantile(0.99)),
                batch_jobs=_rounded(spreads.batch_jobs.mean),
            )
        )

    def history(self) -> History:
        """The last hour."""
        return History(STEP_S, tuple(self._points))

    def rates(self, now: float) -> Rates:
        """The last minute's, from steps that reach into it."""
        since = now - _RATE_WINDOW_S
        past = list(takewhile(lambda step: step.ended_at > since, reversed(self._past)))
        steps = [self._step, *past]
        window_s = now - steps[-1].began_at
        if window_s <= 0:
            return Rates()

        def a_second(amount: int) -> float:
            return round(amount / window_s, 3)

        return Rates(
            window_s=round(window_s, 3),
            accepted_per_s=a_second(sum(step.accepted for step in steps)),
            refused_per_s=a_second(sum(step.refused for step in steps)),
            delivered_per_s=a_second(sum(step.delivered for step in steps)),
            attempts_per_s=a_second(sum(step.attempts for step in steps)),
            failed_attempts_per_s=a_second(sum(step.failed_attempts for step in steps)),
        )

    def work(self, dead: Mapping[str, int]) -> Work:
        """Everything since the process began; *dead* are the dead letters made, by reason."""
        all_of_it = _Spreads()
        all_of_it.merge(self._earlier)
        all_of_it.merge(self._spreads)
        return Work(
            refused=_reasons(self._refused),
            dead=_reasons(dead),
            out_of_sequence=_reasons(self._out_of_sequence),
            attempts=tuple(
                Attempts(outcome, status, error_type, count)
                for (outcome, status, error_type), count in sorted(self._attempts.items())
            ),
            accept_s=all_of_it.accept_s.distribution(),
            commit_s=all_of_it.commit_s.distribution(),
            attempt_s=all_of_it.attempt_s.distribution(),
            delivery_s=all_of_it.delivery_s.distribution(),
            batch_jobs=all_of_it.batch_jobs.distribution(),
        )


def _reasons(counts: Mapping[str, int]) -> tuple[Reason, ...]:
    return tuple(Reason(reason, count) for reason, count in sorted(counts.items()))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
