"""The sentence that tells the model what to do after a search that brought too little."""


def retry_sentence(reason: str, suggestions: tuple[str, ...], after_s: float | None) -> str:
    """Tell the model in one short sentence what to do after a search that brought too little.

    *reason* is a `retry.reason`; *after_s* is in seconds and None where unknown.
    """
    instead = _instead(suggestions)
    if reason == "no_match":
        if not suggestions:
            return "Nothing matched; try once more with a short noun phrase or another keyword."
        return f"Nothing matched; search once more for {instead}."
    if reason == "low_confidence":
        if not suggestions:
            return "The matches are weak; check them, or search again with more specific words."
        return f"The matches are weak; check them, or search again for {instead}."
    wait = _duration(after_s)
    if reason == "pending_writes":
        return (
            "Matching memories are still on their way; use the ones under `pending`"
            f" and search again {f'in {wait}' if wait else 'in a later turn'}."
        )
    if reason == "rate_limited":
        return f"mem9 is rate limiting; search again {f'in {wait}' if wait else 'a little later'}."
    if reason == "quota_denied":
        return (
            "mem9 denied the search for quota; do not search again"
            f"{f' for {wait}' if wait else ''}, and tell the user what `user_message` says."
        )
    if reason == "unavailable":
        return (
            "Memory could not be searched, which does not mean that it is empty; "
            f"{f'try again in {wait}' if wait else 'try again later'}, or go on without it."
        )
    if reason == "timeout":
        return (
            "mem9 did not answer in time, which does not mean that memory is empty; "
            f"try again {f'in {wait}' if wait else 'once'}, or go on without it."
        )
    if reason == "unauthorized":
        return "mem9 refused the API key; do not search again until someone has corrected it."
    return "The search was refused as it stands; correct its parameters before searching again."


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
