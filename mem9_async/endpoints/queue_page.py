"""The endpoint /queue. The SDK runs a copy of this file of its own: no state, one class."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

from mem9_async.endpoints import answering
from mem9_async.runtime import current


class QueuePage(Endpoint):
    """The queue of the spaces whose keys stand in the settings."""

    def _invoke(
        self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Response:
        answer = answering.answer(
            answering.asked(
                r.method,
                r.args,
                r.form if r.method == "POST" else {},
                r.cookies,
                r.headers.get("Dify-Hook-Id", ""),
            ),
            settings,
            current.get(),
        )
        return Response(answer.body, answer.status, dict(answer.headers))
