"""Knows outside the plugin what was accepted, and compares it with what the server took.

It mints every content. A content is a pure function of its run, lane and number, so it can be
told from what arrives who wrote it, in which place, and whether a byte of it changed.
"""

import hashlib
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from tests.faults.record import Record
from tests.faults.report import Report

_CONTENT = re.compile(
    r"run (?P<run>\S+) lane (?P<lane>\S+) number (?P<number>\d+) says (?P<rest>\w*)"
)


@dataclass(frozen=True)
class LaneName:
    """One ordered stream of stores: whose key, which session, who asks."""

    name: str
    key: str
    session_id: str | None = None
    user_id: str = "user"
    conversation_id: str | None = None


@dataclass(frozen=True)
class Minted:
    """One content to store. `number` counts up within its lane, from 0."""

    lane: LaneName
    number: int
    content: str
    minted_at: float


class Oracle:
    """Mints contents, is told which were acknowledged, and judges the server's records."""

    def __init__(self, run: str, *, filler_bytes: int = 40) -> None:
        self.run = run
        self.minted: dict[str, Minted] = {}
        self.acknowledged: dict[str, float] = {}
        self.job_ids: dict[str, str] = {}
        self._filler_bytes = filler_bytes
        self._next: dict[str, int] = defaultdict(int)
        self._lanes: dict[str, LaneName] = {}

    def __repr__(self) -> str:
        return f"<Oracle {self.run}: {len(self.minted)} minted, {len(self.acknowledged)} taken on>"

    def mint(self, lane: LaneName) -> Minted:
        """The next content of *lane*; nothing is ever minted twice."""
        known = self._lanes.setdefault(lane.name, lane)
        if known != lane:
            raise ValueError(f"two lanes are called {lane.name}")
        number = self._next[lane.name]
        self._next[lane.name] += 1
        content = _content(self.run, lane.name, number, self._filler_bytes)
        minted = Minted(lane, number, content, time.monotonic())
        self.minted[content] = minted
        return minted

    def acknowledge(self, minted: Minted, job_id: str = "") -> None:
        """The caller saw *job_id* for it: from here on it must arrive."""
        self.acknowledged[minted.content] = time.monotonic()
        self.job_ids[minted.content] = job_id

    def missing(self, arrived: Set[str]) -> set[str]:
        """The acknowledged contents that are not among the *arrived* ones."""
        return self.acknowledged.keys() - arrived

    def delays_s(
        self, taken: Iterable[Record], where: Callable[[Minted], bool] = lambda _: True
    ) -> list[float]:
        """Seconds from the answer to the first arrival, ascending, of those *where* picks."""
        delays: dict[str, float] = {}
        for record in taken:
            for text in record.contents:
                minted, answered_at = self.minted.get(text), self.acknowledged.get(text)
                if text not in delays and minted and answered_at and where(minted):
                    # A request may be under way before its caller has read the answer.
                    delays[text] = max(0.0, record.arrived_at - answered_at)
        return sorted(delays.values())

    def repeated(self, taken: Iterable[Record]) -> set[str]:
        """Our contents that have arrived more than once."""
        times = Counter(text for record in taken for text in record.contents)
        return {text for text, count in times.items() if count > 1 and text in self.minted}

    def judge(
        self,
        requests: Iterable[Record],
        *,
        gone: Iterable[str] = (),
        replayed: Iterable[str] = (),
    ) -> Report:
        """Compare with *requests*, the server's store requests of this run, all of them.

        *gone* are contents that need not arrive: refused for good, and shown as such.
        *replayed* were sent again by hand, which has no place in the order.
        """
        stores = list(requests)
        taken = sorted((r for r in stores if r.taken), key=lambda record: record.taken_order or 0)
        arrivals: dict[str, list[Record]] = defaultdict(list)
        unknown, corrupted, mixed, misaddressed = 0, 0, 0, 0
        for record in taken:
            lanes: set[str] = set()
            for text in record.contents:
                minted = self.minted.get(text)
                if minted is None:
                    if _CONTENT.search(text) and self.run in text:
                        corrupted += 1
                    else:
                        unknown += 1
                    continue
                arrivals[text].append(record)
                lanes.add(minted.lane.name)
                misaddressed += not _addressed(record, minted.lane)
            mixed += len(lanes) > 1
        delays = self.delays_s(taken)
        return Report(
            run=self.run,
            minted=len(self.minted),
            acknowledged=len(self.acknowledged),
            delivered=len(arrivals),
            missing=len(self.acknowledged.keys() - arrivals.keys() - set(gone)),
            unknown=unknown,
            corrupted=corrupted,
            duplicates=sum(len(records) - 1 for records in arrivals.values()),
            inversions=self._inversions(taken, set(replayed)),
            mixed=mixed,
            misaddressed=misaddressed,
            altered=_altered(stores),
            rebatched=_rebatched(stores),
            unacknowledged=len(arrivals.keys() - self.acknowledged.keys()),
            requests=len(stores),
            delivery_p50_s=quantile(delays, 0.5),
            delivery_p99_s=quantile(delays, 0.99),
            delivery_max_s=delays[-1] if delays else 0.0,
        )

    def _inversions(self, taken: list[Record], seen: set[str]) -> int:
        """First arrivals that came after a later number of their lane; not those in *seen*."""
        highest: dict[str, int] = defaultdict(lambda: -1)
        inversions = 0
        for record in taken:
            for text in record.contents:
                minted = self.minted.get(text)
                if minted is None or text in seen:
                    continue
                seen.add(text)
                inversions += minted.number < highest[minted.lane.name]
                highest[minted.lane.name] = max(highest[minted.lane.name], minted.number)
        return inversions


def _content(run: str, lane: str, number: int, filler_bytes: int) -> str:
    seed = f"{run}/{lane}/{number}".encode()
    filler = hashlib.shake_256(seed).hexdigest(filler_bytes)[:filler_bytes]
    return f"run {run} lane {lane} number {number} says {filler}"


def _addressed(record: Record, lane: LaneName) -> bool:
    return record.key == lane.key and (record.session_id or None) == lane.session_id


def _altered(stores: list[Record]) -> int:
    """Attempts of one batch, by the name the client gives it, that changed a byte."""
    bodies: dict[str, set[str]] = defaultdict(set)
    for record in stores:
        if record.idempotency_key and record.sha256:
            bodies[record.idempotency_key].add(record.sha256)
    return sum(len(hashes) - 1 for hashes in bodies.values())


def _rebatched(stores: list[Record]) -> int:
    """Contents that were sent in more than one body, whatever the client calls its batches.

    Splitting a refused batch does that on purpose; nothing else may.
    """
    bodies: dict[str, set[str]] = defaultdict(set)
    for record in stores:
        for text in record.contents:
            bodies[text].add(record.sha256 or "")
    return sum(len(hashes) > 1 for hashes in bodies.values())


def quantile(ordered: list[float], share: float) -> float:
    """The value below which *share* of the *ordered* ones lie; 0 when there is none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
