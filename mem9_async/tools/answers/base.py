"""What every answer shares: the form of a failure, of a quota denial, and of advice to retry."""

from functools import cache
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue

from mem9_async.tools.answers.declared import Completer, completer
from mem9_async.tools.answers.part import Part

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
        """Return the variables: every declared name, nested ones too, with a value of its type."""
        return {name: complete(getattr(self, name)) for name, complete in _variables(type(self))}


@cache
def _variables(kind: type[Answer]) -> tuple[tuple[str, Completer], ...]:
    fields = kind.model_fields
    return tuple((name, completer(fields[name].annotation)) for name in kind.variables)
