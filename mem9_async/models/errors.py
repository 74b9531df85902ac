"""Every error the tools can meet, one class per cause. Each is safe to show."""

from mem9_async.models.outcome import Outcome


class Mem9AsyncError(Exception):
    """Something the caller must be told; `code` is stable, the text says what to do."""

    code: str = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InvalidRequest(Mem9AsyncError):
    """The parameters cannot be carried out as they are; sending them again changes nothing."""

    code = "invalid_request"


class CredentialsMissing(Mem9AsyncError):
    """No usable key or address for the mode in force."""

    code = "missing_api_key"


class QueueFull(Mem9AsyncError):
    """The journal has no room; `depth`, `capacity` (jobs) and `oldest_age_s` say how full."""

    code = "queue_full"

    def __init__(
        self,
        message: str,
        *,
        depth: int,
        capacity: int,
        oldest_age_s: float | None,
        after_s: float,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.depth = depth
        self.capacity = capacity
        self.oldest_age_s = oldest_age_s
        self.after_s = after_s


class Unwritable(QueueFull):
    """The journal cannot be written, and `reason` says why: the job may be delivered unkept."""

    def __init__(self, message: str, *, reason: str, depth: int, capacity: int, code: str) -> None:
        super().__init__(
            message, depth=depth, capacity=capacity, oldest_age_s=None, after_s=30.0, code=code
        )
        self.reason = reason


class RequestFailed(Mem9AsyncError):
    """mem9 was asked and did not do it, or could not be asked; `outcome` says which."""

    code = "request_failed"

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(
            outcome.error or "mem9 request failed",
            code=str(outcome.error_type) if outcome.error_type else None,
        )
        self.outcome = outcome


class PartlyDeleted(RequestFailed):
    """A list of ids failed on its way; `deleted` memories were gone by then."""

    def __init__(self, outcome: Outcome, *, deleted: int) -> None:
        super().__init__(outcome)
        self.deleted = deleted


class NotOffered(Mem9AsyncError):
    """What the call needs is not in this mem9, or cannot be proved to be; nothing was done."""

    code = "not_offered"

    def __init__(self, feature: str, *, known: bool) -> None:
        said = (
            f"The mem9 at this address has no {feature}: it would pass over it in silence, so "
            "nothing was asked of it. Leave the parameter out, or use a later mem9."
            if known
            else f"Whether the mem9 at this address has {feature} could not be found out, and one "
            "that has not would pass over it in silence. Nothing was asked of it; try again later."
        )
        super().__init__(said, code=self.code if known else "not_proven")
        self.feature = feature
        self.known = known


class NotFound(Mem9AsyncError):
    """mem9 answered, and there is no memory with this id."""

    code = "not_found"


class VersionConflict(Mem9AsyncError):
    """The memory has changed since the version given; `actual` is its version now."""

    code = "version_conflict"

    def __init__(self, message: str, *, actual: int | None) -> None:
        super().__init__(message)
        self.actual = actual


class RuntimeUnavailable(Mem9AsyncError):
    """The plugin's own background loop did not answer in time."""

    code = "unavailable"
