"""What a refused key comes to once mem9's free status route was asked about it.

mem9 answers `invalid API key` for a key it does not know, for one whose space is suspended, and
whenever the database behind its keys is away.
"""

from mem9_async.models.memory import KeyState
from mem9_async.models.outcome import ErrorType, Outcome

_NOT_THE_KEY = (
    "mem9 cannot check keys at present, most likely because its own database is away. Nothing is "
    "wrong with this key: try again later, or see to the server."
)
_INACTIVE = (
    "This mem9 key is not active: its space is suspended, or is still being made. Look at the "
    "space in mem9."
)
_UNKNOWN = (
    "mem9 does not know this key: it was deleted, or belongs to another server. Check the key and "
    "the base URL."
)
_EMPTY_CHAIN = "This mem9 key is that of a chain without any space in it. Add a space to the chain."

#: Codes whose sentence says more than that the request failed.
CODES = frozenset({"auth_backend_unavailable", "key_inactive", "key_unknown", "no_chain_nodes"})


def is_doubtful(outcome: Outcome) -> bool:
    """Whether *outcome* blames the key in words that may have another cause."""
    return outcome.error_type is ErrorType.AUTH and outcome.error_code == "invalid_api_key"


def explained(outcome: Outcome, state: KeyState | None) -> Outcome:
    """Return *outcome* of a refused key with what *state* says about it.

    Where the key is good, or mem9 cannot tell, it is no refusal but an outage.
    """
    if outcome.error_type is not ErrorType.AUTH:
        return outcome
    if outcome.error_code == "no_chain_nodes":
        return outcome.model_copy(update={"error": _EMPTY_CHAIN})
    match state:
        case KeyState.ACTIVE | KeyState.UNAVAILABLE:
            return outcome.model_copy(
                update={
                    "error_type": ErrorType.UNAVAILABLE,
                    "error_code": "auth_backend_unavailable",
                    "error": _NOT_THE_KEY,
                }
            )
        case KeyState.INACTIVE:
            return outcome.model_copy(update={"error_code": "key_inactive", "error": _INACTIVE})
        case KeyState.UNKNOWN:
            return outcome.model_copy(update={"error_code": "key_unknown", "error": _UNKNOWN})
    return outcome
