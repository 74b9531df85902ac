"""The metrics file is one that Prometheus reads, and names nobody."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from mem9_async.models.status_snapshot import (
    Attempts,
    Circuit,
    Distribution,
    ParkedSpace,
    Reason,
    Totals,
    Work,
)
from mem9_async.runtime.status.metrics import render
from tests.models.test_status_snapshot import SNAPSHOT

FULL = replace(
    SNAPSHOT,
    work=Work(
        refused=(Reason("queue_full", 3),),
        dead=(Reason("rejected", 2),),
        out_of_sequence=(Reason("gap", 5),),
        attempts=(Attempts("retry", "5xx", "unavailable", 7),),
        accept_s=Distribution((0.1, 1.0), (2, 3), 4, 5.5),
    ),
)
LABELS = {"state", "reason", "error_type", "outcome", "status_class", "le"}


def _samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_snapshot() -> None:
    """States, reasons and distributions."""
    samples = _samples(render(FULL))

    def value(name: str, **labels: str) -> float:
        return samples[f"mem9_async_{name}", tuple(sorted(labels.items()))]

    assert value("journal_jobs", state="parked") == 2
    assert value("journal_jobs", state="dead") == 4
    assert value("jobs_accepted_total") == 9
    assert value("health", state="ok") == 1
    assert value("health", state="failed") == 0
    assert value("spaces_parked", reason="quota_exhausted") == 1
    assert value("spaces_parked", reason="auth") == 0
    assert value("circuits", state="open") == 1
    assert value("jobs_rejected_total", reason="queue_full") == 3
    assert value("jobs_rejected_total", reason="disk_full") == 0
    assert value("jobs_dead_total", error_type="rejected") == 2
    assert value("events_out_of_sequence_total", reason="gap") == 5
    labels = {"outcome": "retry", "status_class": "5xx", "error_type": "unavailable"}
    assert value("attempts_total", **labels) == 7
    assert value("accept_duration_seconds_bucket", le="1.0") == 3
    assert value("accept_duration_seconds_bucket", le="+Inf") == 4
    assert value("accept_duration_seconds_sum") == 5.5
    assert value("snapshot_timestamp_seconds") == 2_000.0
    assert value("worker_up") == 1


def test_a_failed_process_is_down() -> None:
    """Delivery has stopped, though stores are taken."""
    samples = _samples(render(replace(FULL, health="failed")))

    assert samples["mem9_async_worker_up", ()] == 0


def test_a_counter_never_falls_when_mem9_loses_what_it_took() -> None:
    """The journal takes those back; what was delivered then stays delivered."""
    before = replace(FULL, totals=Totals(accepted=5, delivered=5))
    after = replace(FULL, totals=Totals(accepted=5, lost_and_sent_again=5, present=5))
    name = "mem9_async_jobs_delivered_total"

    assert _samples(render(before))[name, ()] == _samples(render(after))[name, ()] == 5


def test_what_is_unaccounted_for_is_a_metric_of_its_own() -> None:
    """Accepted and adopted equal delivered, dead, discarded, expired and present."""
    name = "mem9_async_jobs_unaccounted"
    missing = replace(FULL, totals=replace(FULL.totals, accepted=FULL.totals.accepted + 1))

    assert _samples(render(FULL))[name, ()] == 0
    assert _samples(render(missing))[name, ()] == 1


def test_no_space_lane_or_address_is_told() -> None:
    """Neither as a label nor otherwise: the file may be read by whoever runs the host."""
    parked = ParkedSpace("5ec4e7f0", "auth", 1.0, 2.0, 3, "invalid_api_key", 401)
    circuit = Circuit("https://mem9.secret.example", "closed", 1, 2, 0)
    text = render(replace(FULL, parked_spaces=(parked,), circuits=(circuit,)))
    families = list(text_string_to_metric_families(text.decode()))
    used = {
        label
        for family in families
        for sample in family.samples
        for label in sample.labels
        if family.name != "mem9_async_build_info"
    }

    assert b"5ec4e7f0" not in text
    assert b"secret" not in text
    assert used <= LABELS
    assert all(family.name.startswith("mem9_async_") for family in families)
