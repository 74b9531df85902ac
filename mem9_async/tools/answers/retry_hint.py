"""The sentence that tells the model what to do after a search that brought too little."""

_REDIRECTS = range(300, 400)
# No such page, no such method, nothing that mem9 would implement: not mem9's API answered.
_WRONG_ADDRESS = frozenset({404, 405, 501})


def retry_sentence(
    reason: str,
    suggestions: tuple[str, ...],
    after_s: float | None,
    *,
    retryable: bool = True,
    user_message: bool = True,
    status: int | None = None,
) -> str:
    """Tell the model in one short sentence what to do after a search that brought too little.

    *reason* is a `retry.reason`; *after_s* is in seconds and None where unknown. Where
    *retryable* is false, no sentence advises the same search again. *user_message* says whether
    the answer holds one, and *status* is the HTTP status that mem9 answered with, if it did.
    """
    if reason in {"no_match", "low_confidence"}:
        return _other_words(reason, suggestions, retryable=retryable)
    wait = _duration(after_s) if retryable else ""
    if reason == "pending_writes":
        return _on_their_way(wait, retryable=retryable)
    if reason == "rate_limited":
        if not retryable:
            return "mem9 is rate limiting; do not search again in this turn."
        return f"mem9 is rate limiting; search again {f'in {wait}' if wait else 'a little later'}."
    if reason == "quota_denied":
        return _denied(wait, user_message=user_message)
    if reason == "unavailable":
        happened = "Memory could not be searched, which does not mean that it is empty"
        again = f"try again in {wait}" if wait else "try again later"
        return _without_it(happened, again, retryable=retryable)
    if reason == "timeout":
        happened = "mem9 did not answer in time, which does not mean that memory is empty"
        again = f"try again in {wait}" if wait else "try again once"
        return _without_it(happened, again, retryable=retryable)
    if reason == "unauthorized":
        return "mem9 refused the API key; do not search again until someone has corrected it."
    return _refused(status)


def _on_their_way(wait: str, *, retryable: bool) -> str:
    if not retryable:
        return (
            "Matching memories have not reached mem9 yet; use the ones under `pending`,"
            " do not search again for them."
        )
    return (
        "Matching memories are still on their way; use the ones under `pending`"
        f" and search again {f'in {wait}' if wait else 'in a later turn'}."
    )


def _denied(wait: str, *, user_message: bool) -> str:
    told = ", and tell the user what `user_message` says" if user_message else ""
    return (
        "mem9 denied the search for quota; do not search again"
        f"{f' for {wait}' if wait else ''}{told}."
    )


def _refused(status: int | None) -> str:
    if status is not None and (status in _REDIRECTS or status in _WRONG_ADDRESS):
        return (
            f"No mem9 answers at this address (status {status}); do not search again,"
            " the plugin's base URL should be checked."
        )
    return "The search was refused as it stands; correct its parameters before searching again."


def _other_words(reason: str, suggestions: tuple[str, ...], *, retryable: bool) -> str:
    weak = reason == "low_confidence"
    if not retryable:
        if weak:
            return "The matches are weak; check them, and do not search again."
        return "Nothing matched; do not search again, go on without."
    if weak:
        better = f"for {_instead(suggestions)}" if suggestions else "with more specific words"
        return f"The matches are weak; check them, or search again {better}."
    if not suggestions:
        return "Nothing matched; try once more with a short noun phrase or another keyword."
    return f"Nothing matched; search once more for {_instead(suggestions)}."


def _without_it(happened: str, again: str, *, retryable: bool) -> str:
    return f"{happened}; {f'{again}, or ' if retryable else ''}go on without it."


def _instead(suggestions: tuple[str, ...]) -> str:
    return " or ".join(f'"{suggestion}"' for suggestion in suggestions[:2])


def _duration(after_s: float | None) -> str:
    if after_s is None or not after_s > 0:
        return ""
    seconds = max(1, round(min(after_s, 10 * 86_400)))
    if seconds < 120:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{-(-minutes // 60)} h"
