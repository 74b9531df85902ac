"""What every answer shares: the form of a failure, of a quota denial, and of advice to retry."""

import types
from typing import Annotated, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_jsonable_python

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
    """A piece of an answer. A None in it is left out of the JSON.

    `declared` are the names that it has inside a variable, always and each with a value of its
    type; None: all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    declared: ClassVar[tuple[str, ...] | None] = None


class Retry(Part):
    """Whether the same call may succeed later (`after_s`, seconds) or in other words.

    `suggested_queries` stands in search answers only, there always.
    """

    declared: ClassVar[tuple[str, ...] | None] = (
        "reason",
        "retryable",
        "after_s",
        "suggested_queries",
    )

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
    """The answer of one tool: a JSON object, and a few variables of the node on every path.

    Each message costs the host, and older agents read every variable aloud: what nobody binds in
    a condition, a prompt or a loop is in the JSON only. `truncated` is set when parts were cut
    because the whole would not fit into one line. `nullable` names stay in the JSON of a success
    as null; every other None is left out.
    """

    nullable: ClassVar[frozenset[str]] = frozenset()
    variables: ClassVar[tuple[str, ...]] = ("ok", "error", "code")
    #: Variables that the JSON does not repeat.
    variables_only: ClassVar[frozenset[str]] = frozenset()

    truncated: bool | None = None

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
            mode="json", exclude_none=True, by_alias=True, exclude=set(self.variables_only)
        )
        if self.ok:
            for name in self.nullable:
                dumped.setdefault(name, None)
        return dumped

    def as_variables(self) -> dict[str, JsonValue]:
        """Return the variables: every declared name, nested ones too, with a value of its type.

        In Dify's engine a condition on a path that is not there ends the whole run.
        """
        fields = type(self).model_fields
        return {
            name: _complete(fields[name].annotation, getattr(self, name)) for name in self.variables
        }


def _complete(annotation: object, value: object) -> JsonValue:
    """Return *value* as JSON, with an empty value of its type wherever there is none."""
    if get_origin(annotation) in (Union, types.UnionType):
        # JsonValue is a union as well, of the types that a workflow cannot rely on: an object.
        kinds = [arg for arg in get_args(annotation) if arg is not type(None)]
        annotation = kinds[0] if kinds else annotation
    if isinstance(annotation, type) and issubclass(annotation, Part):
        fields = annotation.model_fields
        return {
            name: _complete(fields[name].annotation, getattr(value, name, None))
            for name in annotation.declared or fields
        }
    if get_origin(annotation) is tuple:
        entry = get_args(annotation)[0]
        return [_complete(entry, each) for each in value] if isinstance(value, tuple) else []
    if get_origin(annotation) is dict:
        key, entry = get_args(annotation)
        held = value if isinstance(value, dict) else {}
        return {str(name): _complete(entry, held.get(name)) for name in key}
    if value is not None:
        plain: JsonValue = to_jsonable_python(value)
        return plain
    if annotation is bool:
        return False
    return 0 if annotation in (int, float) else ""
