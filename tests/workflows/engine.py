"""Dify's workflow engine, in an environment of its own: one run a line of stdin.

Takes `{"dsl", "credentials", "inputs", "context"}` and answers, a line each, how the run ended:
`{"error", "outputs", "failed"}`, where `failed` names nodes with what they said.
"""

import json
import logging
import sys
from typing import Any

from graphon.dsl import loads
from graphon.engine_events import (
    GraphRunFailedEvent,
    GraphRunPartialSucceededEvent,
    GraphRunSucceededEvent,
    NodeRunExceptionEvent,
    NodeRunFailedEvent,
)


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Run one workflow to its end."""
    engine = loads(
        asked["dsl"],
        credentials=asked["credentials"],
        start_inputs=asked["inputs"],
        run_context=asked["context"],
    )
    answer: dict[str, Any] = {"error": "the run did not end", "outputs": {}, "failed": {}}
    for event in engine.run():
        match event:
            case GraphRunSucceededEvent() | GraphRunPartialSucceededEvent():
                answer |= {"error": "", "outputs": event.outputs}
            case GraphRunFailedEvent():
                answer["error"] = event.error
            case NodeRunFailedEvent() | NodeRunExceptionEvent():
                answer["failed"][event.node_id] = event.error
    return answer


def main() -> None:
    """Serve until stdin ends."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        try:
            answer = run(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "outputs": {}, "failed": {}}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
