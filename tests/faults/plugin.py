"""The plugin as a process of its own, and the few questions the proofs put to it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict

from mem9_async.cli.answers import LogLine
from mem9_async.cli.host import PluginHost
from tests.faults.oracle import LaneName, Minted

ROOT = Path(__file__).parents[2]
_LOGS_KEPT = 500_000

#: Waits cut short, so that a proof takes seconds; the code that runs is the same.
FAST: Mapping[str, str] = {
    "MEM9_ASYNC_CONFIRMATION": "accepted",  # what is watched has tests of its own
    "MEM9_ASYNC_LINGER_MS": "20",
    "MEM9_ASYNC_LINGER_MAX_MS": "60",
    "MEM9_ASYNC_ATTEMPT_TIMEOUT_MS": "2000",
    "MEM9_ASYNC_RETRY_INITIAL_BACKOFF_MS": "20",
    "MEM9_ASYNC_RETRY_MAX_BACKOFF_MS": "200",
    "MEM9_ASYNC_RETRY_BUDGET_RATIO": "1",
    "MEM9_ASYNC_RETRY_BUDGET_TOKENS": "1000",
    "MEM9_ASYNC_CIRCUIT_MAX_OPEN_MS": "200",
    "MEM9_ASYNC_PARK_AUTH_INITIAL": "200ms",
    "MEM9_ASYNC_PARK_AUTH_MAX": "400ms",
    "MEM9_ASYNC_PARK_QUOTA_INITIAL": "200ms",
    "MEM9_ASYNC_PARK_QUOTA_MAX": "400ms",
    "MEM9_ASYNC_ADOPT_INTERVAL_MS": "200",
    "MEM9_ASYNC_STATS_INTERVAL_MS": "400",
    "MEM9_ASYNC_LOG_LEVEL": "debug",
}


class Delivery(BaseModel):
    """What an answer tells about earlier jobs of its space."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str = ""
    reason: str = ""
    held: int = 0
    dead: int = 0


class Stored(BaseModel):
    """memory_store's answer, as far as the proofs ask."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ok: bool = False
    job_id: str | None = None
    code: str | None = None
    error: str | None = None
    delivery: Delivery | None = None
    elapsed_s: float = 0.0


class Queue(BaseModel):
    """memory_queue's answer, as far as the proofs ask."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ok: bool = False
    code: str | None = None
    health: str = ""
    durability: str = ""
    depth: int = 0
    delivered: int = 0
    redelivered: int = 0
    counts: dict[str, int] = {}
    parked_reason: str | None = None
    delivery: Delivery | None = None
    affected: int | None = None

    @property
    def waiting(self) -> int:
        """Jobs that are still to be delivered."""
        return sum(n for state, n in self.counts.items() if state not in ("dead", "cancelled"))

    @property
    def dead(self) -> int:
        """Jobs set aside for good."""
        return self.counts.get("dead", 0)


class Plugin:
    """One plugin process on *data_dir*, its jobs going to *url*. Leaving it kills the process."""

    def __init__(
        self,
        data_dir: Path,
        url: str,
        *,
        settings: Mapping[str, str] | None = None,
        failpoint: str | None = None,
        call_timeout_s: float = 30.0,
    ) -> None:
        self.url = url
        env = {**FAST, **(settings or {}), "MEM9_ASYNC_DATA_DIR": str(data_dir)}
        if failpoint is not None:
            env["MEM9_ASYNC_FAILPOINT"] = failpoint
        self.host = PluginHost(ROOT, env, call_timeout_s=call_timeout_s, logs_kept=_LOGS_KEPT)

    async def __aenter__(self) -> Self:
        await self.host.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.host.__aexit__(kind, error, trace)

    async def died(self, timeout_s: float) -> bool:
        """Wait up to *timeout_s* for the process to end by itself; whether it did."""
        with contextlib.suppress(Exception):
            await self.host.exited(timeout_s)
        return not self.host.alive

    async def store(self, minted: Minted, *, url: str | None = None) -> Stored:
        """Call memory_store for *minted*. Raises HostError when no answer comes."""
        lane = minted.lane
        parameters = {"content": minted.content}
        if lane.session_id is not None:
            parameters["session_id"] = lane.session_id
        answer = await self.host.invoke(
            "memory_store",
            parameters,
            self._credentials(lane.key, url),
            user_id=lane.user_id,
            conversation_id=lane.conversation_id,
        )
        return Stored.model_validate({**answer.json, "elapsed_s": answer.elapsed_s})

    async def queue(self, key: str, *, action: str = "status", url: str | None = None) -> Queue:
        """Call memory_queue for the space of *key*."""
        answer = await self.host.invoke(
            "memory_queue", {"action": action}, self._credentials(key, url)
        )
        return Queue.model_validate(answer.json)

    def logs(self, event: str) -> list[LogLine]:
        """The log lines of one event, oldest first."""
        return [line for line in self.host.logs if line.event == event]

    def _credentials(self, key: str, url: str | None) -> dict[str, str]:
        return {
            "auth_mode": "single_space",
            "mem9_base_url": url or self.url,
            "mem9_api_key": key,
            "mem9_agent_id": "dify",
        }


def lanes(count: int, *, spaces: int, run: str) -> list[LaneName]:
    """*count* lanes over *spaces* keys; every third has no session, only a person."""
    return [
        LaneName(
            name=f"lane-{number}",
            key=f"key-{run}-{number % spaces}-{_SECRET}",
            session_id=None if number % 3 == 2 else f"session-{number}",
            user_id=f"person-{number}",
        )
        for number in range(count)
    ]


#: Part of every key: what the canary search looks for.
_SECRET = "c4n4ryK3y"
