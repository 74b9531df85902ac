"""Stores as jobs that can be asked after, as mem9 on aws keeps them.

Equal content is one job, also when it is dead; jobs of one space, agent, app and session are done
one after the other.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web
from pydantic import JsonValue
from pydantic_core import to_json

from mem9_async.devserver.answers import InvalidField, Refusal, json_answer
from mem9_async.devserver.ingest import ColumnTooShort, NotStorable
from mem9_async.devserver.memory import timestamp
from mem9_async.devserver.model import ModelFailed
from mem9_async.devserver.requests import StoreRequest

ATTEMPTS_MAX = 5
_PAYLOAD_BYTES_MAX = 1_048_576

Later = Callable[[Callable[[], None], float], None]


@dataclass(slots=True)
class Job:
    """One accepted store. `state`: queued, processing, succeeded, dead."""

    job_id: str
    tenant: int
    work: Callable[[], None]
    created_at: float
    updated_at: float
    state: str = "queued"
    attempts: int = 0
    error_class: str = ""

    def wire(self) -> dict[str, JsonValue]:
        """What is told of it."""
        told: dict[str, JsonValue] = {
            "job_id": self.job_id,
            "state": self.state,
            "attempts": self.attempts,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }
        if self.error_class:
            told["error_class"] = self.error_class
        if self.state in ("succeeded", "dead"):
            told["completed_at"] = timestamp(self.updated_at)
        return told


@dataclass(slots=True)
class Jobs:
    """The jobs of every space."""

    now_s: Callable[[], float]
    later: Later
    _by_id: dict[str, Job] = field(default_factory=dict)
    _by_content: dict[tuple[int, str], Job] = field(default_factory=dict)
    _lines: dict[tuple[int, str, str, str], deque[Job]] = field(default_factory=dict)

    def accept(
        self, tenant: int, asked: StoreRequest, work: Callable[[], None], takes_s: float
    ) -> web.Response:
        """202 with the job of this content, new or not. Raises Refusal."""
        if asked.mode not in ("", "smart", "raw"):
            raise InvalidField("mode", f'unsupported mode "{asked.mode}"')
        payload = _canonical(asked)
        if len(payload) > _PAYLOAD_BYTES_MAX:
            raise InvalidField(
                "body", f"canonical ingest payload exceeds {_PAYLOAD_BYTES_MAX} bytes"
            )
        content = (tenant, hashlib.sha256(payload).hexdigest())
        job = self._by_content.get(content)
        if job is None:
            now_s = self.now_s()
            job = Job(str(uuid4()), tenant, work, now_s, now_s)
            self._by_id[job.job_id] = self._by_content[content] = job
            name = (tenant, asked.agent_id, asked.app_id, asked.session_id)
            line = self._lines.setdefault(name, deque())
            line.append(job)
            self.later(lambda: self._next(line), takes_s)
        return json_answer(202, {"job_id": job.job_id, "state": job.state})

    def _next(self, line: deque[Job]) -> None:
        if line:
            self._run(line.popleft())

    def _run(self, job: Job) -> None:
        job.state = "processing"
        while job.state == "processing":
            job.attempts += 1
            try:
                job.work()
                job.state = "succeeded"
            except (Refusal, ColumnTooShort, NotStorable, ModelFailed) as exc:
                job.error_class = type(exc).__name__
                if job.attempts >= ATTEMPTS_MAX:
                    job.state = "dead"
        job.updated_at = self.now_s()

    def get(self, tenant: int | None, job_id: str) -> web.Response:
        """200 with the job; 404 for one that is another's, or none. *tenant* None: a chain."""
        job = self._by_id.get(job_id)
        if job is None or job.tenant != tenant:
            raise Refusal(404, "ingest job not found")
        return json_answer(200, job.wire())


def _canonical(asked: StoreRequest) -> bytes:
    messages = [
        [item.role, item.content, index if item.seq is None else item.seq]
        for index, item in enumerate(asked.messages)
    ]
    names = [asked.agent_id, asked.app_id, asked.session_id, asked.mode, asked.keeps_raw]
    return to_json([1, names, messages, asked.metadata])
