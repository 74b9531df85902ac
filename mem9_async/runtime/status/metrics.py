"""A snapshot as Prometheus reads it. Nothing here names a space, a lane or an address.

Names: docs/reference/reliability.md, 4.3. Labels come from closed sets only.
"""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mem9_async.models.status_snapshot import (
    Distribution,
    Reason,
    StatusSnapshot,
    Totals,
    Work,
)

_PREFIX = "mem9_async_"
_HEALTH = ("ok", "degraded", "failed", "not_remembering")
_CIRCUITS = ("closed", "open", "half_open")
_REFUSED = ("disk_full", "journal_error", "queue_full")
_SEQUENCE = ("gap", "step_back")
_DEAD = ("deadline_exceeded", "payload_mismatch", "rejected", "worker_crash")
_PARKED = ("auth", "key_missing", "quota_exhausted")
_SILENT = ("llm_failing", "no_llm", "unknown")
_COUNTED = {
    "accepted": "Jobs taken into the journal.",
    "adopted": "Jobs that came with the journals of processes that are gone.",
    "deduplicated": "Stores whose equal waited already.",
    "redelivered": "Jobs delivered that mem9 may have had before.",
    "remembered": "Jobs that were seen in mem9.",
    "unconfirmed": "Delivered jobs that were not seen in mem9 in time.",
    "lost_and_sent_again": "Delivered jobs that mem9 had lost.",
    "replayed": "Dead letters that were sent again.",
    "discarded": "Jobs that were deleted on purpose.",
    "expired": "Dead letters whose retention was over.",
}


def render(snapshot: StatusSnapshot) -> bytes:
    """The snapshot in Prometheus' text format."""
    return generate_latest(_Once(snapshot))


class _Once(Collector):
    def __init__(self, snapshot: StatusSnapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        snapshot = self._snapshot
        yield from _process(snapshot)
        yield from _jobs(snapshot.totals)
        yield from _journal(snapshot)
        yield from _work(snapshot)
        yield from _where_it_goes(snapshot)


def _process(snapshot: StatusSnapshot) -> Iterator[Metric]:
    info = {
        "version": snapshot.version,
        "python": platform.python_version(),
        "sdk": snapshot.sdk.version or "none",
    }
    yield InfoMetricFamily(f"{_PREFIX}build", "What is running.", value=info)
    yield _gauge("snapshot_timestamp_seconds", "When this was written.", snapshot.taken_at)
    yield _gauge("start_time_seconds", "When the process began.", snapshot.started_at)
    health = {str(snapshot.health): 1}
    yield _gauge("worker_up", "Whether jobs are delivered.", snapshot.health != "failed")
    yield _gauges("health", "1 for the state of the process.", "state", health, _HEALTH)

    yield _counter(
        "worker_restarts", "How often the background loop was replaced.", snapshot.worker_restarts
    )
    yield _gauge(
        "worker_loop_delay_seconds",
        "The longest that the background loop came too late since the last writing.",
        snapshot.loop_delay_s,
    )


def _jobs(totals: Totals) -> Iterator[Metric]:
    for name, text in _COUNTED.items():
        yield _counter(f"jobs_{name}", text, getattr(totals, name))
    # The journal takes back what mem9 lost; a counter must not fall.
    delivered = totals.delivered + totals.lost_and_sent_again
    yield _counter("jobs_delivered", "Jobs that mem9 took; one that it lost again.", delivered)
    yield _gauge(
        "jobs_unaccounted",
        "Accepted and adopted jobs, less those delivered (and not lost), dead, discarded, expired "
        "and present. Anything but 0 is a fault of the plugin.",
        totals.unaccounted,
    )


def _journal(snapshot: StatusSnapshot) -> Iterator[Metric]:
    counts, disk = snapshot.counts, snapshot.disk
    states = {
        "available": counts.available,
        "retryable": counts.retryable,
        "in_flight": counts.in_flight,
        "parked": counts.parked,
        "taken": counts.taken,
        "dead": counts.dead,
    }
    yield _gauges("journal_jobs", "Jobs in the journal.", "state", states)
    yield _gauge("journal_capacity_jobs", "Above this, stores are refused.", disk.capacity_jobs)
    yield _gauge(
        "journal_oldest_job_age_seconds",
        "Age of the oldest job that is on its way; 0 when there is none.",
        snapshot.oldest_age_s or 0.0,
    )
    yield _gauge("journal_bytes", "Bytes of the journal in use.", disk.journal_bytes)
    yield _gauge("journal_wal_bytes", "Bytes of its write-ahead log.", disk.wal_bytes)
    yield _gauge("journal_waiting_bytes", "Content that is on its way.", disk.waiting_bytes)
    yield _gauge(
        "journal_capacity_bytes", "Content above which stores are refused.", disk.capacity_bytes
    )
    yield _gauge("journal_durable", "Whether jobs outlive the process.", _durable(snapshot))
    yield _gauge("disk_has_room", "Whether new jobs are kept; 0: the disk is full.", disk.has_room)
    if disk.free_bytes is not None:
        yield _gauge("disk_free_bytes", "Free bytes where the journal lies.", disk.free_bytes)


def _work(snapshot: StatusSnapshot) -> Iterator[Metric]:
    work = snapshot.work
    yield _counter("journal_rows_lost", "Jobs that damaged journals had lost.", work.rows_lost)
    yield _counters("jobs_rejected", "Stores refused.", "reason", work.refused, _REFUSED)
    yield _counters("jobs_dead", "Dead letters made.", "error_type", work.dead, _DEAD)
    yield _counters(
        "events_out_of_sequence",
        "Events of agents' runs whose number does not follow the one before.",
        "reason",
        work.out_of_sequence,
        _SEQUENCE,
    )
    yield _attempts(work)
    yield _histogram("accept_duration_seconds", "Wait of a store's caller.", work.accept_s)
    yield _histogram("journal_commit_duration_seconds", "Commits that take jobs.", work.commit_s)
    yield _histogram("attempt_duration_seconds", "Requests for batches.", work.attempt_s)
    yield _histogram(
        "job_delivery_duration_seconds",
        "From the acceptance of a batch's oldest job until mem9 took the batch.",
        work.delivery_s,
    )
    yield _histogram("batch_jobs", "Jobs of the batches that mem9 took.", work.batch_jobs)


def _where_it_goes(snapshot: StatusSnapshot) -> Iterator[Metric]:
    yield _gauge("spaces", "Spaces with jobs on their way.", snapshot.spaces)
    yield _gauge("lanes", "Conversations with jobs on their way.", snapshot.lanes)
    yield _gauge("in_flight_batches", "Requests under way.", snapshot.batches_in_flight)
    parked = Counter(space.reason for space in snapshot.parked_spaces)
    yield _gauges("spaces_parked", "Spaces that wait for the outside.", "reason", parked, _PARKED)
    yield _gauge("held", "Whether a person holds everything back.", snapshot.held_since is not None)
    yield _gauge("spaces_held", "Spaces that a person holds back.", len(snapshot.held_spaces))
    silent = Counter(space.reason for space in snapshot.silent_spaces)
    yield _gauges(
        "spaces_not_remembering",
        "Spaces that keep nothing of what they take.",
        "reason",
        silent,
        _SILENT,
    )
    circuits = Counter[str](circuit.state for circuit in snapshot.circuits)
    yield _gauges("circuits", "mem9 servers by circuit.", "state", circuits, _CIRCUITS)


def _durable(snapshot: StatusSnapshot) -> bool:
    return snapshot.durability != "none"


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauges(
    name: str, text: str, label: str, values: Mapping[str, int], always: Iterable[str] = ()
) -> Metric:
    """One gauge for each of *values*, and 0 for what is *always* told and not among them."""
    family = GaugeMetricFamily(_PREFIX + name, text, labels=[label])
    for key in sorted({*values, *always}):
        family.add_metric([key], values.get(key, 0))
    return family


def _counters(
    name: str, text: str, label: str, reasons: Iterable[Reason], always: Iterable[str] = ()
) -> Metric:
    """As _gauges(). One that began with its first event would hide that from increase()."""
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
    values = {**dict.fromkeys(always, 0), **{each.reason: each.count for each in reasons}}
    for key in sorted(values):
        family.add_metric([key], values[key])
    return family


def _attempts(work: Work) -> Metric:
    family = CounterMetricFamily(
        f"{_PREFIX}attempts",
        "Requests for batches, by what was done with the batch then.",
        labels=["outcome", "status_class", "error_type"],
    )
    for each in work.attempts:
        family.add_metric([each.outcome, each.status_class, each.error_type], each.count)
    return family


def _histogram(name: str, text: str, values: Distribution) -> Metric:
    buckets = [
        (str(float(bound)), float(count))
        for bound, count in zip(values.bounds, values.counts, strict=True)
    ]
    buckets.append(("+Inf", float(values.count)))
    return HistogramMetricFamily(_PREFIX + name, text, buckets=buckets, sum_value=values.sum)
