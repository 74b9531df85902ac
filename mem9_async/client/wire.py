"""mem9's answers, read leniently.

Every field is optional and a field of the wrong type counts as absent: servers differ in age
(docs/reference/mem9-api.md, 0), and success is told by the status alone.
"""

import math
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

from mem9_async.client.decoding import finite, is_finite, json_object


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
        if value.is_integer() and abs(value) < 2**53:
            value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an int beyond any float
        return None


def _integer(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else None


def _objects(value: object) -> object:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: object) -> object:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _flag(value: object) -> bool:
    return value is True


def _checked[N: (int, float)](value: N | None) -> N | None:
    if not is_finite(value):
        raise ValueError("beyond any float")
    return value


Text = Annotated[str | None, BeforeValidator(_text)]
Number = Annotated[int | float | None, BeforeValidator(_number)]
Integer = Annotated[int | None, BeforeValidator(_integer)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Flag = Annotated[bool, BeforeValidator(_flag)]
AsObject = BeforeValidator(_object)
AsObjects = BeforeValidator(_objects)


class Body(BaseModel):
    """The base of what mem9 says."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class ActionBody(Body):
    """A recommended action, as sent."""

    type: Text = None
    provider_action_code: Text = Field(None, alias="providerActionCode")
    url: Text = None
    severity: Text = None


class RateLimitBody(Body):
    """The lane that stays open after the quota. Seconds."""

    retry_after_s: Integer = Field(None, alias="retryAfterSeconds")
    window_s: Integer = Field(None, alias="windowDurationSeconds")


class GateBody(Body):
    """What the quota's gate decided."""

    outcome: Text = None
    mode: Text = None
    reason: Text = None
    rate_limit: Annotated[RateLimitBody | None, AsObject] = Field(None, alias="postQuotaRateLimit")


class QuotaBody(Body):
    """The quota fields, wherever a server keeps them; the last two are of the legacy form only."""

    meter: Text = None
    action: Annotated[ActionBody | None, AsObject] = Field(None, alias="recommendedAction")
    gate: Annotated[GateBody | None, AsObject] = Field(None, alias="quotaGateResult")
    retry_after_s: Integer = Field(None, alias="retryAfterSeconds")
    upgrade_action: Text = Field(None, alias="upgradeAction")
    upgrade_url: Text = Field(None, alias="upgradeUrl")


class DetailsBody(QuotaBody):
    """The `details` of a denial."""

    category: Text = Field(None, alias="errorCategory")
    mem9_code_camel: Text = Field(None, alias="mem9Code")
    mem9_code: Text = None
    quota: Annotated[QuotaBody | None, AsObject] = Field(None, alias="runtimeQuota")


class ErrorBody(QuotaBody):
    """The body of an answer that is not a success."""

    error: Text = None
    message: Text = None
    code: Text = None
    mem9_code: Text = None
    details: Annotated[DetailsBody | None, AsObject] = None


class UsageBody(Body):
    """How much of a budget is gone. Percent of the whole; units that are left."""

    percent: Number = None
    remaining: Number = None


class CapacityBody(Body):
    """How much a budget holds."""

    type: Text = None
    value: Number = None


class BudgetBody(Body):
    """One budget behind a meter."""

    type: Text = None
    state: Text = None
    usage: Annotated[UsageBody | None, AsObject] = None
    capacity: Annotated[CapacityBody | None, AsObject] = None


class MeterBody(Body):
    """The state of one meter."""

    meter: Text = None
    gate: Annotated[GateBody | None, AsObject] = Field(None, alias="quotaGateResult")
    budgets: Annotated[tuple[BudgetBody, ...], AsObjects] = ()


class KeyBody(Body):
    """The state of the key."""

    status: Text = None


class RuntimeStateBody(Body):
    """The usage state of a space, as a success may carry it and as its own route answers."""

    key: Annotated[KeyBody | None, AsObject] = Field(None, alias="mem9ApiKey")
    action: Annotated[ActionBody | None, AsObject] = Field(None, alias="recommendedAction")
    meters: Annotated[tuple[MeterBody, ...], AsObjects] = ()


class SuccessBody(Body):
    """What any success may carry beside its own fields."""

    message: Text = None
    error: Text = None
    status: Text = None
    runtime_state: Annotated[RuntimeStateBody | None, AsObject] = Field(None, alias="runtimeState")


class StoreBody(SuccessBody):
    """The answer to a store; a pinned one is answered with the memory."""

    id: Text = None


class ChainSourceBody(Body):
    """Which space of a chain a memory came from. The ids of chain and tenant may be keys."""

    node_position: Integer = None
    external_space_id: Text = None


class MemoryBody(Body):
    """One memory as sent."""

    id: Text = None
    content: Text = None
    memory_type: Text = None
    tags: Texts = ()
    confidence: Number = None
    score: Number = None
    relative_age: Text = None
    created_at: Text = None
    updated_at: Text = None
    state: Text = None
    version: Integer = None
    agent_id: Text = None
    session_id: Text = None
    chain_source: Annotated[ChainSourceBody | None, AsObject] = None
    source: Text = None
    app_id: Text = Field(None, alias="appId")
    metadata: Annotated[JsonValue, AfterValidator(finite)] = None


_PlainNumber = Annotated[int | float | None, AfterValidator(_checked)]


class _PlainMemoryBody(MemoryBody):
    """The same where every field has its documented type: read ten times as fast."""

    model_config = ConfigDict(strict=True)

    id: str | None = None
    content: str | None = None
    memory_type: str | None = None
    tags: tuple[str, ...] = Field((), strict=False)
    confidence: _PlainNumber = None
    score: _PlainNumber = None
    relative_age: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    state: str | None = None
    version: Annotated[int | None, AfterValidator(_checked)] = None
    agent_id: str | None = None
    session_id: str | None = None
    source: str | None = None
    app_id: str | None = Field(None, alias="appId")


_plain_memories = TypeAdapter(list[_PlainMemoryBody])


class WarningBody(Body):
    """What was cut short in a recall, and in which part of it."""

    code: Text = None
    branch: Text = None


class ListBody(SuccessBody):
    """The answer to a list or a recall. `partial`: there may be more than was gathered."""

    memories: Annotated[tuple[MemoryBody, ...], AsObjects] = ()
    total: Integer = None
    limit: Integer = None
    offset: Integer = None
    partial: Flag = False
    warnings: Annotated[tuple[WarningBody, ...], AsObjects] = ()

    @property
    def cut_short(self) -> tuple[str, ...]:
        """The codes of what was cut short; empty only where nothing was."""
        told = dict.fromkeys(warning.code for warning in self.warnings if warning.code)
        return tuple(told) or (("partial",) if self.partial else ())


class ProcessBody(SuccessBody):
    """The answer of `/versionz`."""

    started_at: Text = None


class DeletedBody(SuccessBody):
    """The answer to a batch-delete."""

    deleted: Integer = None


class RuntimeStateAnswer(RuntimeStateBody):
    """The runtime-state route: the object itself, or wrapped as in a success."""

    message: Text = None
    runtime_state: Annotated[RuntimeStateBody | None, AsObject] = Field(None, alias="runtimeState")


def parse[B: Body](kind: type[B], body: bytes) -> B | None:
    """Read *body* as *kind*; None unless it is one whole JSON object."""
    try:
        return kind.model_validate(json_object(body))
    except ValueError:
        return None


def parse_list(body: bytes) -> ListBody | None:
    """Read the answer to a list or recall; None for an object that is not one.

    A missing `memories` is an empty list only where nothing speaks against it: finding nothing
    must never look like having asked the wrong server.
    """
    try:
        decoded = json_object(body)
    except ValueError:
        return None
    memories = decoded.get("memories", [] if _may_be_list(decoded) else False)
    if memories is not None and not isinstance(memories, list):
        return None
    try:
        plain = _plain_memories.validate_python(memories or [])
    except ValidationError:
        return ListBody.model_validate(decoded)
    read = ListBody.model_validate({**decoded, "memories": []})
    return read.model_copy(update={"memories": tuple(plain)})


def _may_be_list(decoded: dict[str, JsonValue]) -> bool:
    known = {"total", "limit", "offset", "message", "runtimeState"}
    return "error" not in decoded and (not decoded or not known.isdisjoint(decoded))
