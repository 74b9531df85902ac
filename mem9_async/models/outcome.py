"""What one request to mem9 came to, in the terms the queue and the tools decide by."""

import json
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class ErrorType(StrEnum):
    """Why a request failed: the closed set of docs/reference/reliability.md, 2."""

    DNS_ERROR = "dns_error"
    CONNECTION_REFUSED = "connection_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_ERROR = "tls_error"
    POOL_TIMEOUT = "pool_timeout"
    CONNECTION_RESET = "connection_reset"
    READ_TIMEOUT = "read_timeout"
    PROTOCOL_ERROR = "protocol_error"
    INVALID_RESPONSE = "invalid_response"
    REDIRECT = "redirect"
    AUTH = "auth"
    REJECTED = "rejected"
    BLOCKED = "blocked"  #: refused in words that are not mem9's: by what stands before it
    QUOTA_EXHAUSTED = "quota_exhausted"
    NOT_FOUND = "not_found"
    REQUEST_TIMEOUT = "request_timeout"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    GATEWAY_TIMEOUT = "gateway_timeout"
    # Ours, never an answer of mem9:
    PAYLOAD_MISMATCH = "payload_mismatch"  #: a stored row failed its integrity check
    DEADLINE_EXCEEDED = "deadline_exceeded"  #: not delivered within delivery_deadline
    WORKER_CRASH = "worker_crash"  #: in flight at three process deaths
    BUG = "bug"  #: our own code failed while sending
    NOT_OFFERED = "not_offered"  #: this mem9 has not what protects the job's content
    NOT_PROVEN = "not_proven"  #: whether it has cannot be found out at present
    NOT_REMEMBERED = "not_remembered"  #: mem9 took it, and does not have it
    PAUSED = "paused"  #: a person holds the space back
    KEY_MISSING = "key_missing"  #: the key was not kept; waits for a call that brings it


#: Codes of failures that lie in one space's own database: other keys at the address are served.
OF_ONE_SPACE = frozenset({"tenant_db_unavailable", "chain_node_unavailable", "decrypt_failed"})


#: The code of a space whose quota mem9 is still counting: nothing was done.
QUOTA_BUSY = "runtime_usage_busy"
#: Codes of a recall that asks for more than mem9 can gather: in rows, and in time.
MEMORY_LIST_BUDGET = "memory_list_budget_exceeded"
RECALL_DEADLINE = "recall_deadline_exceeded"


class Confirmation(StrEnum):
    """What a success means. Never more: mem9's 202 is acceptance, not storage."""

    ACCEPTED = "accepted"  #: 202: mem9 will extract later
    REMEMBERED = "remembered"  #: 202, and then watched until it is seen that mem9 has it
    INGESTED = "ingested"  #: 200 or 201: mem9 has extracted, or stored a pinned memory


class Meter(StrEnum):
    """What mem9 counts: one unit per request."""

    WRITE = "memory_write_requests"
    RECALL = "memory_recall_requests"


class Action(BaseModel):
    """What mem9 recommends to a person; `url` exactly as sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str | None = None
    provider_action_code: str | None = None
    url: str | None = None
    severity: str | None = None


class QuotaDenial(BaseModel):
    """mem9's structured refusal for quota, with the sentence the model may tell the user."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    user_message: str
    code: Literal["runtime_quota_denied"] = "runtime_quota_denied"
    meter: str | None = None
    retry_after_s: int | None = None
    action: Action | None = None


class Outcome(BaseModel):
    """The end of one request. `error_type` None is success.

    `maybe_sent` is True when mem9 may have acted although we got no success:
    sending again may duplicate. `error_code` is a stable short form of what mem9 said
    (`invalid_api_key`, `cluster_quota_exhausted`, ...), None where its text is unknown.
    `error` is a sentence that is safe to show; `detail` the first printable part of the body.
    Seconds everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    error_type: ErrorType | None = None
    confirmation: Confirmation | None = None
    maybe_sent: bool = False
    http_status: int | None = None
    error: str | None = None
    error_code: str | None = None
    detail: str | None = None
    retry_after_s: float | None = None
    denial: QuotaDenial | None = None
    notice: str | None = None
    memory_id: str | None = None
    duration_s: float = 0.0
    attempt: int | None = None  #: of a dead letter: which attempt was its last

    @property
    def ok(self) -> bool:
        """True when mem9 took the request."""
        return self.error_type is None

    @property
    def sentence(self) -> str | None:
        """mem9's own words in `detail`: the `error` of its JSON, else all of it."""
        try:
            return str(json.loads(self.detail or "")["error"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return self.detail


class Trouble(BaseModel):
    """What holds up a space's writes: the last failure that no success has answered yet.

    `held` counts the jobs that wait behind it, `dead` those set aside for good.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["retrying", "parked", "dead", "not_remembering"]
    reason: str
    outcome: Outcome
    held: int
    dead: int = 0
    retry_in_s: float | None = None
