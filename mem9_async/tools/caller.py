"""Who asks, and for which space: credentials and isolation, read once per call."""

import re
from enum import StrEnum
from hashlib import sha256
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from mem9_async.models.errors import CredentialsMissing, InvalidRequest
from mem9_async.models.memory import Memory
from mem9_async.models.space import Space
from mem9_async.tools.call import Call
from mem9_async.tools.requests import fields

DEFAULT_BASE_URL = "https://api.mem9.ai"
DEFAULT_AGENT_ID = "dify"
MAX_ID_CHARS = 100  # VARCHAR(100) in mem9, which answers longer ones with a 500 or a silent loss
MAX_APP_BYTES = 100
_DIGEST_CHARS = 16
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEY = re.compile(r"[!-~]+")
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
# Zero width characters, joiners, marks of direction, soft hyphens, byte order marks.
_INVISIBLE = re.compile(r"[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_HEADER = re.compile(
    r"\A(?:(?:x-api-key|authorization)\s*:\s*)?(?:bearer\s+|bearer$)?", re.IGNORECASE
)


class Isolation(StrEnum):
    """Whose memories mix."""

    SHARED = "shared"
    PER_USER = "per_user"
    PER_CONVERSATION = "per_conversation"
    PER_APP = "per_app"


class Access(BaseModel):
    """A space, and the agent id under which this caller writes and (isolated) reads.

    `app_id` is set where apps are kept apart: everything is written and read in that app.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: Space
    agent_id: str
    isolation: Isolation = Isolation.SHARED
    session_id: str | None = None
    app_id: str | None = None

    @property
    def isolated(self) -> bool:
        """True when this caller may see only what was stored under its own agent id."""
        return self.isolation in (Isolation.PER_USER, Isolation.PER_CONVERSATION)

    @property
    def kept_apart(self) -> bool:
        """True when not everything in the space is this caller's."""
        return self.isolation is not Isolation.SHARED

    def owns(self, memory: Memory) -> bool:
        """Whether this caller may see *memory*: by its id, mem9 shows anybody's."""
        if self.isolated and memory.agent_id != self.agent_id:
            return False
        return self.app_id is None or memory.app_id == self.app_id

    @property
    def own_agent_id(self) -> str | None:
        """The filter that keeps reads to the caller's own memories; None when all are shared."""
        return self.agent_id if self.isolated else None


def read(call: Call) -> Access:
    """Return the space, agent id and session of *call*.

    Raises CredentialsMissing (`missing_api_key`, `malformed_api_key`, `invalid_base_url`)
    or InvalidRequest (`session_id_too_long`, `agent_id_too_long`, `agent_id_invalid`,
    `auth_mode_invalid`, `isolation_invalid`, `isolation_unknown_caller`).
    """
    asked = space(call)
    session_id = identifier("session_id", fields.text(call.parameters, "session_id"))
    configured = configured_agent_id(call)
    kept_apart = isolation(call)
    match kept_apart:
        case Isolation.SHARED | Isolation.PER_APP:
            agent_id = configured
        case Isolation.PER_USER:
            agent_id = _derived(configured, "u", call.user_id, "per_user")
        case Isolation.PER_CONVERSATION:
            agent_id = _derived(
                configured, "c", call.conversation_id or session_id, "per_conversation"
            )
    return Access(
        space=asked,
        agent_id=agent_id,
        isolation=kept_apart,
        session_id=session_id,
        app_id=own_app(call, call.app_id),
    )


def owner(call: Call) -> str | None:
    """Return whose one key this is: the app's, else the user's; None where nodes have own keys."""
    if _multi_space(call):
        return None
    return call.app_id or call.user_id or None


def space(call: Call) -> Space:
    """Return the space alone, for what is not bound to a caller; raises as `read` does."""
    return Space(base_url=_base_url(call), api_key=SecretStr(_api_key(call)))


def isolation(call: Call) -> Isolation:
    """Return whose memories mix; an unknown word is refused (`isolation_invalid`)."""
    given = fields.text(call.credentials, "isolation") or Isolation.SHARED
    try:
        return Isolation(given)
    except ValueError:
        # Guessing could mix people whose memories were meant to stay apart.
        raise InvalidRequest(
            "isolation must be shared, per_user, per_conversation or per_app",
            code="isolation_invalid",
        ) from None


def own_app(call: Call, dify_app: str | None) -> str | None:
    """Return the app of mem9's that *dify_app* has, where apps are kept apart; else None."""
    if isolation(call) is not Isolation.PER_APP:
        return None
    named = (dify_app or "").strip()
    if not named:
        raise InvalidRequest(
            "isolation per_app keeps memories apart by Dify's app, and this call has none. "
            "Nothing was read or stored.",
            code="isolation_unknown_caller",
        )
    return app("app_id", named)


def app(name: str, value: str | None) -> str | None:
    """Return *value* when mem9 can keep it as the name of an app, and find it again."""
    if value is None:
        return None
    size = len(value.encode())
    if size > MAX_APP_BYTES:
        raise InvalidRequest(
            f"{name} has {size} bytes; mem9 keeps at most {MAX_APP_BYTES}", code="app_id_too_long"
        )
    if _CONTROL.search(value) or value.lower() == "null":
        raise InvalidRequest(
            f"{name} must be a name without line breaks and control characters, and not null, "
            "which mem9 reads as no app at all",
            code="app_id_invalid",
        )
    return value


def check_form(call: Call) -> tuple[Space | None, str]:
    """Return the space and the configured agent id; no space in multi space, where nodes have it.

    Checks the form of the credentials alone; raises as `read` does.
    """
    agent_id = configured_agent_id(call)
    isolation(call)
    if _multi_space(call):
        _base_url(call)
        return None, agent_id
    return space(call), agent_id


def identifier(name: str, value: str | None, family: str | None = None) -> str | None:
    """Return *value* when mem9 can keep it as an id; *family* names the error codes."""
    if value is None:
        return None
    if len(value) > MAX_ID_CHARS:
        raise InvalidRequest(
            f"{name} has {len(value)} characters; mem9 keeps at most {MAX_ID_CHARS}",
            code=f"{family or name}_too_long",
        )
    if _CONTROL.search(value):
        raise InvalidRequest(
            f"{name} holds line breaks or control characters", code=f"{family or name}_invalid"
        )
    return value


def derived(configured: str, mark: str, who: str) -> str:
    """Return the agent id of *who* below the one that is configured; *mark* says of what kind."""
    # The whole configured id goes into the digest, so cutting it cannot join two apps.
    digest = sha256(f"{configured}\0{mark}\0{who}".encode()).hexdigest()[:_DIGEST_CHARS]
    suffix = f"-{mark}-{digest}"
    return configured[: MAX_ID_CHARS - len(suffix)] + suffix


def configured_agent_id(call: Call) -> str:
    """Return the agent id of the credentials; raises as `read` does."""
    given = fields.text(call.credentials, "mem9_agent_id")
    return identifier("mem9_agent_id", given, "agent_id") or DEFAULT_AGENT_ID


def _multi_space(call: Call) -> bool:
    match fields.text(call.credentials, "auth_mode"):
        case None | "single_space":
            # Credentials saved before auth_mode existed have none: they mean single space.
            return False
        case "multi_space":
            return True
    # Guessing could store one node's memories in another's space.
    raise InvalidRequest("auth_mode must be single_space or multi_space", code="auth_mode_invalid")


def _api_key(call: Call) -> str:
    if _multi_space(call):
        key = fields.text(call.parameters, "api_key")
        if key is None:
            raise CredentialsMissing(
                "This node has no mem9 API key. The plugin is set to multi space "
                "(auth_mode multi_space), where each workflow node carries its own key: fill in "
                "api_key on this node, or switch the plugin's credentials to single_space."
            )
    else:
        key = fields.text(call.credentials, "mem9_api_key")
        if key is None:
            raise CredentialsMissing(
                "The plugin has no mem9 API key. It is set to single space (auth_mode "
                "single_space), where the key stands in the plugin's credentials: fill in "
                "mem9_api_key there, or switch auth_mode to multi_space and give each workflow "
                "node its own api_key."
            )
    return _clean_key(key)


def _clean_key(pasted: str) -> str:
    """Return the key in what people paste: from a header, from code, with invisible characters."""
    key = _INVISIBLE.sub("", pasted).strip()
    key = _HEADER.sub("", key.strip(_QUOTES).strip()).strip(_QUOTES).strip()
    if not key:
        raise CredentialsMissing(
            "The mem9 API key is empty once quotes, 'Bearer' and invisible characters are taken "
            "away: copy the key itself.",
            code="malformed_api_key",
        )
    if not _KEY.fullmatch(key):
        what = (
            "line breaks or control characters"
            if _CONTROL.search(key)
            else "spaces"
            if any(char.isspace() for char in key)
            else "characters that no key has (only ASCII can be sent)"
        )
        raise CredentialsMissing(
            f"The mem9 API key holds {what}: copy it again.", code="malformed_api_key"
        )
    return key


def _base_url(call: Call) -> str:
    given = fields.text(call.credentials, "mem9_base_url")
    if given is None:
        return DEFAULT_BASE_URL
    base_url = given.rstrip("/")
    try:
        parts = urlsplit(base_url)
        usable = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and not (parts.query or parts.fragment or parts.username)
            and (parts.port is None or parts.port > 0)
            and not any(char.isspace() for char in base_url)
        )
    except ValueError:  # a broken port or bracket
        usable = False
    if not usable:
        # The address itself is not repeated: it may hold a password.
        raise CredentialsMissing(
            "mem9_base_url must be an http or https address with a host name and without a user "
            "name, query or fragment. Leave it empty for mem9's hosted service.",
            code="invalid_base_url",
        )
    return base_url


def _derived(configured: str, mark: str, who: str | None, isolation: str) -> str:
    if not who or not who.strip():
        what = (
            "Dify's user, and this call has none"
            if mark == "u"
            else "a conversation, and this call has none: bind session_id on the node "
            "(for example to sys.conversation_id)"
        )
        raise InvalidRequest(
            f"isolation {isolation} keeps memories apart by {what}. Nothing was read or stored.",
            code="isolation_unknown_caller",
        )
    return derived(configured, mark, who.strip())
