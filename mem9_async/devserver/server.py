"""The embedded mem9 as one object: start it, talk to it over HTTP, look inside, close it."""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from mem9_async.devserver.access import Doorkeeper
from mem9_async.devserver.backlog import Backlog
from mem9_async.devserver.chain_routes import ChainRoutes
from mem9_async.devserver.chains import Chains
from mem9_async.devserver.database import open_database
from mem9_async.devserver.faults import Faults
from mem9_async.devserver.flavour import Database, Flavour, Generation
from mem9_async.devserver.front import Front
from mem9_async.devserver.handlers import DataRoutes
from mem9_async.devserver.imports import Imports
from mem9_async.devserver.ingest import Ingest
from mem9_async.devserver.jobs import Jobs
from mem9_async.devserver.memories import Memories
from mem9_async.devserver.memory import StoredMemory
from mem9_async.devserver.model import Model
from mem9_async.devserver.newer import Newer
from mem9_async.devserver.routing import Router
from mem9_async.devserver.search import Search
from mem9_async.devserver.sessions import Sessions
from mem9_async.devserver.tenants import Tenants
from mem9_async.devserver.traffic import RateLimiter, RequestRecord, Traffic

_KEEPALIVE_S = 60.0
_SHUTDOWN_S = 1.0
_HEAD_BYTES_MAX = 1 << 20  # Go's, for the whole head of a request
_BACKLOG_CONNECTIONS = 1024
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class DevServer:
    """A mem9 of its own: in memory, or kept in the file `data`.

    Args:
        data: SQLite file; None forgets everything on close.
        database: `tidb` or `postgres`; see Flavour.
        llm: Whether messages become facts; without, they become nothing.
        embedder: Whether a recall has a vector leg; without, hardly anything is sure enough.
        key: API key to accept; None takes the oldest in the file, or makes one.
        ingest_delay_s: Seconds between a 202 and the memory being there; `model` has more.
        answer_delay_s: Seconds added to every answer.
        conflicts: Answer a stale If-Match with 412, as one known build does.
        rate_limit_rps: Requests a second per address and per key; None: no limit.
        rate_burst: How many requests of a quiet caller pass at once.
        server: Which mem9: `old` (May 2026), `new`, or `aws` (stores are jobs).
        log_size: How many requests `requests` remembers.
        now_s: UTC epoch seconds; replaced in tests.

    """

    def __init__(
        self,
        *,
        data: Path | None = None,
        database: Database = "tidb",
        llm: bool = True,
        embedder: bool = True,
        key: str | None = None,
        ingest_delay_s: float = 0.0,
        answer_delay_s: float = 0.0,
        conflicts: bool = False,
        rate_limit_rps: float | None = None,
        rate_burst: int = 200,
        log_size: int = 10_000,
        server: Generation = "new",
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._data = data
        self._flavour = Flavour(database, llm, embedder, server)
        self._wanted_key = key
        self._answer_delay_s = answer_delay_s
        self._conflicts = conflicts
        self._rate_limit_rps = rate_limit_rps
        self._rate_burst = rate_burst
        self._now_s = now_s
        self._traffic = Traffic(deque(maxlen=log_size))
        self._runner: web.ServerRunner | None = None
        #: The language model; its settings may be changed at any time.
        self.model = Model(seconds=ingest_delay_s)
        #: What goes wrong with the next requests; empty: nothing.
        self.faults = Faults()
        #: Where it listens, without a final slash; empty before `start`.
        self.base_url = ""
        #: The API key of its first space; empty before `start`.
        self.key = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Open the data and listen (port 0: any free one).

        Raises UnusableDataFile, OSError when the address is taken, ValueError for a bad key.
        """
        self._connection = open_database(self._data)
        try:
            front = self._assemble(self._connection)
            await self._listen(front, host, port)
        except BaseException:
            await self._stop_listening()
            self._connection.close()
            raise
        self._ingesting = asyncio.create_task(self._backlog.run_forever())

    async def aclose(self) -> None:
        """Stop listening, ingest what was accepted, close the data."""
        await self._stop_listening()
        self._ingesting.cancel()
        with suppress(asyncio.CancelledError):
            await self._ingesting
        self._backlog.run_all()
        self._connection.close()

    async def __aenter__(self) -> "DevServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def provision(self, key: str | None = None) -> str:
        """Make another space; return its key."""
        return self._tenants.provision(key).id

    def set_status(self, key: str, status: str) -> None:
        """Make a space `active`, `provisioning`, `suspended` or `deleted`."""
        self._tenants.set_status(key, status)

    def restart(self) -> int:
        """Lose what was accepted and is not ingested, as mem9 does when it ends.

        Returns how many stores that were; `/versionz` then shows a newer start.
        """
        self._router.begin_again()
        self._traffic.begin_again()
        self.model.begin_again()
        return self._backlog.drop()

    def become(self, server: Generation) -> None:
        """Be another mem9 from the next request on, as after an upgrade."""
        self._flavour.server = server

    def ingest_now(self) -> None:
        """Ingest everything accepted so far, whatever its delay."""
        self._backlog.run_all()

    @property
    def waiting(self) -> int:
        """How many stores were accepted and are not ingested yet."""
        return len(self._backlog)

    @property
    def memories(self) -> tuple[StoredMemory, ...]:
        """Every insight and pinned memory in order of insertion, deleted ones included."""
        return tuple(self._memories.everything())

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The last requests in order of arrival."""
        return tuple(self._traffic.recent)

    @property
    def counts(self) -> Traffic:
        """Counters since the start."""
        return self._traffic

    def _assemble(self, connection: sqlite3.Connection) -> Front:
        self._tenants = Tenants(connection)
        self._memories = memories = Memories(connection)
        self._backlog = Backlog(connection)
        sessions, chains = Sessions(connection), Chains(connection, self._now_s)
        first = self._tenants.first() if self._wanted_key is None else None
        self.key = (first or self._tenants.provision(self._wanted_key)).id
        data = DataRoutes(
            memories=memories,
            sessions=sessions,
            search=Search(memories, sessions, self._flavour, self._now_s),
            ingest=Ingest(memories, sessions, self.model, self._flavour, self._now_s),
            backlog=self._backlog,
            model=self.model,
            flavour=self._flavour,
            jobs=Jobs(self._now_s, lambda work, takes_s: self._backlog.add(work, takes_s=takes_s)),
            conflicts=self._conflicts,
            now_s=self._now_s,
        )
        self._router = Router(
            tenants=self._tenants,
            doorkeeper=Doorkeeper(self._tenants, chains),
            data=data,
            chains=ChainRoutes(chains),
            imports=Imports(),
            newer=Newer(self._now_s),
            traffic=self._traffic,
            model=self.model,
            flavour=self._flavour,
        )
        limiter = None
        if self._rate_limit_rps is not None:
            limiter = RateLimiter(
                per_s=self._rate_limit_rps, burst=self._rate_burst, now_s=self._now_s
            )
        return Front(self._router, self._traffic, self.faults, limiter, self._answer_delay_s)

    async def _listen(self, front: Front, host: str, port: int) -> None:
        server = web.Server(
            front,
            access_log=None,
            keepalive_timeout=_KEEPALIVE_S,
            max_line_size=_HEAD_BYTES_MAX,
            max_field_size=_HEAD_BYTES_MAX,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=_BACKLOG_CONNECTIONS).start()
        shown = _EVERY_ADDRESS.get(host, host)
        if ":" in shown:
            shown = f"[{shown}]"
        self.base_url = f"http://{shown}:{self._runner.addresses[0][1]}"

    async def _stop_listening(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
