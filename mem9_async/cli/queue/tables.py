"""What people read: how the queue stands, jobs, and one job's story."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mem9_async.cli.queue.standing import Standing
from mem9_async.models.inspection import JobRow, JobStory
from mem9_async.models.status_snapshot import StatusSnapshot


def print_standing(console: Console, found: Standing) -> None:
    """A line a process and a journal, then what is not as it should be."""
    for line in standing_lines(found):
        console.print(line)


def standing_lines(found: Standing) -> list[str]:
    """The same as text with markup."""
    counts = ", ".join(f"{amount} {state}" for state, amount in found.counts.items() if amount)
    lines = [f"{found.depth} job(s) on their way{f' ({counts})' if counts else ''}"]
    for process in found.processes:
        lines += _process(process)
    for journal in found.journals:
        lines.append(
            f"journal {journal.journal_file}, nobody has it open: {journal.depth} on their way, "
            f"{journal.counts.get('dead', 0)} dead"
        )
    return lines


def _process(told: StatusSnapshot) -> list[str]:
    oldest = "" if told.oldest_age_s is None else f", oldest {age(told.oldest_age_s)}"
    rates = told.rates
    lines = [
        f"process {told.pid} ({told.boot_id}, {told.version}): {_coloured(told.health)}, "
        f"{told.depth} on their way{oldest}, {told.batches_in_flight} request(s) in flight; "
        f"{rates.accepted_per_s:.1f} in and {rates.delivered_per_s:.1f} out a second; "
        f"keeps {'nothing' if told.durability == 'none' else f'over a {told.durability} loss'}"
    ]
    if told.health_reason:
        lines.append(f"  {escape(told.health_reason)}")
    if told.durability_reason:
        lines.append(f"  {escape(told.durability_reason)}")
    if not told.disk.has_room:
        lines.append("  the disk is full: nothing new is kept")
    now = told.taken_at
    if told.held_since is not None:
        lines.append(f"  everything is held back by hand, since {age(now - told.held_since)}")
    lines += [
        f"  space {held.space} is held back by hand, since {age(now - held.since)}, "
        f"{held.jobs} job(s)"
        for held in told.held_spaces
    ]
    lines += [
        f"  space {space.space} parked: {escape(space.reason)}, since {age(now - space.since)}, "
        f"next try in {age(space.next_probe_at - now)}, {space.jobs} job(s)"
        for space in told.parked_spaces
    ]
    if told.parked_spaces_more:
        lines.append(f"  and {told.parked_spaces_more} more parked spaces")
    lines += [
        f"  space {silent.space} does not remember: {escape(silent.reason)}"
        for silent in told.silent_spaces
    ]
    lines += [
        f"  {escape(circuit.endpoint)} is not asked: circuit {circuit.state}"
        for circuit in told.circuits
        if circuit.state != "closed"
    ]
    return lines


def _coloured(health: str) -> str:
    return f"[green]{health}[/]" if health == "ok" else f"[red]{health}[/]"


def print_jobs(console: Console, jobs: Sequence[JobRow], *, more: bool) -> None:
    """One line a job."""
    if not jobs:
        console.print("No job matches.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("job", "state", "lane", "space", "age", "bytes", "tries", "error", "reference"):
        table.add_column(name, no_wrap=True)
    for job in jobs:
        table.add_row(
            *(job.job_id, job.state, job.lane, job.space, age(job.age_s), str(job.bytes)),
            *(str(job.attempts), job.error_type or "", escape(job.reference or "")),
        )
    console.print(table)
    if more:
        console.print(f"More: --after {jobs[-1].job_id}")


def print_story(console: Console, story: JobStory) -> None:
    """Where it is, and all that happened to it."""
    facts = [
        ("job", story.job_id),
        ("state", story.state),
        ("lane", story.lane),
        ("space", story.space),
        ("reference", story.reference),
        ("trace", story.trace_id),
        ("kind", story.kind),
        ("bytes", None if story.bytes is None else str(story.bytes)),
        ("next try in", _in(story.next_attempt_in_s)),
        ("last error", story.error),
        ("says", story.content),
    ]
    for name, value in facts:
        if value is not None:
            console.print(Text(f"{name:12} {value}"))
    for each in story.history:
        told = each.model_dump(exclude_none=True, exclude={"at", "event"})
        rest = ", ".join(f"{name} {value}" for name, value in told.items())
        console.print(Text(f"{each.at}  {each.event:13} {rest}"))


def _in(seconds: float | None) -> str | None:
    return None if seconds is None else age(seconds)


def age(seconds: float) -> str:
    """A time as people say it; what should be over is 0."""
    seconds = max(0.0, seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
