"""What the fault server remembers of each request, and how to ask it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError


class _WireMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: str = ""
    content: str = ""


class StoreBody(BaseModel):
    """The fields of a store request the tests ask about; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore")

    content: str | None = None
    messages: list[_WireMessage] = []
    memory_type: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    tags: list[str] = []
    metadata: JsonValue = None
    sync: bool = False


@dataclass(slots=True)
class Record:
    """One request, filled in while it goes on. Times are `time.monotonic()`.

    `taken` says that the server acted on it, whatever it answered; `taken_order` numbers
    the taken ones. `body` is None until it was read in full. `finished_at` is set when the
    server has written its last byte, or given up.
    """

    number: int
    connection: int
    on_connection: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    arrived_at: float
    body: bytes | None = None
    store: StoreBody | None = None
    script: str = ""
    status: int | None = None
    taken: bool = False
    taken_order: int | None = None
    finished_at: float | None = None
    _sha256: str | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The API key: the header's, or the tenant id in a v1alpha1 path."""
        parts = self.path.split("/")
        in_path = parts[3] if len(parts) > 4 and parts[1] == "v1alpha1" else ""
        return self.headers.get("x-api-key", in_path)

    @property
    def is_store(self) -> bool:
        """True for the requests that carry memories to keep."""
        return self.method == "POST" and self.path.endswith("/memories")

    @property
    def agent_id(self) -> str | None:
        """The agent of the header, else of the body."""
        return self.headers.get("x-mnemo-agent-id") or (self.store and self.store.agent_id) or None

    @property
    def session_id(self) -> str | None:
        """The session in the body."""
        return self.store.session_id if self.store else None

    @property
    def contents(self) -> tuple[str, ...]:
        """The texts to keep, in order."""
        if self.store is None:
            return ()
        if self.store.content is not None:
            return (self.store.content,)
        return tuple(message.content for message in self.store.messages)

    @property
    def idempotency_key(self) -> str | None:
        """The batch's name, where the client sends one."""
        return self.headers.get("idempotency-key")

    @property
    def sha256(self) -> str | None:
        """Hex digest of the body, None while it is not read."""
        if self._sha256 is None and self.body is not None:
            self._sha256 = hashlib.sha256(self.body).hexdigest()
        return self._sha256

    def read(self, body: bytes) -> None:
        """Keep *body* and understand it as a store request, if it is one."""
        self.body = body
        if self.is_store:
            try:
                self.store = StoreBody.model_validate_json(body)
            except ValidationError:
                self.store = None


class Records:
    """Every request of one server, in the order of arrival."""

    def __init__(self) -> None:
        self.all: list[Record] = []
        self.arrived: set[str] = set()  #: every content that was taken
        self._taken = 0

    def __iter__(self) -> Iterator[Record]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __repr__(self) -> str:
        return f"<Records: {len(self.all)} requests, {self._taken} taken>"

    def take(self, record: Record) -> None:
        """Mark *record* as acted on, once."""
        if not record.taken:
            record.taken = True
            record.taken_order = self._taken
            self.arrived.update(record.contents)
            self._taken += 1

    def stores(
        self, *, key: str | None = None, where: Callable[[Record], bool] = lambda _: True
    ) -> list[Record]:
        """The store requests, of one key or of all, that *where* picks."""
        return [
            record
            for record in self.all
            if record.is_store and (key is None or record.key == key) and where(record)
        ]

    def taken(self, *, key: str | None = None) -> list[Record]:
        """The store requests the server acted on, in that order."""
        picked = self.stores(key=key, where=lambda record: record.taken)
        return sorted(picked, key=lambda record: record.taken_order or 0)

    def unsettled(self, at: float, window_s: float) -> list[Record]:
        """Store requests that a client killed at *at* (monotonic) may not have settled.

        Open at that moment, or answered less than *window_s* seconds before it.
        """
        return self.stores(
            where=lambda record: (
                record.arrived_at <= at
                and (record.finished_at is None or record.finished_at >= at - window_s)
            )
        )
