"""Options that say which jobs are meant."""

import re

from mem9_async.models.inspection import JobFilter
from mem9_async.models.job import JobState

_JOB_ID = re.compile(r"[0-9a-f]{32}")
_FINGERPRINT = re.compile(r"[0-9a-f]{8}")


def read_filter(
    job_ids: list[str] | None,
    state: list[str] | None,
    space: str | None,
    lane: str | None,
    error_type: str | None,
    reference: str | None,
    older_than_s: float | None,
) -> JobFilter:
    """The filter that these options are. Raises ValueError with what is wrong."""
    ids = tuple(each.strip().lower() for each in job_ids or ())
    for each in ids:
        if not _JOB_ID.fullmatch(each):
            raise ValueError(f"{each} is no job id: 32 hexadecimal digits")
    for name, given in (("--space", space), ("--lane", lane)):
        if given is not None and not _FINGERPRINT.fullmatch(given):
            raise ValueError(f"{name} takes a fingerprint of 8 hexadecimal digits, as shown")
    if older_than_s is not None and older_than_s < 0:
        raise ValueError("--older-than takes seconds, 0 or more")
    return JobFilter(
        job_ids=ids,
        states=tuple(_state(each) for name in state or () for each in name.split(",")),
        space=space,
        lane=lane,
        error_type=error_type,
        reference=reference,
        older_than_s=older_than_s,
    )


def _state(name: str) -> JobState:
    try:
        return JobState(name.strip().lower())
    except ValueError:
        known = ", ".join(JobState)
        raise ValueError(f"{name} is no state of a job; there are {known}") from None
