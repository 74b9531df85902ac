"""Scenarios in virtual time: hours of outages and crowds pass in seconds.

Each takes a seed and says what came of it; what must hold of that is the caller's to judge
(tests/queue/test_simulation.py, and `make chaos` at length).
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mem9_async.models.batch import Batch
from mem9_async.models.outcome import ErrorType, Outcome
from mem9_async.queue.policy import Move
from tests.queue.builders import HOUR_S, failure, job
from tests.queue.rack import TAKEN, Rack, Request
from tests.queue.virtual import run

TIMEOUT_S = 30.0
WINDOW_S = 120.0
_DEMAND = 960  # jobs of each space, more than can be served in the time
_GROUP = 500  # jobs accepted in one commit

TIMED_OUT = failure(ErrorType.READ_TIMEOUT, maybe_sent=True)
UNAVAILABLE = failure(ErrorType.UNAVAILABLE, status=503, maybe_sent=True)
REFUSED = failure(ErrorType.CONNECTION_REFUSED)
DENIED = failure(ErrorType.QUOTA_EXHAUSTED, status=402)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which *share* of *values* lie; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def jain(shares: Sequence[float]) -> float:
    """Jain's fairness index: 1 when all are equal, 1/n when one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


@dataclass
class Mem9:
    """A server with a latency of its own, which the scenario can change while it runs."""

    rng: random.Random
    latency_s: tuple[float, float] = (0.05, 0.15)
    trouble: Callable[[Batch], tuple[float, Outcome] | None] = lambda _: None

    async def answer(self, batch: Batch) -> Outcome:
        """Take the batch after a while, or do what the trouble of the moment says."""
        trouble = self.trouble(batch)
        if trouble is not None:
            await asyncio.sleep(trouble[0])
            return trouble[1]
        await asyncio.sleep(self.rng.uniform(*self.latency_s))
        return TAKEN


@dataclass
class Ledger:
    """When each job was accepted, and how long it took: seconds, by space key."""

    rack: Rack
    accepted_at: dict[str, tuple[str, float]] = field(default_factory=dict)

    def accept(self, key: str, session: str, contents: Sequence[str]) -> None:
        """Store *contents* in one lane."""
        for start in range(0, len(contents), _GROUP):
            group = contents[start : start + _GROUP]
            now = self.rack.clock.now()
            for each in self.rack.accept(*(job(text, session, key) for text in group)):
                self.accepted_at[each.job_id] = (key, now)

    def delivered(self) -> list[tuple[str, float, float]]:
        """Key, time of acceptance and seconds to delivery of each job delivered."""
        return [
            (*self.accepted_at[job_id], end.at - self.accepted_at[job_id][1])
            for end in self.rack.ends
            if end.decision.move is Move.DELIVER
            for job_id in end.frozen.batch.job_ids
        ]


@dataclass(frozen=True)
class Crowd:
    """A stuck space among others: p99 of the others' delivery times, in seconds."""

    calm_p99_s: float
    stuck_p99_s: float
    timeouts: int
    delivered: int

    @property
    def ratio(self) -> float:
        """How much longer the others take because of it."""
        return self.stuck_p99_s / self.calm_p99_s


def stuck_space(seed: int, *, spaces: int = 100, phase_s: float = 60.0) -> Crowd:
    """*spaces* with a store every four seconds each; then one times out, with ten times as many."""

    async def main() -> Crowd:
        rng = random.Random(seed)
        mem9 = Mem9(rng)
        rack = Rack(mem9.answer, seed=seed)
        ledger = Ledger(rack)

        async def user(number: int, every_s: float, until: float) -> None:
            count = 0
            while rack.clock.now() < until:
                await asyncio.sleep(rng.expovariate(1.0 / every_s))
                count += 1
                session = f"{until:.0f}-{rng.randrange(5)}"
                ledger.accept(f"key {number}", session, [f"{number} {count} {rng.random()}"])

        async with rack.running():
            began = rack.clock.now()
            middle = began + phase_s
            await asyncio.gather(*(user(n, 4.0, middle) for n in range(spaces)))
            await rack.drained(60.0)
            mem9.trouble = lambda batch: (
                (TIMEOUT_S, TIMED_OUT) if batch.lane.space.key == "key 0" else None
            )
            noisy = rack.clock.now()
            await asyncio.gather(
                user(0, 0.4, noisy + phase_s),
                *(user(n, 4.0, noisy + phase_s) for n in range(1, spaces)),
            )
            await asyncio.sleep(TIMEOUT_S)
        others = [(at, took) for key, at, took in ledger.delivered() if key != "key 0"]
        return Crowd(
            calm_p99_s=quantile([took for at, took in others if at < middle], 0.99),
            stuck_p99_s=quantile([took for at, took in others if at >= noisy], 0.99),
            timeouts=sum(each.outcome == TIMED_OUT for each in rack.sink.requests),
            delivered=len(others),
        )

    return run(main())


def equal_demand(seed: int, *, spaces: int = 50, seconds: float = 10.0) -> float:
    """Jain's index over spaces that all have more to send than may be sent."""

    async def main() -> float:
        rng = random.Random(seed)
        rack = Rack(Mem9(rng, (0.1, 0.5)).answer, seed=seed)
        ledger = Ledger(rack)
        for space in range(spaces):
            # The same demand in another shape: few deep lanes, or many shallow ones.
            lanes = 4 * (1 + space % 5)
            for lane in range(lanes):
                contents = [f"{space} {lane} {n}" for n in range(_DEMAND // lanes)]
                ledger.accept(f"key {space}", f"conv-{lane}", contents)
        async with rack.running():
            await asyncio.sleep(seconds)
        served = Counter(key for key, _, _ in ledger.delivered())
        assert max(served.values()) < _DEMAND, "somebody had all that they wanted"
        return jain([served[f"key {space}"] for space in range(spaces)])

    return run(main())


@dataclass(frozen=True)
class Outage:
    """What a dead endpoint was asked, and how it went on afterwards. Seconds."""

    requests: int
    first_success_s: float
    drained_s: float
    concurrency: tuple[tuple[float, int], ...]  #: since the recovery: each 0.1 s, most in flight
    lost: int
    dead: int

    def growth(self, *, within_s: float) -> float:
        """By which factor concurrency passed, within that time, all that it was before."""
        factor, highest = 1.0, 1
        for at, most in self.concurrency:
            highest = max(highest, most)
            later = [each for when, each in self.concurrency if at < when <= at + within_s]
            factor = max(factor, max(later, default=0) / highest)
        return factor


def dead_endpoint(
    seed: int,
    how: tuple[float, Outcome] = (0.0, REFUSED),
    *,
    jobs: int = 10_000,
    spaces: int = 100,
    outage_s: float = 600.0,
) -> Outage:
    """*jobs* of *spaces* while the server is down for *outage_s*; then it is up again."""

    async def main() -> Outage:
        rng = random.Random(seed)
        mem9 = Mem9(rng, trouble=lambda _: how)
        rack = Rack(mem9.answer, seed=seed)
        ledger = Ledger(rack)
        for space in range(spaces):
            for lane in range(5):
                contents = [f"{space} {lane} {n}" for n in range(jobs // spaces // 5)]
                ledger.accept(f"key {space}", f"conv-{lane}", contents)
        async with rack.running():
            await asyncio.sleep(outage_s)
            asked = len(rack.sink.requests) + rack.sink.flying
            mem9.trouble = lambda _: None
            up_at, peaks = rack.clock.now(), Counter[int]()
            while rack.lanes.depth and rack.clock.now() - up_at < HOUR_S:
                tenth = int((rack.clock.now() - up_at) * 10)
                peaks[tenth] = max(peaks[tenth], rack.sink.flying)
                await asyncio.sleep(0.01)
            took = rack.clock.now() - up_at
        return Outage(
            requests=asked,
            first_success_s=min(each.until for each in rack.sink.taken()) - up_at,
            drained_s=took,
            concurrency=tuple(sorted((at / 10, most) for at, most in peaks.items())),
            lost=rack.desk.difference() + rack.lanes.depth,
            dead=rack.desk.journal.counters().get("dead", 0),
        )

    return run(main())


@dataclass(frozen=True)
class Budget:
    """Retries beside first attempts, in the two minutes in which they were most."""

    first_attempts: int
    retries: int
    honoured: int  #: retries that were taken: they give their token back
    windows: int

    @property
    def excess(self) -> float:
        """Retries beyond a tenth of the first attempts and ten tokens."""
        return self.retries - 0.1 * self.first_attempts - 10.0

    @property
    def unexplained(self) -> float:
        """The same without what the rule lets through besides.

        A retry that is taken gives its token back, and the bucket fills by ten in two minutes.
        """
        return self.excess - self.honoured - 10.0


def flaky_server(seed: int, *, share: float = 0.3, minutes: int = 8, spaces: int = 30) -> Budget:
    """*share* of all requests fail, without end, under a steady load; the worst two minutes."""

    async def main() -> Budget:
        rng = random.Random(seed)
        mem9 = Mem9(rng, trouble=lambda _: (0.1, UNAVAILABLE) if rng.random() < share else None)
        rack = Rack(mem9.answer, seed=seed)
        ledger = Ledger(rack)
        async with rack.running():
            until = rack.clock.now() + minutes * 60.0
            count = 0
            while rack.clock.now() < until:
                count += 1
                ledger.accept(f"key {rng.randrange(spaces)}", f"conv-{count}", [f"{count}"])
                await asyncio.sleep(rng.expovariate(5.0))
        requests = sorted(rack.sink.requests, key=lambda each: each.at)
        return worst_window(requests)

    return run(main())


def worst_window(requests: Sequence[Request]) -> Budget:
    """The two minutes with the most retries beyond a tenth of the first attempts and ten."""
    worst, windows = Budget(0, 0, 0, 0), 0
    seen: set[str] = set()
    again = []
    for each in requests:
        again.append(each.batch.batch_id in seen)
        seen.add(each.batch.batch_id)
    for start in range(0, len(requests), 25):
        window = [
            (each, retry)
            for each, retry in zip(requests[start:], again[start:], strict=True)
            if each.at < requests[start].at + WINDOW_S
        ]
        windows += 1
        retries = [each for each, retry in window if retry]
        found = Budget(
            first_attempts=len(window) - len(retries),
            retries=len(retries),
            honoured=sum(each.outcome == TAKEN for each in retries),
            windows=windows,
        )
        worst = max(worst, found, key=lambda each: each.unexplained)
    return replace(worst, windows=windows)


def quota_probes(seed: int, *, spaces: int = 20, hours: int = 24) -> int:
    """The most requests that a space without quota was asked in any hour after its first park."""

    async def main() -> int:
        rack = Rack(Mem9(random.Random(seed), trouble=lambda _: (0.1, DENIED)).answer, seed=seed)
        ledger = Ledger(rack)
        async with rack.running():
            for space in range(spaces):
                for lane in range(4):
                    ledger.accept(f"key {space}", f"conv-{lane}", ["x"])
            await asyncio.sleep(hours * HOUR_S)
        most = 0
        for space in range(spaces):
            times = sorted(
                each.at
                for each in rack.sink.requests
                if each.batch.lane.space.key == f"key {space}"
            )
            parked_at = times[0] + 60.0  # those that left together with the first are one refusal
            probes = [at for at in times if at > parked_at]
            for at in probes:
                most = max(most, sum(at <= each < at + HOUR_S for each in probes))
        return most

    return run(main())
