"""Reads Retry-After headers, which servers and proxies write in every way there is."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(values: Iterable[str], *, longest_s: float, now: datetime) -> float | None:
    """The longest wait that *values* ask for, in seconds within 0 and *longest_s*.

    Each value is seconds or an HTTP date (reckoned from *now*, which carries a zone); one that
    is neither is passed over. None when no value can be read.
    """
    waits = [
        wait for wait in (_seconds(value.strip(), now) for value in values) if wait is not None
    ]
    return min(max(0.0, *waits), longest_s) if waits else None


def _seconds(value: str, now: datetime) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return _until(value, now)
    return None if math.isnan(seconds) else seconds


def _until(value: str, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
