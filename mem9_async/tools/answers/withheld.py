"""What is said when mem9 sent memories of other apps than the one that was asked for."""


def withheld(count: int) -> str | None:
    """Return the sentence about *count* memories that are not shown; None for none."""
    if not count:
        return None
    return (
        f"Memories of other apps that mem9 sent as well, and that are not shown: {count}. It does "
        "not keep to app_id at present."
    )
