"""One tool call from Dify's raw values to the lines of its answer, whatever happens on the way."""

import traceback
from collections.abc import Callable, Iterable, Mapping

import structlog

from mem9_async.client.redaction import without_key
from mem9_async.models.errors import Mem9AsyncError
from mem9_async.tools.answers import failures, message_lines
from mem9_async.tools.answers.base import Answer
from mem9_async.tools.backend import Backend
from mem9_async.tools.call import Call, ToolCall
from mem9_async.tools.requests import fields

_log = structlog.get_logger(__name__)
_DETAIL_CHARS = 300


class CallFailed(Exception):
    """The call failed and the node asked to be told by an error instead of `ok: false`."""


def reply[A: Answer](
    tool: ToolCall,
    parameters: Mapping[str, object],
    work: Callable[[Call, Backend], A],
    shape: type[A],
    backend: Callable[[], Backend],
) -> Iterable[object]:
    """Answer *tool*'s call with what *work* comes to; return nothing for the SDK to send.

    The JSON and a variable for every name of *shape* are written at once. With `error_mode`
    `raise`, a failure raises CallFailed instead (`Answer.fails_node`): its text begins with the
    stable codes and holds no key, because Dify stores text and traceback.
    """
    call = Call(
        parameters=parameters,
        credentials=tool.runtime.credentials,
        user_id=tool.runtime.user_id,
        conversation_id=tool.session.conversation_id,
        app_id=tool.session.app_id,
    )
    answer = outcome(call, work, shape, backend)
    if answer.fails_node and parameters.get("error_mode") == "raise":
        raise CallFailed(without_keys(error_text(answer), call, link=answer.action_url))
    send(tool, answer)
    return ()


def outcome[A: Answer](
    call: Call,
    work: Callable[[Call, Backend], A],
    shape: type[A],
    backend: Callable[[], Backend],
) -> A:
    """Return what *work* answers, or the *shape* that tells why it could not. Never raises."""
    try:
        return work(call, backend())
    except Mem9AsyncError as error:
        return shape.failed(failures.of(error))
    except Exception as error:
        # Left to the SDK, its text and traceback would be shown, and might hold contents.
        at = traceback.extract_tb(error.__traceback__)[-1]
        _log.error(
            "tool.crashed",
            answer=shape.__name__,
            error_type=type(error).__name__,
            at=f"{at.filename.rpartition('/')[2]}:{at.lineno}",
        )
        return shape.failed(failures.unexpected())


def send(tool: ToolCall, answer: Answer) -> None:
    """Write *answer* for *tool*'s call in one piece."""
    tool.session.writer.write(message_lines.render(tool.session.session_id, answer))


def error_text(answer: Answer) -> str:
    """Return a failed *answer* as one text: `[reason] [code] what happened what to do`.

    The codes stand in brackets because Dify's conditional retries look for a text.
    """
    codes = dict.fromkeys(
        code for code in (answer.retry and answer.retry.reason, answer.code) if code
    )
    told = [f"[{code}]" for code in codes]
    told.append(answer.error or failures.REQUEST_FAILED)
    if answer.status_code is not None:
        told.append(f"(HTTP {answer.status_code})")
    if answer.user_message and answer.user_message != answer.error:
        told.append(answer.user_message)
    if answer.action_url and not any(answer.action_url in part for part in told):
        told.append(answer.action_url)
    if answer.detail:
        told.append(answer.detail[:_DETAIL_CHARS])
    if answer.retry and answer.retry.retryable and answer.retry.after_s is not None:
        told.append(f"Try again in {answer.retry.after_s:g} s.")
    return " ".join(told)


def without_keys(told: str, call: Call, *, link: str | None = None) -> str:
    """Return *told* with the keys of *call* blanked: a server may have sent one back.

    A *link* for the user stays exactly as sent.
    """
    for value in (call.credentials.get("mem9_api_key"), call.parameters.get("api_key")):
        key = fields.clean(value) if isinstance(value, str) else ""
        told = without_key(told, key, keep=link)
    return told
