"""Whose memories: the address of a mem9 space, and of the ordered streams inside it."""

from pydantic import BaseModel, ConfigDict, SecretStr


class Space(BaseModel):
    """One mem9 tenant: unit of quota, parking and fairness.

    `base_url` has no trailing slash; it is also the endpoint, the unit of the circuit breaker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    api_key: SecretStr

    @property
    def key(self) -> str:
        """The API key in clear, for the request header and for nothing else."""
        return self.api_key.get_secret_value()


class Lane(BaseModel):
    """One ordered stream of jobs: what may share a request, and must stay in order.

    mem9 reads a request as one conversation and its model would mix people up,
    so who asked (Dify's user and, where known, conversation) is part of the lane. `app_id` is the
    app whose memories it writes, at most 100 bytes; None for mem9's default one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: Space
    agent_id: str
    session_id: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    app_id: str | None = None

    @property
    def address(self) -> dict[str, str | None]:
        """All of it but the space, as it is kept and hashed; without an app that is not named."""
        told = self.model_dump(mode="json", exclude={"space"})
        if self.app_id is None:
            del told["app_id"]
        return told
