"""A closed loop of callers against one plugin process: as many calls as get answered."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from mem9_async.cli.host import PluginHost
from mem9_async.cli.percentile import percentile

SESSIONS = 200

Parameters = dict[str, JsonValue]


@dataclass(frozen=True)
class Sample:
    """One measured stretch: calls a second, and how long a call took in seconds."""

    rate: float
    p50_s: float
    p99_s: float


def stores() -> Iterator[Parameters]:
    """Facts for 200 sessions in turn, no two alike."""
    for n in itertools.count():
        yield {
            "content": f"Fact {n}: the customer prefers delivery on day {n % 28} of the month.",
            "session_id": f"session-{n % SESSIONS}",
        }


def searches() -> Iterator[Parameters]:
    """Questions, no two alike: equal searches at the same time may share a request."""
    for n in itertools.count():
        yield {"query": f"which day does customer {n} prefer for delivery"}


async def measure(
    host: PluginHost,
    tool: str,
    parameters: Iterator[Parameters],
    credentials: Parameters,
    *,
    callers: int,
    warm_s: float,
    measured_s: float,
) -> Sample:
    """Let *callers* call for *warm_s* and then *measured_s*; only the second part counts.

    Raises the first failure of any call.
    """
    started_at = time.perf_counter()
    counts_from = started_at + warm_s
    ends_at = counts_from + measured_s
    times_s: list[float] = []

    async def caller() -> None:
        while time.perf_counter() < ends_at:
            answer = await host.invoke(tool, next(parameters), credentials)
            if answer.error is not None:
                raise answer.error
            if counts_from <= time.perf_counter() < ends_at:
                times_s.append(answer.elapsed_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return Sample(len(times_s) / measured_s, percentile(times_s, 50), percentile(times_s, 99))


async def drain(host: PluginHost, credentials: Parameters, *, limit_s: float = 60.0) -> None:
    """Wait until the write queue of *host* is empty, so that the next stretch starts from rest."""
    ends_at = time.perf_counter() + limit_s
    while time.perf_counter() < ends_at:
        state = (await host.invoke("memory_queue", {}, credentials)).json
        if state.get("depth") == 0:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"the queue was not empty after {limit_s:g} s")
