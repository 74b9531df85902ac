"""The demonstration shows what happens, and fails when something is lost."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from mem9_async.cli.answers import LogLine, ToolAnswer
from mem9_async.cli.demo.facts import EARLY_FACT, EARLY_QUESTION, QUESTIONS, conversations
from mem9_async.cli.demo.progress import Progress
from mem9_async.cli.demo.run import lost, run
from mem9_async.cli.demo.screen import screen
from mem9_async.cli.percentile import percentile
from mem9_async.devserver.server import DevServer

ROOT = Path(__file__).parents[2]


def answer(**fields: object) -> ToolAnswer:
    """A tool's answer with one JSON object."""
    message = {"type": "json", "message": {"json_object": fields}}
    line = json.dumps({"data": {"type": "stream", "data": message}})
    return ToolAnswer((line.encode(),), 0.002, 0.001)


async def test_the_demonstration_delivers_everything_it_stored() -> None:
    """Plugin process, embedded mem9 and all: it ends by itself, with a summary."""
    shown = StringIO()

    assert await run(ROOT, Console(file=shown, width=200)), shown.getvalue()

    said = shown.getvalue()
    stored = sum(len(turn) for each in conversations() for turn in each.turns)
    assert f"{stored} stores accepted" in said
    assert "Everything accepted was delivered." in said
    for question in (EARLY_QUESTION, *QUESTIONS):
        assert question in said


def test_twenty_people_say_things_that_nobody_else_says() -> None:
    """Equal content would be taken once, and hide a loss."""
    everyone = list(conversations())
    facts = [fact for each in everyone for turn in each.turns for fact in turn]

    assert len(everyone) == 20
    assert len(set(facts)) == len(facts)
    assert EARLY_FACT in facts


async def test_an_accepted_fact_that_the_server_does_not_hold_is_lost() -> None:
    """The server is asked, not the plugin."""
    progress = Progress()
    progress.stored("Ana keeps owls.", answer(ok=True, accepted=True))
    async with DevServer() as server:
        assert await lost(progress, server, limit_s=0.0) == ["Ana keeps owls."]


def test_a_refused_store_is_not_counted_as_accepted() -> None:
    """Its reason is kept for the summary."""
    progress = Progress()
    progress.stored("x", answer(ok=False, accepted=False, error="queue full"))

    assert progress.accepted == []
    assert progress.refused == ["queue full"]


def test_requests_are_counted_from_the_log() -> None:
    """One per attempt, other events aside."""
    progress = Progress()
    for event in ("attempt.started", "batch.delivered", "attempt.started"):
        message = json.dumps({"event": event, "lane": "ab", "jobs": 2})
        line = json.dumps({"event": "log", "data": {"message": message}})
        progress.logged(LogLine(line.encode(), 0.0))

    assert progress.requests == 2
    assert "batch.delivered  lane ab, 2 job(s)" in progress.events[0]


def test_a_terminal_gets_a_table_and_a_pipe_gets_lines() -> None:
    """Both say the same numbers."""
    progress = Progress()
    lane = {"lane": "ab12", "session_id": "chat-ana", "depth": 7, "oldest_age_s": 1.5}
    progress.seen(answer(ok=True, depth=7, delivered=3, oldest_age_s=1.5, lanes=[lane]))
    terminal, pipe = StringIO(), StringIO()
    for console in (
        Console(file=terminal, force_terminal=True, width=100),
        Console(file=pipe, width=200),
    ):
        with screen(console) as shown:
            shown.show(progress)
            shown.show(progress)

    assert "chat-ana" in terminal.getvalue()
    assert pipe.getvalue().count("waiting 7") == 1


def test_a_percentile_is_one_of_the_values() -> None:
    """Nearest rank: nothing is made up between two measured values."""
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([1.0] * 99 + [5.0], 99) == 1.0
    assert percentile([1.0] * 98 + [5.0, 5.0], 99) == 5.0
    assert percentile([], 99) == 0.0
