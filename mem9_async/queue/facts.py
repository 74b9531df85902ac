"""How many facts mem9 may make of what it is told. Pure."""

import re

from mem9_async.models.job import Payload, Turn

_MOST_A_MESSAGE = 12
# The end of a sentence in any script, or a line, as of a list.
_ENDS = re.compile(r"[.!?;](?=\s|$)|[\u3002\uff01\uff1f\uff1b\u0964\u06d4\u0589]|\n+")


def expected_facts(payload: Payload) -> int:
    """The larger of its user messages and their sentences, at most 12 counted a message."""
    if not isinstance(payload, Turn):
        return 1
    return sum(
        min(_MOST_A_MESSAGE, max(1, _sentences(message.content)))
        for message in payload.messages
        if message.role == "user"
    )


def _sentences(text: str) -> int:
    return sum(1 for part in _ENDS.split(text) if part and part.strip())
