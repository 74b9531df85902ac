"""What every answer shares: the form of a failure, of a quota denial, and of advice to retry."""

import types
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Reason = Literal[
    "no_match",
    "low_confidence",
    "pending_writes",
    "rate_limited",
    "quota_denied",
    "unavailable",
    "timeout",
    "unauthorized",
    "invalid_request",
]


class Part(BaseModel):
    """A piece of an answer. A None in it is left out of the JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Retry(Part):
    """Whether the same call may succeed later (`after_s`, seconds) or in other words.

    `suggested_queries` stands in search answers only, there always.
    """

    reason: Reason
    retryable: bool
    after_s: float | None = None
    suggested_queries: tuple[str, ...] | None = None


class QuotaAction(Part):
    """What mem9 recommends to a person; `url` exactly as sent."""

    type: str | None = None
    provider_action_code: Annotated[str | None, Field(serialization_alias="providerActionCode")] = (
        None
    )
    url: str | None = None
    severity: str | None = None


class Quota(Part):
    """A quota denial in the form that mem9's own plugin gives it."""

    code: str
    message: str
    user_message: str
    meter: str | None = None
    retry_after_s: Annotated[int | None, Field(serialization_alias="retryAfterSeconds")] = None
    action: Annotated[QuotaAction | None, Field(serialization_alias="recommendedAction")] = None


class Failure(Part):
    """What went wrong: `code` is stable, `error` for people, the rest where it is known."""

    ok: bool = False
    error: str | None = None
    code: str | None = None
    status_code: int | None = None
    detail: str | None = None
    user_message: str | None = None
    quota: Quota | None = None
    action_url: str | None = None
    retry: Retry | None = None


class Answer(Failure):
    """The answer of one tool: every name in it is a variable of the node, on every path.

    `truncated` is set when parts were cut because the whole would not fit into one line.
    `nullable` names stay in the JSON of a success as null; every other None is left out.
    """

    nullable: ClassVar[frozenset[str]] = frozenset()
    #: What a variable holds that this answer has no value for: an empty value of its type,
    #: so that a workflow never meets a type it did not declare.
    blanks: ClassVar[dict[str, object]] = {}

    truncated: bool | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401  pydantic's signature
        """Work out the variables' names and empty values once per class."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.blanks = {name: _blank(field.annotation) for name, field in cls.model_fields.items()}

    @classmethod
    def failed(cls, failure: Failure) -> Self:
        """Return the answer that tells *failure*."""
        return cls(**dict(failure))

    @property
    def fails_node(self) -> bool:
        """Whether a node with error_mode `raise` fails by this answer."""
        return not self.ok

    def as_json(self) -> dict[str, JsonValue]:
        """Return the JSON object: what is unknown is absent."""
        dumped: dict[str, JsonValue] = self.model_dump(
            mode="json", exclude_none=True, by_alias=True
        )
        if self.ok:
            for name in self.nullable:
                dumped.setdefault(name, None)
        return dumped


def _blank(annotation: object) -> object:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        return _blank(annotation)
    if origin is tuple:
        return []
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return {}
    if annotation is bool:
        return False
    return 0 if annotation in (int, float) else ""
