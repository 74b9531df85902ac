"""Values that most tests of the client start from."""

from collections.abc import Mapping

from pydantic import JsonValue, SecretStr

from mem9_async.client.client import Mem9Client
from mem9_async.client.encoding import encode
from mem9_async.client.pool import Response
from mem9_async.models.batch import Batch
from mem9_async.models.job import Message, Pinned, Turn
from mem9_async.models.memory import ListQuery, SearchQuery
from mem9_async.models.outcome import Confirmation
from mem9_async.models.space import Lane, Space

BASE_URL = "http://mem9.test"
KEY = "sk-canary-key"


def space(base_url: str = BASE_URL, key: str = KEY) -> Space:
    """A space of the mocked mem9."""
    return Space(base_url=base_url, api_key=SecretStr(key))


def batch(
    *payloads: Turn | Pinned,
    base_url: str = BASE_URL,
    session_id: str | None = "conv-1",
    confirmation: Confirmation = Confirmation.ACCEPTED,
) -> Batch:
    """A batch of *payloads*, or of one turn that says something."""
    return Batch(
        batch_id="batch-1",
        lane=Lane(space=space(base_url), agent_id="dify", session_id=session_id),
        job_ids=tuple(f"job-{number}" for number, _ in enumerate(payloads or (1,))),
        payloads=payloads or (turn("User prefers Python"),),
        confirmation=confirmation,
    )


def search_query(base_url: str = BASE_URL, limit: int = 10) -> SearchQuery:
    """A search for something."""
    return SearchQuery(
        space=space(base_url), caller_agent_id="dify", query="preferred language", limit=limit
    )


def list_query(base_url: str = BASE_URL, *, offset: int = 0, limit: int = 20) -> ListQuery:
    """A page of a list, the first one by default."""
    return ListQuery(space=space(base_url), caller_agent_id="dify", offset=offset, limit=limit)


def turn(*contents: str) -> Turn:
    """A turn of user messages."""
    return Turn(messages=tuple(Message(role="user", content=content) for content in contents))


def client(**changes: float) -> Mem9Client:
    """A client with short times."""
    times: dict[str, float] = {
        "connect_timeout_s": 2.0,
        "attempt_timeout_s": 5.0,
        "search_timeout_s": 5.0,
        "keepalive_idle_s": 45.0,
        "retry_after_max_s": 3600.0,
    }
    limit = int(changes.pop("max_in_flight", 8))
    return Mem9Client(**(times | changes), max_in_flight=limit)


def answer(
    status: int,
    body: JsonValue | bytes = b"",
    *,
    retry_after: tuple[str, ...] = (),
    whole: bool = True,
    overflowed: bool = False,
    key: str = "",
) -> Response:
    """An answer as the session hands it on; a body that is not bytes becomes JSON."""
    raw = body if isinstance(body, bytes) else encode(body)
    return Response(status, retry_after, raw, whole, overflowed, key)


def denial(
    *,
    meter: str | None = "memory_write_requests",
    action: JsonValue = None,
    error: str = "Included quota is exhausted.",
    quota: Mapping[str, JsonValue] | None = None,
    **more: JsonValue,
) -> dict[str, JsonValue]:
    """A denial in the public form; *quota* and *more* are fields of its quota."""
    fields = {**(quota or {}), **more}
    if meter is not None:
        fields["meter"] = meter
    if action is not None:
        fields["recommendedAction"] = action
    details: JsonValue = {"errorCategory": "runtime_quota_denied", "runtimeQuota": fields}
    return {"error": error, "details": details}


def open_url(url: str | None, code: str | None = "upgradePlan") -> dict[str, JsonValue]:
    """A recommended action of the public form."""
    action: dict[str, JsonValue] = {"type": "openUrl"}
    if code is not None:
        action["providerActionCode"] = code
    if url is not None:
        action["url"] = url
    return action
