"""Makes a snapshot of the queue: all spaces, without a name of theirs."""

import os
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from mem9_async.models.status_snapshot import (
    LISTED_MOST,
    Circuit,
    Disk,
    HealthState,
    HeldSpace,
    JobCounts,
    ParkedSpace,
    SilentSpace,
    StatusSnapshot,
    Totals,
)
from mem9_async.queue.circuit import CircuitState, Endpoints
from mem9_async.queue.clock import SteadyClock
from mem9_async.queue.holds import Holds
from mem9_async.queue.journal.census import Census
from mem9_async.queue.lanes import Lanes
from mem9_async.queue.parking import Parking
from mem9_async.queue.watch.watch import Watch
from mem9_async.runtime.status.health import Health
from mem9_async.runtime.status.process import Process
from mem9_async.runtime.status.tally import Tally
from mem9_async.runtime.storage.storage import Storage
from mem9_async.settings import Settings

_TOTALS = (
    "accepted",
    "adopted",
    "deduplicated",
    "delivered",
    "redelivered",
    "remembered",
    "unconfirmed",
    "lost_and_sent_again",
    "dead",
    "replayed",
    "discarded",
    "expired",
)


class StatusSource:
    """Looks at the parts of one app; belongs to the loop's thread, and changes nothing."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        lanes: Lanes,
        endpoints: Endpoints,
        parking: Parking,
        holds: Holds,
        watch: Watch,
        health: Health,
        tally: Tally,
        clock: SteadyClock,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._census = Census(storage.journal)
        self._lanes = lanes
        self._endpoints = endpoints
        self._parking = parking
        self._holds = holds
        self._watch = watch
        self._health = health
        self._tally = tally
        self._clock = clock

    def close_step(self) -> None:
        """Make a point of the history, if one is due."""
        now = self._clock.now()
        if now >= self._tally.step_ends_at:
            self._tally.close_step(now, depth=self._lanes.depth, oldest_age_s=self._oldest_age_s())

    def ailments(self) -> tuple[int, ...]:
        """Numbers that are higher the worse it is: cheap, to be compared with earlier ones."""
        storage = self._storage
        return (
            ("ok", "degraded", "failed").index(self._health.state),
            storage.durability == "none",
            storage.reserve is not None and not storage.reserve.held,
            len(self._parking.all()),
            sum(each.state is not CircuitState.CLOSED for each in self._endpoints.views()),
            len(self._watch.silent_spaces()),
            storage.journal.file.deaths.total(),
        )

    def take(
        self, process: Process, *, interval_s: float, loop_delay_s: float, restarts: int
    ) -> StatusSnapshot:
        """Everything as it is now. Raises JournalError where the journal cannot be read."""
        now = self._clock.now()
        # Who reads it compares with a clock on the wall, which may have been set since we began.
        drift_s = self._clock.drift_s()
        storage, lanes = self._storage, self._lanes
        totals = self._totals()
        parked = sorted(self._parked(drift_s), key=lambda space: space.since)
        silent = self._silent()
        return StatusSnapshot(
            boot_id=process.boot_id,
            pid=process.pid,
            version=process.version,
            started_at=round(process.started_at, 3),
            taken_at=round(now + drift_s, 3),
            interval_s=interval_s,
            durability=storage.durability,
            durability_reason=storage.reason or storage.weakness,
            journal_id=storage.journal.file.journal_id,
            journal_file=storage.claim.path.stem if storage.claim else None,
            health=self._health_state(silent),
            health_reason=self._health.reason,
            depth=lanes.depth,
            counts=self._counts(totals.dead),
            oldest_age_s=self._oldest_age_s(),
            totals=totals,
            rates=self._tally.rates(now),
            disk=self._disk(),
            sdk=process.sdk,
            spaces=sum(1 for space in lanes.spaces() if space.depth),
            lanes=sum(len(space.lanes) for space in lanes.spaces()),
            batches_in_flight=lanes.in_flight,
            loop_delay_s=round(loop_delay_s, 4),
            worker_restarts=restarts,
            parked_spaces=tuple(parked[:LISTED_MOST]),
            parked_spaces_more=max(0, len(parked) - LISTED_MOST),
            held_since=self._held_since(drift_s),
            held_spaces=self._held(drift_s)[:LISTED_MOST],
            silent_spaces=silent[:LISTED_MOST],
            circuits=self._circuits(drift_s),
            work=replace(
                self._tally.work(storage.journal.file.deaths), rows_lost=storage.rescues.lost
            ),
            history=self._tally.history(),
        )

    def _health_state(self, silent: tuple[SilentSpace, ...]) -> HealthState:
        return "not_remembering" if silent and self._health.state == "ok" else self._health.state

    def _oldest_age_s(self) -> float | None:
        oldest = (space.oldest_at for space in self._lanes.spaces())
        at = min((each for each in oldest if each is not None), default=None)
        return None if at is None else round(max(0.0, self._clock.now() - at), 3)

    def _totals(self) -> Totals:
        counters = self._storage.journal.counters()
        return Totals(
            **{name: counters.get(name, 0) for name in _TOTALS},
            rows_lost=counters.get("lost", 0),
            present=self._lanes.depth,
        )

    def _counts(self, dead: int) -> JobCounts:
        lanes = self._lanes
        parks = {park.space_id for park in self._parking.all()} | self._holds.all().keys()
        if self._holds.everything_since is not None:
            parks = {space.space_id for space in lanes.spaces()}
        batched = self._census.batched()
        in_flight = sum(each.in_flight for each in batched)
        retrying = sum(each.retrying for each in batched if each.space_id not in parks)
        parked = sum(lanes.space_depth(space_id) for space_id in parks)
        parked -= sum(each.in_flight for each in batched if each.space_id in parks)
        return JobCounts(
            available=max(0, lanes.depth - in_flight - retrying - parked),
            retryable=retrying,
            in_flight=in_flight,
            parked=max(0, parked),
            taken=len(self._watch),
            dead=dead,
        )

    def _parked(self, drift_s: float) -> list[ParkedSpace]:
        return [
            ParkedSpace(
                space=self._parking.fingerprint(park.space_id),
                reason=park.reason,
                since=round(park.parked_at + drift_s, 3),
                next_probe_at=round(park.until + drift_s, 3),
                jobs=self._lanes.space_depth(park.space_id),
                error_code=park.outcome.error_code,
                http_status=park.outcome.http_status,
            )
            for park in self._parking.all()
        ]

    def _held_since(self, drift_s: float) -> float | None:
        since = self._holds.everything_since
        return None if since is None else round(since + drift_s, 3)

    def _held(self, drift_s: float) -> tuple[HeldSpace, ...]:
        return tuple(
            HeldSpace(
                space=self._parking.fingerprint(space_id),
                since=round(since + drift_s, 3),
                jobs=self._lanes.space_depth(space_id),
            )
            for space_id, since in sorted(self._holds.all().items())
        )

    def _silent(self) -> tuple[SilentSpace, ...]:
        silent = self._watch.silent_spaces()
        return tuple(
            SilentSpace(self._parking.fingerprint(space_id), reason)
            for space_id, reason in sorted(silent.items())
        )

    def _circuits(self, drift_s: float) -> tuple[Circuit, ...]:
        worst_first = sorted(self._endpoints.views(), key=lambda each: -each.failures)
        return tuple(
            Circuit(
                endpoint=_origin(each.url),
                state=each.state.value,
                in_flight=each.in_flight,
                limit=each.limit,
                failures=each.failures,
                next_probe_at=(
                    None if each.reopens_at is None else round(each.reopens_at + drift_s, 3)
                ),
                retry_tokens=round(each.tokens, 2),
            )
            for each in worst_first[:LISTED_MOST]
        )

    def _disk(self) -> Disk:
        storage, file = self._storage, self._storage.journal.file
        free_bytes: int | None = None
        if storage.directory is not None:
            with suppress(OSError):
                disk = os.statvfs(storage.directory)
                free_bytes = disk.f_bavail * disk.f_frsize
        return Disk(
            journal_bytes=file.live_bytes(),
            wal_bytes=file.wal_bytes(),
            waiting_bytes=self._lanes.waiting_bytes,
            capacity_bytes=self._settings.journal_max_bytes,
            capacity_jobs=self._settings.journal_max_jobs,
            free_bytes=free_bytes,
            has_room=storage.reserve is None or storage.reserve.held,
        )


def _origin(url: str) -> str:
    """Scheme, host and port: a path or a user in it may be a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, f":{parts.port}" if parts.port else ""
    except ValueError:
        return "?"
    if not host:
        return "?"
    return f"{parts.scheme}://[{host}]{port}" if ":" in host else f"{parts.scheme}://{host}{port}"
