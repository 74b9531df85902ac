"""A piece of an answer."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of an answer. A None in it is left out of the JSON.

    `declared` are the names that it has inside a variable, always and each with a value of its
    type; None: all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    declared: ClassVar[tuple[str, ...] | None] = None
