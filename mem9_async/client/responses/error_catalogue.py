"""What mem9's error texts mean, as data.

Sources: docs/reference/mem9-api.md, 1, 3, 6 and 7; docs/reference/mem9-newer.md, 2.
"""

from dataclasses import dataclass

from mem9_async.models.outcome import MEMORY_LIST_BUDGET, QUOTA_BUSY, RECALL_DEADLINE, ErrorType


@dataclass(frozen=True, slots=True)
class Meaning:
    """A text that mem9 is known to send with `status`; it overrides what the status says.

    `text` is lower case and occurs anywhere in the error or in the code that stands beside it;
    None in `error_type` or `maybe_sent` keeps the status's.
    """

    status: int
    text: str
    code: str
    error_type: ErrorType | None = None
    maybe_sent: bool | None = None


MEANINGS = (
    # A hiccup of mem9's control database answers exactly like a wrong key: never `rejected`.
    Meaning(400, "invalid api key", "invalid_api_key", ErrorType.AUTH),
    Meaning(400, "missing api key", "missing_api_key", ErrorType.AUTH),
    Meaning(400, "no nodes", "no_chain_nodes", ErrorType.AUTH),
    Meaning(400, "invalid json", "invalid_json"),
    Meaning(400, "content: too long", "content_too_long"),
    Meaning(400, "tags: too many", "too_many_tags"),
    Meaning(400, "ids: ", "invalid_ids"),
    Meaning(400, "provisioning", "provisioning_unavailable"),
    Meaning(400, "appid: ", "app_id_invalid"),
    Meaning(400, "created_after: ", "window_invalid"),
    Meaning(400, "created_before: ", "window_invalid"),
    Meaning(400, "if-match: ", "if_match_invalid"),
    Meaning(400, "metadata.external_provenance: ", "metadata_reserved"),
    Meaning(400, "tenant api key required", "tenant_key_required"),
    # Several jobs are one payload there, so that halves may fit.
    Meaning(400, "canonical ingest payload exceeds", "payload_too_large", ErrorType.TOO_LARGE),
    Meaning(400, "finite json values", "metadata_not_finite"),
    Meaning(401, "x-api-key", "missing_api_key"),
    Meaning(403, "tenant is not active", "tenant_inactive"),
    Meaning(404, "tenant not found", "tenant_not_found", ErrorType.AUTH),
    Meaning(404, "key not found", "key_not_found", ErrorType.AUTH),
    Meaning(409, "schema incompatible", "schema_incompatible"),
    Meaning(422, "memory_list_budget_exceeded", MEMORY_LIST_BUDGET),
    Meaning(422, "memory list budget exceeded", MEMORY_LIST_BUDGET),
    # The quota service is busy; nothing was done, and a moment later it may be.
    Meaning(429, "runtime usage rate limited", QUOTA_BUSY),
    Meaning(429, "rate limit exceeded", "rate_limit_exceeded"),
    Meaning(429, "cluster quota exhausted", "cluster_quota_exhausted", ErrorType.QUOTA_EXHAUSTED),
    Meaning(500, "ingest reconciliation failed", "ingest_reconciliation_failed"),
    Meaning(500, "content reconciliation failed", "content_reconciliation_failed"),
    Meaning(500, "failed to decrypt tenant credentials", "decrypt_failed"),
    Meaning(500, "auth backend unavailable", "auth_backend_unavailable"),
    Meaning(500, "internal server error", "internal_error"),
    Meaning(502, "runtime usage conflict", "runtime_usage_conflict"),
    Meaning(503, "cannot connect to tenant database", "tenant_db_unavailable"),
    Meaning(503, "chain node tenant unavailable", "chain_node_unavailable"),
    Meaning(503, "space chain auth unavailable", "chain_auth_unavailable"),
    Meaning(503, "runtime usage unavailable", "runtime_usage_unavailable"),
    Meaning(503, "write conflict", "write_conflict"),
    Meaning(503, "durable ingest enqueue failed", "ingest_enqueue_failed", maybe_sent=False),
    Meaning(503, "webhook service unavailable", "webhooks_unavailable"),
    Meaning(504, "sync ingest timed out", "sync_timeout"),
    Meaning(504, "recall_server_deadline_exceeded", RECALL_DEADLINE),
    Meaning(504, "recall request deadline exceeded", RECALL_DEADLINE),
)


@dataclass(frozen=True, slots=True)
class Status:
    """What a status means where the text adds nothing; `maybe_sent`: mem9 may have acted."""

    error_type: ErrorType
    maybe_sent: bool = False
    code: str | None = None


STATUSES = {
    400: Status(ErrorType.REJECTED),
    401: Status(ErrorType.AUTH, code="unauthorized"),
    402: Status(ErrorType.QUOTA_EXHAUSTED),
    403: Status(ErrorType.AUTH, code="forbidden"),
    404: Status(ErrorType.NOT_FOUND),
    405: Status(ErrorType.REJECTED, code="method_not_allowed"),
    # Made by a proxy of ours, so nothing is wrong with the job: it must not be set aside for good.
    407: Status(ErrorType.UNAVAILABLE, code="proxy_auth_required"),
    408: Status(ErrorType.REQUEST_TIMEOUT, maybe_sent=True),
    409: Status(ErrorType.CONFLICT),
    411: Status(ErrorType.TOO_LARGE),
    412: Status(ErrorType.CONFLICT, code="version_mismatch"),
    413: Status(ErrorType.TOO_LARGE),
    414: Status(ErrorType.TOO_LARGE),
    415: Status(ErrorType.REJECTED),
    422: Status(ErrorType.REJECTED),
    425: Status(ErrorType.REQUEST_TIMEOUT, maybe_sent=True),
    429: Status(ErrorType.RATE_LIMITED),
    431: Status(ErrorType.TOO_LARGE),
    # Said of a request that we, or a proxy on the way, gave up on.
    499: Status(ErrorType.REQUEST_TIMEOUT, maybe_sent=True, code="client_closed_request"),
    500: Status(ErrorType.SERVER_ERROR, maybe_sent=True),
    501: Status(ErrorType.REJECTED, code="not_supported"),
    502: Status(ErrorType.UNAVAILABLE, maybe_sent=True),
    503: Status(ErrorType.UNAVAILABLE, maybe_sent=True),
    504: Status(ErrorType.GATEWAY_TIMEOUT, maybe_sent=True),
}

# The first digit decides for a status that is not listed.
FAMILIES = {
    3: Status(ErrorType.REDIRECT),
    4: Status(ErrorType.REJECTED),
    5: Status(ErrorType.SERVER_ERROR, maybe_sent=True),
}
ODD = Status(ErrorType.PROTOCOL_ERROR, maybe_sent=True)


def status_meaning(status: int) -> Status:
    """What *status* means by itself. A 2xx is not asked about here."""
    return STATUSES.get(status) or FAMILIES.get(status // 100, ODD)


def text_meaning(status: int, text: str) -> Meaning | None:
    """The first meaning known for *text* with *status*; None where it says nothing new."""
    lowered = text.lower()
    for meaning in MEANINGS:
        if meaning.status == status and meaning.text in lowered:
            return meaning
    return None
