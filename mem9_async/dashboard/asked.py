"""What a visitor's query or form asks for. Never raises: nonsense is no filter, and is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from mem9_async.models.inspection import JobFilter
from mem9_async.models.job import JobState

#: Names of the fields by which jobs are chosen, in the page's order.
FIELDS = ("state", "space", "lane", "error_type", "reference", "older_than", "job")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filter, as given (to be shown again) and as understood."""

    given: dict[str, str]
    filter: JobFilter
    problem: str | None = None


def wanted(fields: Mapping[str, str]) -> Wanted:
    """The filter that *fields* ask for."""
    given = {name: value for name in FIELDS if (value := fields.get(name, "").strip()[:200])}
    try:
        return Wanted(given, _filter(given))
    except ValidationError as exc:
        return Wanted(given, JobFilter(), f"{exc.errors()[0]['loc'][0]} cannot be read")
    except ValueError as exc:
        return Wanted(given, JobFilter(), str(exc))


def _filter(given: Mapping[str, str]) -> JobFilter:
    older_than = given.get("older_than")
    return JobFilter(
        states=(JobState(given["state"]),) if "state" in given else (),
        space=given.get("space"),
        lane=given.get("lane"),
        error_type=given.get("error_type"),
        reference=given.get("reference"),
        older_than_s=float(older_than) if older_than else None,
        job_ids=(given["job"],) if "job" in given else (),
    )
