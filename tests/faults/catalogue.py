"""Every fault of the outcome table, with what the plugin must make of it.

The table is docs/reference/reliability.md, 2; `moves` are the words of the plugin's log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.faults import scripts
from tests.faults.scripts import Script


class End(StrEnum):
    """Where a job is in the end, once the server answers well again."""

    DELIVERED = "delivered"
    HELD = "held"  #: waits longer than a test does; not lost
    DEAD = "dead"


@dataclass(frozen=True)
class Fault:
    """One fault. `script` None: it lies in the connection and `connect` says which.

    `errors` are the error types the log may name, `move` what the plugin does about it.
    `lasting` faults meet every attempt, others one. `refused_key`: mem9's status route, too,
    does not know the key, until the fault was seen. `may_split`: after several failures the
    batch may be halved instead, since mem9 does not say whether it or one job is at fault.
    """

    name: str
    errors: tuple[str, ...]
    move: str
    end: End = End.DELIVERED
    script: Callable[[], Script] | None = None
    connect: str | None = None
    lasting: bool = False
    refused_key: bool = False
    may_split: bool = False


def _script(
    script: Callable[[], Script], error: str, move: str = "retry", end: End = End.DELIVERED
) -> Fault:
    return Fault(script().name, tuple(error.split("|")), move, end, script)


def _refusal(
    status: int,
    text: str,
    error: str,
    move: str,
    end: End = End.DELIVERED,
    *,
    lasting: bool = False,
    may_split: bool = False,
) -> Fault:
    words = "_".join(text.lower().split()[:3]).strip(".:")
    return Fault(
        f"{status}_{words}" + ("_always" if lasting else ""),
        (error,),
        move,
        end,
        lambda: scripts.error(status, text),
        lasting=lasting,
        may_split=may_split,
    )


def _after(value: str, *, status: int = 503, move: str = "retry") -> Fault:
    error = "unavailable" if status == 503 else "rate_limited"
    return Fault(
        f"{status}_retry_after_{value[:12].replace(' ', '_')}",
        (error,),
        move,
        script=lambda: scripts.error(status, "later", headers=[("retry-after", value)]),
    )


_CONNECTION = (
    Fault("refused", ("connection_refused",), "retry", connect="refused"),
    Fault("unknown_host", ("dns_error",), "retry", End.HELD, connect="unknown_host", lasting=True),
    Fault("bad_certificate", ("tls_error",), "retry", End.HELD, connect="bad_tls", lasting=True),
    # Whether the client calls this connected is a race between its SYN and our reset.
    Fault("reset_on_connect", ("connection_reset", "connection_refused"), "retry", connect="reset"),
    Fault("hang_on_connect", ("read_timeout",), "retry", connect="hang"),
)

_TRANSPORT = (
    _script(scripts.reset_after_headers, "connection_reset"),
    _script(scripts.reset_mid_body, "connection_reset"),
    _script(scripts.reset_after_body, "connection_reset"),
    _script(scripts.close_after_body, "connection_reset"),
    _script(scripts.half_close, "connection_reset"),
    _script(scripts.hang, "read_timeout"),
    _script(scripts.slow_body, "read_timeout"),
    _script(scripts.endless_headers, "protocol_error|read_timeout"),
    _script(scripts.garbage, "protocol_error"),
    # Where head and garbage come apart, aiohttp now and then waits for more until the timeout;
    # the batch is tried again all the same, as one that may have arrived.
    _script(scripts.chunked_garbage, "protocol_error|invalid_response|read_timeout"),
)

_STRANGE_SUCCESS = (
    _script(scripts.half_json, "invalid_response"),
    _script(scripts.html_200, "invalid_response"),
    _script(scripts.empty_200, "invalid_response"),
    _script(scripts.ten_megabytes, "invalid_response"),
    Fault(
        "html_200_always",
        ("invalid_response",),
        "retry",
        End.HELD,
        scripts.html_200,
        lasting=True,
    ),
)

_REFUSALS = (
    _script(
        lambda: scripts.answer(302, headers=[("location", "/x")]), "redirect", "park", End.HELD
    ),
    _script(
        lambda: scripts.answer(308, headers=[("location", "/x")]), "redirect", "park", End.HELD
    ),
    _script(scripts.invalid_key, "unavailable", "park"),
    _refusal(400, "missing API key", "unavailable", "park"),
    _refusal(400, "Space Chain has no nodes.", "auth", "park"),
    Fault("unknown_key", ("auth",), "park", script=scripts.invalid_key, refused_key=True),
    _refusal(400, "content: something new", "rejected", "split"),
    _refusal(400, "content: something new", "rejected", "split", End.DEAD, lasting=True),
    _refusal(401, "missing or malformed X-API-Key", "auth", "park"),
    _refusal(402, "payment required", "quota_exhausted", "park"),
    _refusal(403, "tenant is not active", "auth", "park"),
    _refusal(404, "no such page", "not_found", "park", End.HELD),
    _refusal(404, "tenant not found", "unavailable", "park"),
    _refusal(405, "method not allowed", "not_found", "park", End.HELD),
    _refusal(408, "request timeout", "request_timeout", "retry"),
    _refusal(409, "tenant schema incompatible", "conflict", "park", End.HELD),
    _refusal(411, "length required", "too_large", "split"),
    _refusal(412, "version mismatch", "conflict", "park", End.HELD),
    _refusal(413, "too large", "too_large", "split"),
    _refusal(413, "too large", "too_large", "split", End.DEAD, lasting=True),
    _refusal(414, "too long", "too_large", "split"),
    _refusal(415, "unsupported", "rejected", "split"),
    _refusal(418, "teapot", "rejected", "split"),
    _refusal(422, "unprocessable", "rejected", "split"),
    _refusal(425, "too early", "request_timeout", "retry"),
    _refusal(429, "rate limit exceeded", "rate_limited", "pause"),
    _refusal(429, "cluster quota exhausted", "quota_exhausted", "park"),
    _refusal(429, "words of tomorrow", "rate_limited", "pause"),
    _refusal(431, "headers too large", "too_large", "split"),
    _refusal(500, "internal server error", "server_error", "retry", may_split=True),
    _refusal(501, "not implemented", "not_found", "park", End.HELD),
    _refusal(502, "bad gateway", "unavailable", "retry"),
    _refusal(503, "cannot connect to tenant database", "unavailable", "park"),
    _refusal(503, "service unavailable", "unavailable", "retry"),
    _refusal(504, "sync ingest timed out", "gateway_timeout", "split", End.HELD),
    _refusal(507, "insufficient storage", "server_error", "retry", may_split=True),
)

_HINTS = (
    *(_after(value) for value in ("0", "-1", "NaN", "1000000000000", "1.5", "soon", "")),
    _after("Thu, 01 Jan 1970 00:00:00 GMT"),
    _after("Thu, 31 Dec 2099 23:59:59 GMT"),
    _after("1000000000000", status=429, move="pause"),
)

FAULTS = (*_CONNECTION, *_TRANSPORT, *_STRANGE_SUCCESS, *_REFUSALS, *_HINTS)

#: Answers of this and other mem9 builds that are successes, whatever their form.
SUCCESSES = (
    scripts.answer(202, b'{"status":"accepted"}', name="accepted", take=True),
    scripts.answer(202, b'{"job_id":"j1","state":"queued"}', name="job_id", take=True),
    scripts.answer(200, b'{"status":"ok"}', name="ok", take=True),
    scripts.answer(201, b'{"id":"m1"}', name="created", take=True),
    scripts.answer(
        202,
        b'{"status":"accepted","message":"80 %","runtimeState":{"x":[1]},"new":null}',
        name="notice",
        take=True,
    ),
    scripts.answer(204, name="no_content", content_type="", take=True),
    scripts.answer(201, name="empty_201", content_type="", take=True),
    scripts.answer(202, b"[]", name="list_202", take=True),
    scripts.answer(202, b"accepted", name="text_202", content_type="text/plain", take=True),
    scripts.truncated_body(),
    scripts.reset_after_response_headers(),
    scripts.reset_mid_response_body(),
    scripts.closes_connection(),
    scripts.accept(close=True),
)
