"""What a log may say of an error of our own."""

import traceback


def place_of(error: BaseException) -> str:
    """The kind of *error* and where it arose, `ValueError at lanes.py:12`.

    Never its text: that of a failed validation quotes what was given, which may be content or a
    key.
    """
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(dict.fromkeys(place_of(each) for each in error.exceptions))
    return f"{type(error).__name__}{at}"
