"""One call from raw values to lines, whatever happens on the way."""

import traceback

import pytest
import structlog

from mem9_async.models.errors import RequestFailed
from mem9_async.models.outcome import Action, ErrorType, Outcome, QuotaDenial
from mem9_async.tools import handlers, invocation
from mem9_async.tools.answers.search import SearchAnswer
from mem9_async.tools.answers.store import StoreAnswer

from .fakes import KEY, FakeBackend, FakeTool, receipt

URL = "https://console.mem9.example/claim?key=example"


def store(tool: FakeTool, backend: FakeBackend, **parameters: object) -> None:
    """Call memory_store as its tool file does."""
    told = invocation.reply(tool, parameters, handlers.store, StoreAnswer, lambda: backend)
    assert list(told) == []


def search(tool: FakeTool, backend: FakeBackend, **parameters: object) -> None:
    """Call memory_search as its tool file does."""
    told = invocation.reply(tool, parameters, handlers.search, SearchAnswer, lambda: backend)
    assert list(told) == []


def denied(detail: str | None = None) -> RequestFailed:
    """Return a denial with a link, as the client words it."""
    denial = QuotaDenial(
        message="Included quota is exhausted.",
        user_message=f"Tell the user that memory is out of quota: {URL}",
        action=Action(type="openUrl", url=URL),
    )
    return RequestFailed(
        Outcome(error_type=ErrorType.QUOTA_EXHAUSTED, http_status=402, denial=denial, detail=detail)
    )


def test_an_answer_is_written_in_one_piece() -> None:
    """Nothing can come between its lines, and it costs one write."""
    tool = FakeTool()

    store(tool, FakeBackend(), content="x")

    assert len(tool.session.writer.written) == 1
    assert tool.answer["ok"] is True
    assert tool.variables["job_id"] == "01JOB"


def test_a_failure_is_an_answer_by_default() -> None:
    """`ok: false`, with every variable."""
    tool = FakeTool()
    backend = FakeBackend()
    backend.error = denied()

    search(tool, backend, query="q")

    assert tool.answer["ok"] is False
    assert tool.answer["memories"] == []
    assert tool.answer["total"] == 0
    assert tool.answer["action_url"] == URL
    assert tuple(tool.variables) == SearchAnswer.variables


def test_raise_mode_fails_with_the_codes_and_the_link_once() -> None:
    """Dify's conditional retries look for the code in the text."""
    tool = FakeTool()
    backend = FakeBackend()
    backend.error = denied()

    with pytest.raises(invocation.CallFailed) as failed:
        search(tool, backend, query="q", error_mode="raise")

    text = str(failed.value)
    assert text.startswith("[quota_denied] [runtime_quota_denied] Included quota is exhausted.")
    assert "(HTTP 402)" in text
    assert text.count(URL) == 1
    assert tool.session.writer.written == []


def test_raise_mode_says_when_to_come_back() -> None:
    """The wait is part of the text, since nothing else reaches the node's retry."""
    backend = FakeBackend()
    backend.error = RequestFailed(
        Outcome(error_type=ErrorType.RATE_LIMITED, http_status=429, retry_after_s=7)
    )

    with pytest.raises(invocation.CallFailed, match=r"^\[rate_limited\] mem9 .*again in 7 s\.$"):
        search(FakeTool(), backend, query="q", error_mode="raise")


def test_raise_mode_never_shows_a_key() -> None:
    """Dify stores the text and the traceback; a server may send a key back."""
    backend = FakeBackend()
    backend.error = RequestFailed(
        Outcome(error_type=ErrorType.AUTH, http_status=400, detail=f'{{"key": "{KEY}"}}')
    )

    with pytest.raises(invocation.CallFailed) as failed:
        search(FakeTool(), backend, query="q", error_mode="raise")

    shown = "".join(traceback.format_exception(failed.value))
    assert KEY not in shown
    assert "[key]" in shown


def test_raise_mode_gives_the_link_as_sent_even_with_a_key_in_it() -> None:
    """A person opens it; the key outside of it is blanked."""
    link = f"{URL}&space={KEY}"
    denial = QuotaDenial(
        message=f"{KEY} is out of quota.",
        user_message=f"Tell the user that memory is out of quota: {link}",
        action=Action(type="openUrl", url=link),
    )
    backend = FakeBackend()
    backend.error = RequestFailed(
        Outcome(error_type=ErrorType.QUOTA_EXHAUSTED, http_status=402, denial=denial)
    )

    with pytest.raises(invocation.CallFailed) as failed:
        search(FakeTool(), backend, query="q", error_mode="raise")

    text = str(failed.value)
    assert text.count(link) == 1
    assert KEY not in text.replace(link, "")


def test_raise_mode_does_not_fail_on_success() -> None:
    """Nothing found is no failure."""
    tool = FakeTool()

    search(tool, FakeBackend(), query="q", error_mode="raise")

    assert tool.answer["ok"] is True


def _waited(**changes: object) -> FakeBackend:
    backend = FakeBackend()
    outcome = Outcome(error_type=ErrorType.REJECTED, http_status=400)
    backend.receipt = receipt(outcome=outcome, **changes)
    return backend


def test_raise_mode_does_not_fail_a_store_whose_job_is_kept() -> None:
    """The node's retry would store it a second time."""
    tool = FakeTool()

    store(tool, _waited(), content="x", wait=True, error_mode="raise")

    assert (tool.answer["ok"], tool.answer["accepted"]) == (False, True)


@pytest.mark.parametrize("end", [{"dead": True}, {"kept": False}])
def test_raise_mode_fails_a_store_that_will_not_be_delivered(end: dict[str, object]) -> None:
    """Otherwise the workflow goes on without what it meant to keep."""
    with pytest.raises(invocation.CallFailed, match=r"^\[invalid_request\] \[rejected\]"):
        store(FakeTool(), _waited(**end), content="x", wait=True, error_mode="raise")


def test_an_error_of_our_own_is_told_without_its_text() -> None:
    """It may hold a memory; the log says where it happened."""
    tool = FakeTool()
    backend = FakeBackend()
    backend.error = ZeroDivisionError(f"secret {KEY}")

    with structlog.testing.capture_logs() as logged:
        search(tool, backend, query="q")

    assert tool.answer["code"] == "internal_error"
    assert KEY not in "".join(tool.session.writer.written)
    assert [event["event"] for event in logged] == ["tool.crashed"]
    assert logged[0]["error_type"] == "ZeroDivisionError"
    assert KEY not in str(logged)


def test_a_plugin_that_cannot_start_is_an_answer_too() -> None:
    """The workflow gets a code, not a hanging node."""
    tool = FakeTool()

    def broken() -> FakeBackend:
        raise RuntimeError("no plugin")

    with structlog.testing.capture_logs():
        invocation.reply(tool, {"content": "x"}, handlers.store, StoreAnswer, broken)

    assert tool.answer["code"] == "internal_error"
