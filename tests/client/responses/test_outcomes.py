"""The table: docs/reference/reliability.md, 2, with docs/reference/mem9-api.md, 7."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from mem9_async.client.responses.error_catalogue import MEANINGS, STATUSES
from mem9_async.client.responses.outcomes import DETAIL_MAX, of_refusal, of_store, printable
from mem9_async.models.outcome import Confirmation, ErrorType, Meter
from tests.client.builders import KEY, answer, denial, open_url

E = ErrorType
HTML = b"<html><body>gateway</body></html>"


def error(text: str) -> dict[str, JsonValue]:
    """mem9's error body."""
    return {"error": text}


@pytest.mark.parametrize(
    ("status", "body", "confirmation"),
    [
        (200, {"status": "ok"}, Confirmation.INGESTED),
        (202, {"status": "accepted"}, Confirmation.ACCEPTED),
        (202, {}, Confirmation.ACCEPTED),
        (202, {"job_id": "j1", "state": "queued"}, Confirmation.ACCEPTED),
        (202, {"status": 5, "message": ["odd"], "runtimeState": "odd"}, Confirmation.ACCEPTED),
        (202, {"status": "accepted", "error": "left over"}, Confirmation.ACCEPTED),
        (201, {"id": "m1", "content": "x", "version": 1}, Confirmation.INGESTED),
    ],
)
def test_a_success_needs_its_status_and_a_json_object(
    status: int, body: JsonValue, confirmation: Confirmation
) -> None:
    """The status says which success; no field is needed."""
    outcome = of_store(answer(status, body), retry_after_max_s=60.0)

    assert outcome.ok
    assert outcome.confirmation is confirmation
    assert outcome.http_status == status
    assert not outcome.maybe_sent


def test_a_pinned_memory_brings_its_id() -> None:
    """The 201 is the memory."""
    assert of_store(answer(201, {"id": "m1"}), retry_after_max_s=60.0).memory_id == "m1"


def test_a_success_keeps_mem9s_notice() -> None:
    """`message` is passed on as it is."""
    body: JsonValue = {"status": "accepted", "message": "80% used"}

    assert of_store(answer(202, body), retry_after_max_s=60.0).notice == "80% used"


_NO_OBJECT = [
    b"",
    b"   ",
    b'{"status": "acc',
    b"[]",
    b'"ok"',
    b"null",
    b"7",
    b"\xff\xfe",
    b"[" * 9000,
]


@pytest.mark.parametrize("status", [201, 202, 204])
@pytest.mark.parametrize("body", [*_NO_OBJECT, b"accepted", b'{"n": NaN}'])
def test_a_status_that_says_taken_needs_no_body(status: int, body: bytes) -> None:
    """Sent again, the same memory would be stored twice."""
    outcome = of_store(answer(status, body), retry_after_max_s=60.0)

    assert outcome.ok
    assert outcome.http_status == status
    assert not outcome.maybe_sent


@pytest.mark.parametrize("status", [200, 202])
def test_a_byte_order_mark_hides_nothing(status: int) -> None:
    """What follows it is read."""
    body = b'\xef\xbb\xbf{"status": "ok", "message": "80% used"}'

    assert of_store(answer(status, body), retry_after_max_s=60.0).notice == "80% used"


@pytest.mark.parametrize(
    ("status", "body"),
    [(status, body) for status in (200, 206) for body in _NO_OBJECT]
    + [
        (status, body)
        for status in (200, 201, 202, 204, 206)
        for body in (HTML, b"\xef\xbb\xbf \n" + HTML, b'{"error": "wrong door"}')
    ],
)
def test_any_other_2xx_is_no_success(status: int, body: bytes) -> None:
    """A page, an error, or a 200 without mem9's object: it may have acted, and we cannot tell."""
    outcome = of_store(answer(status, body), retry_after_max_s=60.0)

    assert outcome.error_type is E.INVALID_RESPONSE
    assert outcome.maybe_sent
    assert outcome.confirmation is None
    assert outcome.http_status == status


@pytest.mark.parametrize(("status", "code"), [(405, "method_not_allowed"), (501, "not_supported")])
@pytest.mark.parametrize("body", [b"", HTML, b'{"error": "not here"}'])
def test_a_store_that_is_not_offered_means_that_no_mem9_is_here(
    status: int, code: str, body: bytes
) -> None:
    """The address is wrong, not the memory: it waits for a correction."""
    outcome = of_store(answer(status, body), retry_after_max_s=60.0)

    assert (outcome.error_type, outcome.error_code) == (E.NOT_FOUND, code)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, HTML),
        (403, {"message": "Forbidden"}),
        (403, {"error": "request blocked by policy 12"}),
        (400, HTML),
        (400, {"code": 7}),
        (406, HTML),
        (406, {"error": "no"}),
        (410, b""),
        (413, HTML),
        (418, b"teapot"),
        (422, {"detail": "no"}),
        (451, b""),
    ],
)
def test_a_refusal_in_words_that_are_not_mem9s_is_a_block(
    status: int, body: JsonValue | bytes
) -> None:
    """A gateway's: perhaps of this content alone."""
    outcome = of_store(answer(status, body), retry_after_max_s=60.0)

    assert (outcome.error_type, outcome.error_code) == (E.BLOCKED, "blocked")
    assert not outcome.maybe_sent


@pytest.mark.parametrize(
    ("status", "body", "error_type"),
    [
        (400, {"error": "invalid API key"}, E.AUTH),
        (400, {"error": "content: something new"}, E.REJECTED),
        (401, HTML, E.AUTH),
        (403, {"error": "tenant is not active"}, E.AUTH),
        (413, {"error": "too large"}, E.TOO_LARGE),
        (404, HTML, E.NOT_FOUND),
    ],
)
def test_mem9s_own_refusals_keep_their_meaning(
    status: int, body: JsonValue | bytes, error_type: ErrorType
) -> None:
    """Also those that the whole space meets."""
    assert of_store(answer(status, body), retry_after_max_s=60.0).error_type is error_type


def test_a_success_that_was_cut_off_is_one_where_its_status_says_taken() -> None:
    """A 200 that was cut off is none, even when what came happens to be JSON."""
    cut = of_store(answer(202, {"status": "ok"}, whole=False), retry_after_max_s=60.0)
    unsaid = of_store(answer(200, {"status": "ok"}, whole=False), retry_after_max_s=60.0)

    assert cut.ok
    assert unsaid.error_type is E.INVALID_RESPONSE


# status, body, error_type, maybe_sent, error_code
ROWS: list[tuple[int, JsonValue | bytes, ErrorType, bool, str | None]] = [
    (301, b"", E.REDIRECT, False, None),
    (302, HTML, E.REDIRECT, False, None),
    (304, b"", E.REDIRECT, False, None),
    (307, b"", E.REDIRECT, False, None),
    (308, b"", E.REDIRECT, False, None),
    (400, error("invalid API key"), E.AUTH, False, "invalid_api_key"),
    (400, error("missing API key"), E.AUTH, False, "missing_api_key"),
    (400, error("Space Chain has no nodes."), E.AUTH, False, "no_chain_nodes"),
    (400, b"Invalid API key\n", E.AUTH, False, "invalid_api_key"),
    (400, error("invalid JSON: EOF"), E.REJECTED, False, "invalid_json"),
    (400, error("content: too long (max 50000)"), E.REJECTED, False, "content_too_long"),
    (400, error("memories[0].content: too long"), E.REJECTED, False, "content_too_long"),
    (400, error("tags: too many (max 20)"), E.REJECTED, False, "too_many_tags"),
    (400, error("ids: required"), E.REJECTED, False, "invalid_ids"),
    (400, error("provisioning not configured"), E.REJECTED, False, "provisioning_unavailable"),
    (400, error("body: content mode does not accept mode"), E.REJECTED, False, None),
    (400, error("appId: too long (max 100)"), E.REJECTED, False, "app_id_invalid"),
    (
        400,
        error("created_after: must be an RFC3339 timestamp"),
        E.REJECTED,
        False,
        "window_invalid",
    ),
    (
        400,
        error("created_before: must be an RFC3339 timestamp"),
        E.REJECTED,
        False,
        "window_invalid",
    ),
    (
        400,
        error("If-Match: must be a positive integer memory version"),
        E.REJECTED,
        False,
        "if_match_invalid",
    ),
    (
        400,
        error("metadata.external_provenance: one user message is required"),
        E.REJECTED,
        False,
        "metadata_reserved",
    ),
    (400, error("tenant API key required"), E.REJECTED, False, "tenant_key_required"),
    (
        400,
        error("body: canonical ingest payload exceeds 1048576 bytes"),
        E.TOO_LARGE,
        False,
        "payload_too_large",
    ),
    (
        400,
        error("metadata: metadata must contain finite JSON values"),
        E.REJECTED,
        False,
        "metadata_not_finite",
    ),
    (400, b"", E.BLOCKED, False, "blocked"),
    (400, HTML, E.BLOCKED, False, "blocked"),
    (401, error("missing or malformed X-API-Key"), E.AUTH, False, "missing_api_key"),
    (401, b"", E.AUTH, False, "unauthorized"),
    (402, error("pay"), E.QUOTA_EXHAUSTED, False, None),
    (402, b"", E.QUOTA_EXHAUSTED, False, None),
    (402, HTML, E.QUOTA_EXHAUSTED, False, None),
    (403, error("tenant is not active"), E.AUTH, False, "tenant_inactive"),
    (403, HTML, E.BLOCKED, False, "blocked"),
    (404, error("tenant not found"), E.AUTH, False, "tenant_not_found"),
    (404, error("key not found"), E.AUTH, False, "key_not_found"),
    (404, error("not found"), E.NOT_FOUND, False, "not_found"),
    (404, b"404 page not found\n", E.NOT_FOUND, False, "route_not_found"),
    (404, b"", E.NOT_FOUND, False, "route_not_found"),
    (405, b"", E.NOT_FOUND, False, "method_not_allowed"),
    (406, b"", E.BLOCKED, False, "blocked"),
    (407, HTML, E.UNAVAILABLE, False, "proxy_auth_required"),
    (408, b"", E.REQUEST_TIMEOUT, True, None),
    (
        409,
        error("tenant schema incompatible with embedding mode: x"),
        E.CONFLICT,
        False,
        "schema_incompatible",
    ),
    (409, error("other"), E.CONFLICT, False, None),
    (410, b"", E.BLOCKED, False, "blocked"),
    (411, b"", E.BLOCKED, False, "blocked"),
    (412, error("precondition failed: version changed"), E.CONFLICT, False, "version_mismatch"),
    (413, HTML, E.BLOCKED, False, "blocked"),
    (414, HTML, E.BLOCKED, False, "blocked"),
    (415, b"", E.BLOCKED, False, "blocked"),
    (418, b"", E.BLOCKED, False, "blocked"),
    (422, error("x"), E.REJECTED, False, None),
    (
        422,
        error("all-types memory list budget exceeded"),
        E.REJECTED,
        False,
        "memory_list_budget_exceeded",
    ),
    (
        422,
        {"error": "too many rows", "code": "memory_list_budget_exceeded"},
        E.REJECTED,
        False,
        "memory_list_budget_exceeded",
    ),
    (425, b"", E.REQUEST_TIMEOUT, True, None),
    (429, error("rate limit exceeded"), E.RATE_LIMITED, False, "rate_limit_exceeded"),
    (429, error("cluster quota exhausted"), E.QUOTA_EXHAUSTED, False, "cluster_quota_exhausted"),
    (429, error("runtime usage rate limited"), E.RATE_LIMITED, False, "runtime_usage_busy"),
    (429, error("something new"), E.RATE_LIMITED, False, None),
    (429, b"", E.RATE_LIMITED, False, None),
    (429, HTML, E.RATE_LIMITED, False, None),
    (431, b"", E.BLOCKED, False, "blocked"),
    (499, error("client closed request"), E.REQUEST_TIMEOUT, True, "client_closed_request"),
    (
        500,
        error("content reconciliation failed"),
        E.SERVER_ERROR,
        True,
        "content_reconciliation_failed",
    ),
    (500, error("internal server error"), E.SERVER_ERROR, True, "internal_error"),
    (
        500,
        error("ingest reconciliation failed"),
        E.SERVER_ERROR,
        True,
        "ingest_reconciliation_failed",
    ),
    (500, error("failed to decrypt tenant credentials"), E.SERVER_ERROR, True, "decrypt_failed"),
    (500, error("auth backend unavailable"), E.SERVER_ERROR, True, "auth_backend_unavailable"),
    (500, b"", E.SERVER_ERROR, True, None),
    (501, error("session messages: not supported"), E.NOT_FOUND, False, "not_supported"),
    (502, error("runtime usage conflict"), E.UNAVAILABLE, True, "runtime_usage_conflict"),
    (502, HTML, E.UNAVAILABLE, True, None),
    (503, error("cannot connect to tenant database"), E.UNAVAILABLE, True, "tenant_db_unavailable"),
    (503, error("chain node tenant unavailable"), E.UNAVAILABLE, True, "chain_node_unavailable"),
    (503, error("space chain auth unavailable"), E.UNAVAILABLE, True, "chain_auth_unavailable"),
    (503, error("runtime usage unavailable"), E.UNAVAILABLE, True, "runtime_usage_unavailable"),
    (503, error("write conflict, retry"), E.UNAVAILABLE, True, "write_conflict"),
    (503, error("durable ingest enqueue failed"), E.UNAVAILABLE, False, "ingest_enqueue_failed"),
    (503, error("webhook service unavailable"), E.UNAVAILABLE, True, "webhooks_unavailable"),
    (503, b"", E.UNAVAILABLE, True, None),
    (504, error("sync ingest timed out after 9m0s"), E.GATEWAY_TIMEOUT, True, "sync_timeout"),
    (
        504,
        {"code": "recall_server_deadline_exceeded", "error": "recall request deadline exceeded"},
        E.GATEWAY_TIMEOUT,
        True,
        "recall_deadline_exceeded",
    ),
    (
        504,
        {"code": "recall_server_deadline_exceeded"},
        E.GATEWAY_TIMEOUT,
        True,
        "recall_deadline_exceeded",
    ),
    (504, HTML, E.GATEWAY_TIMEOUT, True, None),
    (505, b"", E.SERVER_ERROR, True, None),
    (599, b"", E.SERVER_ERROR, True, None),
    (199, b"", E.PROTOCOL_ERROR, True, None),
    (700, b"", E.PROTOCOL_ERROR, True, None),
]


@pytest.mark.parametrize(("status", "body", "error_type", "maybe_sent", "code"), ROWS)
def test_each_answer_has_one_meaning(
    status: int,
    body: JsonValue | bytes,
    error_type: ErrorType,
    maybe_sent: bool,
    code: str | None,
) -> None:
    """Type, ambiguity and code of every row."""
    outcome = of_store(answer(status, body), retry_after_max_s=60.0)

    assert outcome.error_type is error_type
    assert outcome.maybe_sent is maybe_sent
    assert outcome.error_code == code
    assert outcome.error == "mem9 request failed"
    assert outcome.http_status == status
    assert outcome.denial is None


def test_the_rows_reach_every_entry_of_the_tables() -> None:
    """No entry is there without a row that proves it."""
    rows = {(status, code) for status, _, _, _, code in ROWS}

    assert {(meaning.status, meaning.code) for meaning in MEANINGS} <= rows
    assert set(STATUSES) <= {status for status, _ in rows}


def test_the_detail_is_the_body_as_sent() -> None:
    """The text that the original shows."""
    raw = b'{"error": "rate limit exceeded"}\n'

    assert of_store(answer(429, raw), retry_after_max_s=60.0).detail == raw.decode().strip()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", None),
        (b" \n ", None),
        (b"a\x00b\x1b[31m", "a b [31m"),
        ("文 ümlaut".encode(), "文 ümlaut"),
        (b"\xff\xfeok", "ok"),
        (b"x" * 9_999, "x" * DETAIL_MAX),
        ("é".encode() * 4_001, "é" * DETAIL_MAX),
    ],
)
def test_the_detail_is_short_and_printable(body: bytes, shown: str | None) -> None:
    """No control characters, no long page."""
    assert printable(body) == shown


def test_a_key_that_mem9_repeats_is_not_shown() -> None:
    """Nor is a part of it where the detail ends."""
    body = b"x" * 490 + b" no such key: sk-canary-key"
    echoed = replace(answer(400, body[480:]), key="sk-canary-key")
    at_the_end = replace(answer(400, body), key="sk-canary-key")

    assert of_store(echoed, retry_after_max_s=60.0).detail == "xxxxxxxxxx no such key: [key]"
    assert "sk" not in (of_store(at_the_end, retry_after_max_s=60.0).detail or "")


@given(st.integers(100, 999), st.binary(max_size=200), st.lists(st.text(max_size=12), max_size=2))
def test_no_answer_can_hurt(status: int, body: bytes, retry_after: list[str]) -> None:
    """Whatever comes, an outcome within bounds comes out."""
    outcome = of_store(answer(status, body, retry_after=tuple(retry_after)), retry_after_max_s=60.0)

    assert outcome.retry_after_s is None or 0.0 <= outcome.retry_after_s <= 60.0
    assert outcome.ok == (outcome.confirmation is not None)


@pytest.mark.parametrize(
    ("retry_after", "wait_s"),
    [((), None), (("7",), 7.0), (("1e12",), 60.0), (("-1",), 0.0), (("nan",), None)],
)
def test_a_hint_is_kept_within_bounds(retry_after: tuple[str, ...], wait_s: float | None) -> None:
    """No server can put a space to sleep for years."""
    outcome = of_store(
        answer(429, error("rate limit exceeded"), retry_after=retry_after), retry_after_max_s=60.0
    )

    assert outcome.retry_after_s == wait_s


def test_a_denial_with_402_is_exhausted_quota() -> None:
    """Its error is the server's text, its code the stable one."""
    outcome = of_store(answer(402, denial()), retry_after_max_s=60.0)

    assert outcome.error_type is E.QUOTA_EXHAUSTED
    assert outcome.error == "Included quota is exhausted."
    assert outcome.error_code == "runtime_quota_denied"
    assert outcome.denial is not None
    assert not outcome.maybe_sent


@pytest.mark.parametrize(
    ("body", "wait_s"),
    [
        (denial(retryAfterSeconds=9), 9.0),
        (denial(retryAfterSeconds=10**12), 3600.0),
        (denial(retryAfterSeconds=-5), 60.0),
        (denial(quotaGateResult={"postQuotaRateLimit": {"windowDurationSeconds": 30}}), 30.0),
        (denial(), 60.0),
    ],
)
def test_a_denial_with_429_is_a_rate_limit_with_a_wait(body: JsonValue, wait_s: float) -> None:
    """The wait told, else the window, else a minute."""
    outcome = of_store(answer(429, body), retry_after_max_s=3600.0)

    assert outcome.error_type is E.RATE_LIMITED
    assert outcome.retry_after_s == wait_s
    assert outcome.denial is not None


@pytest.mark.parametrize(
    ("body", "headers", "error_type", "wait_s"),
    [
        (error("rate limit exceeded"), (), E.RATE_LIMITED, None),
        (error("cluster quota exhausted"), (), E.QUOTA_EXHAUSTED, None),
        (denial(error="Post-quota rate limit exceeded."), ("17",), E.RATE_LIMITED, 17.0),
        (error("runtime usage rate limited"), ("3",), E.RATE_LIMITED, 3.0),
    ],
    ids=["limiter", "cluster", "denial", "reservation"],
)
def test_429_has_four_meanings(
    body: JsonValue, headers: tuple[str, ...], error_type: ErrorType, wait_s: float | None
) -> None:
    """The request limit, the cluster's quota, a denial, and a quota that is being counted."""
    outcome = of_store(answer(429, body, retry_after=headers), retry_after_max_s=60.0)

    assert (outcome.error_type, outcome.retry_after_s) == (error_type, wait_s)
    assert not outcome.maybe_sent


_MIDDLE: JsonValue = {
    "code": "spending_limit_exceeded",
    "message": "The spending limit is reached.",
    "details": {
        "retryable": False,
        "meter": "memory_write_requests",
        "limitType": "spendingLimit",
        "upgradeAction": "increaseSpendingLimit",
        "bindingState": "claimed",
        "upgradeUrl": "https://mem9.example/limit",
        "mem9Code": "runtime_quota_denied",
    },
}
_OLDEST: JsonValue = {
    "error": "The spending limit is reached.",
    "mem9_code": "runtime_quota_denied",
    "meter": "memory_write_requests",
    "recommendedAction": open_url("https://mem9.example/limit", "increaseSpendingLimit"),
}
_NEWEST = denial(
    error="The spending limit is reached.",
    action=open_url("https://mem9.example/limit", "increaseSpendingLimit"),
)


@pytest.mark.parametrize("body", [_NEWEST, _MIDDLE, _OLDEST], ids=["newest", "middle", "oldest"])
def test_three_generations_of_denials_say_one_thing(body: JsonValue) -> None:
    """The newest names a category, the middle one a code and no error, the oldest a mark."""
    outcome = of_store(answer(402, body), retry_after_max_s=60.0)

    assert outcome.error_type is E.QUOTA_EXHAUSTED
    assert outcome.error_code == "runtime_quota_denied"
    assert outcome.error == "The spending limit is reached."
    assert outcome.denial is not None
    assert outcome.denial.meter == "memory_write_requests"
    assert outcome.denial.action is not None
    assert outcome.denial.action.url == "https://mem9.example/limit"
    assert outcome.denial.action.provider_action_code == "increaseSpendingLimit"


def test_a_denial_needs_402_or_429() -> None:
    """Elsewhere the same body is just a body."""
    outcome = of_refusal(answer(500, denial()), asked=Meter.WRITE, retry_after_max_s=60.0)

    assert outcome.error_type is E.SERVER_ERROR
    assert outcome.denial is None


@pytest.mark.parametrize(
    "body",
    [
        denial(
            error=f"key {KEY} is out",
            action={**open_url(f"https://x.example/?k={KEY}"), "severity": KEY},
        ),
        {
            "code": "quota_exhausted",
            "message": f"key {KEY} is out",
            "details": {"meter": KEY, "upgradeUrl": f"https://x.example/?k={KEY}"},
        },
    ],
    ids=["public", "legacy"],
)
def test_a_denial_holds_the_key_in_its_link_only(body: JsonValue) -> None:
    """The link is given as sent; everything else is for eyes that must not see the key."""
    outcome = of_refusal(answer(402, body, key=KEY), asked=Meter.WRITE, retry_after_max_s=60.0)

    link = f"https://x.example/?k={KEY}"
    assert outcome.denial is not None
    assert outcome.denial.action is not None
    assert outcome.denial.action.url == link
    assert outcome.denial.message == "key [key] is out"
    assert KEY not in outcome.model_dump_json().replace(link, "")


def test_a_detail_does_not_hold_an_escaped_key() -> None:
    """JSON has many ways to write a text."""
    raw = b'{"error": "no \\u0073k-canary\\u002Dkey"}'
    outcome = of_refusal(answer(500, raw, key=KEY), asked=Meter.WRITE, retry_after_max_s=60.0)

    assert outcome.detail == '{"error": "no [key]"}'
